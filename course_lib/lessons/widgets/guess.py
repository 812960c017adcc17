"""Predict before you run: a guess is committed first, and afterwards shown beside what was measured."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ... import plots
from ...report import Report
from ..quizzes import Answer, as_number
from .card import Card


class Guess(Card):
    """A card that asks for a guess: a number, one of `options`, or with `order` the options from best to worst.

    `key` is `lesson/name`, such as "01-why-fine-tune/after". Where no guess was made (nobody at the keyboard),
    `reveal` says so and shows the measurement all the same.
    """

    def __init__(self, key: str, text: str, options: Sequence[str] = (), order: bool = False):
        lesson, _, name = key.partition("/")
        kind = "order" if order else "choice" if options else "number"
        self._question: dict[str, Any] = {"id": name, "kind": kind, "text": text, "options": list(options)}
        super().__init__(f"{lesson}/predict", [self._question], title="Predict", button="Commit")

    @property
    def value(self) -> float | str | list[str] | None:
        """The number, the option or the options in order that were committed; None before."""
        given = self.state.get(self._question["id"])
        return self._as_value(given["answer"]) if given and given["tries"] else None

    def reveal(self, report: Report | pd.DataFrame, approach: str | None = None) -> plots.Picture:
        """The guess beside the measurement, in one picture: a number is about `approach`, the rest about them all.

        A table in place of a report has the columns score, low and high.
        """
        table = report if isinstance(report, pd.DataFrame) else report.table
        return plots.guess_and_result(table, self.value, approach)

    def judge(self, id: str, answer: Answer) -> tuple[str, str]:
        value = self._as_value(answer)
        said = ", then ".join(value) if isinstance(value, list) else value
        return "", f"Your guess: {said}. Run the experiment, then compare."

    def summarise(self) -> str:
        return "A guess is committed." if self.value is not None else "No guess yet."

    def _as_value(self, answer: Answer) -> float | str | list[str]:
        options = self._question["options"]
        if self._question["kind"] == "number":
            number = as_number(answer)
            if not 0 <= number <= 1:
                raise ValueError(f"A share lies between 0 and 1: a half is 0.5, not {answer}.")
            return number
        if self._question["kind"] == "choice":
            return options[answer]
        if sorted(answer) != list(range(len(options))):
            raise ValueError("Give each place to a different one.")
        return [options[place] for place in answer]
