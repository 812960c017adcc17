"""Predict before you run: a guess is committed first, and afterwards set beside what was measured."""

from collections.abc import Sequence

import pandas as pd

from .. import plots
from ..report import Report
from .card import Answer, Card, as_number


def predict(key: str, text: str, options: Sequence[str] = (), order: bool = False) -> "Prediction":
    """A card that asks for a guess: a number, one of `options`, or with `order` the options from best to worst.

    `key` is `lesson/name`, such as "01-why-fine-tune/after".
    """
    lesson, _, name = key.partition("/")
    kind = "order" if order else "choice" if options else "number"
    return Prediction(lesson, {"id": name, "kind": kind, "text": text, "options": list(options)})


class Prediction(Card):
    """One guess. Without one (nobody at the keyboard), `reveal` says so and shows the measurement all the same."""

    def __init__(self, lesson: str, question: dict):
        self._question = question
        super().__init__(f"{lesson}/predict", [question], title="Predict", button="Commit")

    @property
    def guess(self) -> float | str | list[str] | None:
        """The number, the option or the options in order that were committed; None before."""
        given = self.state.get(self._question["id"])
        return self._value(given["answer"]) if given and given["tries"] else None

    def reveal(self, report: Report | pd.DataFrame, approach: str | None = None) -> plots.Picture:
        """The guess beside the measurement, in one picture: a number is about `approach`, the rest about them all.

        A table in place of a report has its columns score, low and high.
        """
        return plots.guess(getattr(report, "table", report), self.guess, approach)

    def judge(self, id: str, answer: Answer) -> tuple[str, str]:
        value = self._value(answer)
        said = ", then ".join(value) if isinstance(value, list) else value
        return "", f"Your guess: {said}. Run the experiment, then see."

    def summarise(self) -> str:
        return "A guess is committed." if self.guess is not None else "No guess yet."

    def _value(self, answer: Answer) -> float | str | list[str]:
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
