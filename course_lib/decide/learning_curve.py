"""Would more examples help? Score by number of training examples, and what doubling them gained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from sklearn.base import clone

from .. import plots
from ..html import render
from ..intervals import Difference, difference, interval
from ..report import Report
from ..tasks.task import Task
from .rule import TUNED, capitalised


@dataclass(frozen=True)
class LearningCurve:
    """`table` by number of training examples (score, low, high); `gain` of all examples over half of them."""

    table: pd.DataFrame
    gain: Difference
    sentence: str

    def plot(self) -> plots.Picture:
        """The curve as a picture."""
        return plots.curve(self.table, "Score with more and more examples", "training examples (0: zero-shot)")

    def __repr__(self) -> str:
        return f"{self.table.to_string()}\n{self.sentence}"

    def _repr_html_(self) -> str:
        return render("learning_curve.html", picture=self.plot()._repr_html_(), sentence=self.sentence)


def learning_curve_of(report: Report) -> LearningCurve:
    """Fine-tune on half of the training examples and compare with the report's model, tuned on all: did doubling help?

    The half is drawn by the report's seed, evenly over the choices. Zero-shot, if the report has it, is the score
    without examples. Raises ValueError if the report has no fine-tuned model.
    """
    if TUNED not in report.approaches:
        raise ValueError(f"The report has no approach {TUNED!r}, so there is no learning curve. Compare with it first.")
    half = _half_of(report.task, report.seed)
    tuned = clone(report.approaches[TUNED]).fit(half["input"].tolist(), half["output"].tolist())
    predicted = {
        len(half): [str(answer) for answer in tuned.predict(list(report.task.test["input"]))],
        len(report.task.train): report.predictions_of(TUNED),
    }
    if "zero-shot" in report.table.index:
        predicted = {0: report.predictions_of("zero-shot"), **predicted}
    return curve_from_predictions(report.task, predicted, report.seed)


def _half_of(task: Task, seed: int) -> pd.DataFrame:
    """Half of the training examples, drawn by `seed`, evenly over the choices."""
    drawn = task.train.to_pandas().sample(frac=1, random_state=seed)
    if task.prompt.choices:
        return drawn.sort_values("output", kind="stable")[::2]
    return drawn[: -(-len(drawn) // 2)]


def curve_from_predictions(task: Task, predicted: Mapping[int, Sequence[str]], seed: int = 0) -> LearningCurve:
    """The curve, given the held-out predictions by number of training examples: the last two are half of them and all.

    >>> films = Task.from_examples("films", "", [("good", "yes"), ("bad", "no")], [("fine", "yes"), ("poor", "no")])
    >>> curve_from_predictions(films, {1: ["no", "no"], 2: ["yes", "no"]}).gain.mean
    0.5
    """
    truth = list(task.test["output"])
    rows = {}
    for count, answers in predicted.items():
        low, high = interval(task.metric, truth, answers, seed)
        rows[count] = {"score": task.metric(truth, answers), "low": low, "high": high}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("training examples")
    half, whole = ((f"fine-tuned on {count} examples", predicted[count]) for count in list(predicted)[-2:])
    gain = difference(task.metric, truth, whole, half, seed)
    return LearningCurve(table, gain, f"{capitalised(str(gain))} {_outlook(gain)}")


def _outlook(gain: Difference) -> str:
    if gain.low > 0:
        return "Another doubling will probably help too, but expect less of it: gains shrink as examples grow."
    if gain.high < 0:
        return "More of the same did not help: look for answers among them that contradict one another."
    return "So they do not show that more examples would help, nor that they would not."
