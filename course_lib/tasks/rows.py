"""The steps from a table to the two parts of a task, one function each; `Task.from_table` calls them in order.

`rows` is always a DataFrame of texts with the columns `input` and `output`, and `group` where rows belong together: all
rows of a group stand on one side of a split. Its index is the number of each row in the
learner's table, and `where` names that table: messages need both.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TypeAlias

import numpy as np
import pandas as pd
from datasets import Dataset
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from .tables import check_given, guess_columns

Pairs: TypeAlias = Iterable[tuple[str, ...]] | Dataset  # (input, output), or (input, output, group)
FEWEST_INPUTS = 10  # different ones; with fewer there is nothing to hold out
COLUMNS = ["input", "output", "group"]
DRAWS = 50  # of groups; the draw whose parts are most alike is taken


def rows_of(pairs: Pairs, part: str) -> pd.DataFrame:
    """The rows of pairs or of a dataset with the columns input and output, numbered from 1; `part` is for messages.

    A third member of each pair, or a column called group, is its group.
    """
    if isinstance(pairs, Dataset):
        missing = {"input", "output"} - set(pairs.column_names)
        if missing:
            raise ValueError(
                f"The {part} dataset has no column {sorted(missing)[0]!r}, only {', '.join(pairs.column_names)}. "
                f"Rename yours: dataset.rename_column(old, new)."
            )
        columns = [name for name in COLUMNS if name in pairs.column_names]
        pairs = zip(*(pairs[name] for name in columns), strict=True)
    texts = [["" if text is None else str(text) for text in pair] for pair in pairs]
    width = len(texts[0]) if texts else 2
    return pd.DataFrame(texts, pd.RangeIndex(1, len(texts) + 1), COLUMNS[:width], dtype=str)


def choose_columns(
    table: pd.DataFrame, where: str, input: str | None, output: str | None, group: str | None = None
) -> pd.DataFrame:
    """The rows of a table, from the columns that are named or recognised, without spaces around the texts."""
    try:
        if group is not None:
            check_given(list(table.columns), group)
        others = table if group is None else table.drop(columns=group)
        columns = [*guess_columns(others, input, output), *([group] if group is not None else [])]
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return table[columns].set_axis(COLUMNS[: len(columns)], axis=1).map(str.strip)


def keep_words(rows: pd.DataFrame, words: int | None) -> pd.DataFrame:
    """The rows with only the first `words` words of each input, or the last -`words` if it is negative."""
    if not words:
        return rows
    kept = slice(words) if words > 0 else slice(words, None)
    return rows.assign(input=rows["input"].str.split().str[kept].str.join(" "))


def sample_rows(rows: pd.DataFrame, most: int | None, choices: Sequence[str] | None, seed: int) -> pd.DataFrame:
    """At most `most` of the rows, drawn by `seed`, in the order of the table."""
    if most is None or most >= len(rows):
        return rows
    drawn, _ = _divide(rows, choices, seed, train_size=most)
    return drawn.sort_index()


def describe_rows(where: str, rows: pd.DataFrame, sample: pd.DataFrame, words: int | None) -> str:
    """What a task was made from, in words: the table, how many of its rows and which words of each input."""
    source = where
    if len(sample) < len(rows):
        source = f"{len(sample):,} of {len(rows):,} rows of {where}, drawn at random"
    if words:
        source += f", the {'first' if words > 0 else 'last'} {abs(words)} words of each input"
    return source


def split_rows(
    rows: pd.DataFrame, test_size: float, choices: Sequence[str] | None, seed: int, where: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The training and the held-out rows: about `test_size` of the inputs are held out, each with all of its group."""
    groups = groups_of(rows)
    unique = rows[~groups.duplicated()]
    _check_enough(unique, where, "groups" if "group" in rows else "inputs")
    try:
        if "group" in rows:
            is_test = hold_out_groups(groups, rows["output"] if choices else None, test_size, seed)
        else:
            _, held_out = _divide(unique, choices, seed, test_size=test_size)
            is_test = groups.isin(groups[held_out.index]).to_numpy()
    except ValueError as error:
        raise ValueError(
            f"{where}: {len(unique)} different inputs are too few to hold out {test_size:.0%} of them. Add rows or "
            f"change test_size=…"
        ) from error
    return rows[~is_test], rows[is_test]


def groups_of(rows: pd.DataFrame) -> pd.Series:
    """The group of each row, as a number: rows of the same group or with the same input belong together."""
    inputs = pd.factorize(rows["input"].map(input_key))[0]
    if "group" not in rows:
        return pd.Series(inputs, rows.index)
    groups = pd.factorize(rows["group"])[0]
    nodes = len(rows)
    links = coo_array((np.ones(nodes), (inputs, nodes + groups)), shape=(2 * nodes, 2 * nodes))
    return pd.Series(connected_components(links, directed=False)[1][inputs], rows.index)


def hold_out_groups(groups: pd.Series, labels: pd.Series | None, share: float, seed: int) -> np.ndarray:
    """Which rows are held out, shape (rows,): whole groups, about `share` of the rows.

    Of DRAWS draws by `seed` it is the one that comes closest to that share, of every label where there are labels.
    """
    kinds = pd.factorize(labels)[0] if labels is not None else np.zeros(len(groups), dtype=int)
    wanted = share * np.bincount(kinds)
    best, smallest = np.zeros(len(groups), dtype=bool), np.inf
    for _, held_out in GroupShuffleSplit(DRAWS, test_size=share, random_state=seed).split(groups, groups=groups):
        distance = np.abs(np.bincount(kinds[held_out], minlength=len(wanted)) - wanted).sum()
        if distance < smallest:
            best, smallest = np.isin(np.arange(len(groups)), held_out), distance
    return best


def input_key(text: str) -> str:
    """What two inputs that count as the same have in common: their words, whatever the case and spacing."""
    return " ".join(text.casefold().split())


def pairs_of(rows: pd.DataFrame) -> list[tuple[str, ...]]:
    """The rows as pairs (input, output), or (input, output, group)."""
    return list(rows.itertuples(index=False, name=None))


def span(rows: pd.DataFrame) -> str:
    """The first and the last row's number, for a message."""
    return f"rows {rows.index[0]} to {rows.index[-1]}"


def check_most(most: int | None) -> None:
    """Raise ValueError if so few rows are not enough for a task."""
    if most is not None and most < FEWEST_INPUTS:
        raise ValueError(
            f"most={most} rows are too few to learn from and to be judged by. Take at least {FEWEST_INPUTS}."
        )


def check_cells(rows: pd.DataFrame, where: str) -> None:
    """Raise ValueError if there are no rows or a cell is empty."""
    if rows.empty:
        raise ValueError(f"{where}: there are no rows. Give at least a few examples.")
    for row, *pair in rows.itertuples():
        for column, text in zip(rows.columns, pair, strict=True):
            if not text.strip():
                raise ValueError(f"{where}, row {row}: the {column} is empty. Fill it in or remove the row.")


def check_outputs_differ(rows: pd.DataFrame, where: str, remedy: str) -> None:
    """Raise ValueError if all rows have the same output."""
    if rows["output"].nunique() == 1:
        raise ValueError(f"{where}: every output is {rows['output'].iloc[0]!r}, so there is nothing to learn. {remedy}")


def check_choices(rows: pd.DataFrame, where: str, choices: Sequence[str] | None) -> None:
    """Raise ValueError if an output is none of the choices."""
    if not choices:
        return
    for row, output in rows["output"].items():
        if output not in choices:
            raise ValueError(
                f"{where}, row {row}: the output {output!r} is none of the choices ({', '.join(choices)}). "
                f"Correct it or add it to choices=…"
            )


def check_training_outputs(train: pd.DataFrame, where: str) -> None:
    """Raise ValueError if the split put only one kind of output into the training rows."""
    if train["output"].nunique() == 1:
        raise ValueError(
            f"{where}: the rows drawn for training all have the output {train['output'].iloc[0]!r}. "
            f"Add rows with other outputs."
        )


def check_no_leak(train: pd.DataFrame, test: pd.DataFrame, name: str) -> None:
    """Raise ValueError if an input stands in both parts."""
    known = {input_key(text): row for row, text in train["input"].items()}
    for row, text in test["input"].items():
        if input_key(text) in known:
            raise ValueError(
                f"{name}: held-out row {row} has the same input as training row {known[input_key(text)]} "
                f"({text[:40]!r}): a score on it would measure memory. Remove it from one of the two."
            )
    if both := set(train.get("group", ())) & set(test.get("group", ())):
        raise ValueError(
            f"{name}: the group {min(both)!r} has rows in the training and in the held-out part. Put all of them into "
            f"one."
        )


def _check_enough(unique: pd.DataFrame, where: str, what: str) -> None:
    if len(unique) < FEWEST_INPUTS:
        raise ValueError(
            f"{where}: {len(unique)} different {what} are too few to learn from and to be judged by. Give at least "
            f"{FEWEST_INPUTS}, better a hundred."
        )


def _divide(rows: pd.DataFrame, choices: Sequence[str] | None, seed: int, **size: float) -> list[pd.DataFrame]:
    """The rows in two parts, drawn by `seed`, if possible with the same share of each choice in both."""
    if choices:
        with suppress(ValueError):  # a choice stands in a single row, or a part has fewer rows than there are choices
            return train_test_split(rows, random_state=seed, stratify=rows["output"], **size)
    return train_test_split(rows, random_state=seed, **size)
