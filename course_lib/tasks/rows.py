"""The steps from a table to the two parts of a task, one function each; `Task.from_table` calls them in order.

`rows` is always a DataFrame of texts with the columns `input` and `output`. Its index is the number of each row in the
learner's table, and `where` names that table: messages need both.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TypeAlias

import pandas as pd
from datasets import Dataset
from sklearn.model_selection import train_test_split

from .tables import guess_columns

Pairs: TypeAlias = Iterable[tuple[str, str]] | Dataset
FEWEST_INPUTS = 10  # different ones; with fewer there is nothing to hold out


def rows_of(pairs: Pairs, part: str) -> pd.DataFrame:
    """The rows of pairs (input, output) or of a dataset with these columns, numbered from 1; `part` is for messages."""
    if isinstance(pairs, Dataset):
        missing = {"input", "output"} - set(pairs.column_names)
        if missing:
            raise ValueError(
                f"The {part} dataset has no column {sorted(missing)[0]!r}, only {', '.join(pairs.column_names)}. "
                f"Rename yours: dataset.rename_column(old, new)."
            )
        pairs = zip(pairs["input"], pairs["output"], strict=True)
    texts = [("" if text is None else str(text) for text in pair) for pair in pairs]
    return pd.DataFrame(texts, pd.RangeIndex(1, len(texts) + 1), ["input", "output"], dtype=str)


def choose_columns(table: pd.DataFrame, where: str, input: str | None, output: str | None) -> pd.DataFrame:
    """The rows of a table, from the two columns that are named or recognised, without spaces around the texts."""
    try:
        columns = guess_columns(table, input, output)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return table[list(columns)].set_axis(["input", "output"], axis=1).map(str.strip)


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
    """The training and the held-out rows: `test_size` of the different inputs are held out, each with all its rows."""
    keys = rows["input"].map(input_key)
    unique = rows[~keys.duplicated()]
    _check_enough(unique, where)
    try:
        _, held_out = _divide(unique, choices, seed, test_size=test_size)
    except ValueError as error:
        raise ValueError(
            f"{where}: {len(unique)} different inputs are too few to hold out {test_size:.0%} of them. Add rows or "
            f"change test_size=…"
        ) from error
    is_test = keys.isin(held_out["input"].map(input_key))
    return rows[~is_test], rows[is_test]


def input_key(text: str) -> str:
    """What two inputs that count as the same have in common: their words, whatever the case and spacing."""
    return " ".join(text.casefold().split())


def pairs_of(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """The rows as pairs (input, output)."""
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
        for column, text in zip(("input", "output"), pair, strict=True):
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


def _check_enough(unique: pd.DataFrame, where: str) -> None:
    if len(unique) < FEWEST_INPUTS:
        raise ValueError(
            f"{where}: {len(unique)} different inputs are too few to learn from and to be judged by. Give at least "
            f"{FEWEST_INPUTS}, better a hundred."
        )


def _divide(rows: pd.DataFrame, choices: Sequence[str] | None, seed: int, **size: float) -> list[pd.DataFrame]:
    """The rows in two parts, drawn by `seed`, if possible with the same share of each choice in both."""
    if choices:
        with suppress(ValueError):  # a choice stands in a single row, or a part has fewer rows than there are choices
            return train_test_split(rows, random_state=seed, stratify=rows["output"], **size)
    return train_test_split(rows, random_state=seed, **size)
