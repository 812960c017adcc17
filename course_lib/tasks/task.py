"""The class Task: what is asked, examples to learn from, and held-out cases to be judged by."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import Dataset
from sklearn.base import BaseEstimator
from sklearn.metrics import accuracy_score

from ..baselines import NearestExample, majority_class, word_counts
from ..metrics import Metric, answer_found
from .prompt import Prompt, repeated_answers
from .rows import (
    Pairs,
    check_cells,
    check_choices,
    check_most,
    check_no_leak,
    check_outputs_differ,
    check_training_outputs,
    choose_columns,
    describe_rows,
    groups_of,
    hold_out_groups,
    keep_words,
    pairs_of,
    rows_of,
    sample_rows,
    span,
    split_rows,
)
from .tables import load_table


@dataclass(frozen=True)
class Task:
    """A task with its data.

    `train` and `test` have the columns `input` and `output`; no input is in both. Where rows belong together, they also
    have the column `group`, no group is in both, and `group` says what a group is (an article, a customer, …).
    `documents` are what Retrieval searches. `metric` scores predictions (see metrics.py). `wordings` are instructions
    that could be given instead of the prompt's own: `choose` in selection.py picks one on development cases.
    """

    name: str
    prompt: Prompt
    train: Dataset
    test: Dataset
    metric: Metric
    documents: tuple[str, ...] | None = None
    source: str = "your own data"
    licence: str = "yours"
    group: str = "input"
    wordings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        answers = f"{len(self.prompt.choices)} choices" if self.prompt.choices else "free text"
        documents = f", {len(self.documents)} documents" if self.documents else ""
        return f"{self.name}: {len(self.train)} training and {len(self.test)} held-out cases, {answers}{documents}"

    @property
    def prompts(self) -> list[Prompt]:
        """The prompt, and the same with each of the other wordings of its instruction."""
        return [self.prompt, *(replace(self.prompt, instruction=wording) for wording in self.wordings)]

    def floor(self) -> pd.Series:
        """The scores that no model is needed for: majority class, word counts (with choices), nearest example."""
        opponents: dict[str, BaseEstimator] = {"majority class": majority_class()}
        if self.prompt.choices:
            opponents["word counts"] = word_counts()
        opponents["nearest example"] = NearestExample()
        inputs, truth = list(self.test["input"]), list(self.test["output"])
        scores = {}
        for name, opponent in opponents.items():
            opponent.fit(list(self.train["input"]), list(self.train["output"]))
            scores[name] = self.metric(truth, [str(answer) for answer in opponent.predict(inputs)])
        return pd.Series(scores, name="score")

    def card(self) -> str:
        """What the task is made of, and the floor that an approach has to beat."""
        groups = [groups_of(part.to_pandas()).nunique() for part in (self.train, self.test)]
        floor = ", ".join(f"{name} {score:.2f}" for name, score in self.floor().items())
        return (
            f"{self}\nSplit by {self.group}: {groups[0]} to learn from, {groups[1]} others held out.\n"
            f"Source: {self.source}. Licence: {self.licence}.\nFloor, without a language model: {floor}."
        )

    def sample(self, train: int | None = None, test: int | None = None, seed: int = 0) -> "Task":
        """The same task with at most so many training and held-out cases, drawn by `seed` evenly over the choices.

        Raises ValueError if a number is below 1.
        """
        parts = {}
        for name, count in (("train", train), ("test", test)):
            if count is not None and count < 1:
                raise ValueError(f"A sample with {name}={count} cases is none. Take at least 1.")
            rows = getattr(self, name).to_pandas()
            parts[name] = Dataset.from_pandas(sample_rows(rows, count, self.prompt.choices, seed), preserve_index=False)
        return replace(self, **parts)

    def development_split(self, share: float = 0.3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """The places of the training examples to try with, and of those to choose by: `share` of them, whole groups.

        Nothing is ever chosen by the held-out cases.
        """
        rows = self.train.to_pandas()
        is_held_out = hold_out_groups(groups_of(rows), rows["output"] if self.prompt.choices else None, share, seed)
        return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)

    @classmethod
    def from_examples(
        cls,
        name: str,
        instruction: str,
        train: Pairs,
        test: Pairs,
        choices: Sequence[str] | None = None,
        documents: Sequence[str] | None = None,
        metric: Metric | None = None,
        max_new_tokens: int = 32,
        source: str = "your own data",
        licence: str = "yours",
        group: str = "input",
        wordings: Sequence[str] = (),
    ) -> "Task":
        """A task from pairs (input, output), or from datasets with these columns.

        A third member of each pair, or a column called group, is its group; `group` says what that is. Without
        `choices` the answers are free text of at most `max_new_tokens` tokens, and the metric is whether the
        true answer is found in them; with choices it is accuracy. Raises ValueError with the row and the remedy if
        the data cannot be used.

        >>> films = [("good", "yes"), ("bad", "no")]
        >>> Task.from_examples("films", "Is it good?", films, [("fine", "yes")], choices=("no", "yes"))
        films: 2 training and 1 held-out cases, 2 choices
        """
        training, held_out = rows_of(train, "training"), rows_of(test, "held-out")
        for rows, where in ((training, f"{name}, training"), (held_out, f"{name}, held-out")):
            check_cells(rows, where)
            check_choices(rows, where, choices)
        if choices:
            where = f"{name}, training {span(training)}"
            check_outputs_differ(training, where, "Add examples of the other choices.")
        check_no_leak(training, held_out, name)
        return cls(
            name=name,
            prompt=Prompt(instruction, tuple(choices) if choices else None, max_new_tokens),
            train=Dataset.from_pandas(training, preserve_index=False),
            test=Dataset.from_pandas(held_out, preserve_index=False),
            metric=metric or (accuracy_score if choices else answer_found),
            documents=tuple(documents) if documents else None,
            source=source,
            licence=licence,
            group=group,
            wordings=tuple(wordings),
        )

    @classmethod
    def from_table(
        cls,
        table: str | PathLike[str] | pd.DataFrame | Dataset,
        input: str | None = None,
        output: str | None = None,
        instruction: str = "",
        choices: Sequence[str] | None = None,
        documents: Sequence[str] | None = None,
        metric: Metric | None = None,
        test_size: float = 0.5,
        seed: int = 0,
        most: int | None = None,
        words: int | None = None,
        group: str | None = None,
    ) -> "Task":
        """A task from a table with an input and an output column: a file, a pandas DataFrame or a datasets.Dataset.

        tables.py says which files it reads, and how it recognises the two columns if you do not name them. Spaces
        around a text are removed. Outputs that repeat are taken as choices (see `repeated_answers`). With `words`
        only the first words of each input are kept, or the last ones if it is negative; with `most` at most so many
        rows. `test_size` of the different inputs are held out; the same input is never in both parts, and neither are
        rows with the same entry in the column `group`, such as those of one customer. Rows and split are drawn by
        `seed`, evenly over the choices. Raises FileNotFoundError or ValueError with file, row and remedy.

        >>> Task.from_table(pd.DataFrame({"text": map(str, range(20)), "label": ["even", "odd"] * 10}))
        your data: 10 training and 10 held-out cases, 2 choices
        """
        check_most(most)
        where, cells = load_table(table)
        rows = choose_columns(cells, where, input, output, group)
        check_cells(rows, where)
        remedy = "Add rows with other answers, or pick another column: output=…"
        check_outputs_differ(rows, f"{where}, {span(rows)}", remedy)
        choices = repeated_answers(rows["output"]) if choices is None else [str(choice) for choice in choices]
        check_choices(rows, where, choices)

        sample = keep_words(sample_rows(rows, most, choices, seed), words)
        source = describe_rows(where, rows, sample, words)
        train, test = split_rows(sample, test_size, choices, seed, source)
        if choices:
            check_training_outputs(train, f"{where}, {span(sample)}")

        pairs = pairs_of(train), pairs_of(test)
        return cls.from_examples(
            Path(where).stem,
            instruction,
            *pairs,
            choices,
            documents,
            metric,
            source=source,
            group=group or "input",
        )
