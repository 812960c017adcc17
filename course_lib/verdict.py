"""From a comparison to a recommendation: what to compare, what it says, and how far it can be trusted.

The rule is written down before anything is measured: an approach counts only if it beats the answer that is always
the same, and of those that the best one does not clearly beat the cheapest is recommended.
"""

from dataclasses import dataclass
from html import escape
from math import ceil, isfinite

import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from . import plots
from .approaches import Approach, FewShot, FineTuned, Retrieval, ZeroShot
from .costs import per_request
from .metrics import Difference, difference, interval
from .prompts import encode_answer
from .report import Report
from .tasks import Task

SAME, COUNTS, TUNED = "always the same", "word counts", "fine-tuned"
ORDER = (SAME, COUNTS, "zero-shot", "few-shot", "retrieval", TUNED)  # the cheapest first


def approaches_for(task: Task) -> dict[str, BaseEstimator]:
    """Every approach that applies to a task, by name, the cheapest first; ready for `compare`."""
    choices = bool(task.prompt.choices)
    # A sign is a word too, so that no input is without words.
    counts = make_pipeline(TfidfVectorizer(token_pattern=r"\w+|[^\w\s]"), LogisticRegression(C=10))
    return {
        SAME: DummyClassifier(strategy="most_frequent"),
        **({COUNTS: counts} if choices else {}),
        "zero-shot": ZeroShot(),
        "few-shot": FewShot(8, calibrate=choices),
        **({"retrieval": Retrieval()} if task.documents else {}),
        TUNED: FineTuned(),
    }


@dataclass(frozen=True)
class Decision:
    """What a comparison recommends: the name of an approach, or None; its text is the sentences that say why.

    `best` is the one that scored highest of those that clearly beat always the same answer (of all, where none does).
    """

    recommendation: str | None
    best: str
    sentences: list[str]

    def __repr__(self) -> str:
        return "\n".join(self.sentences)

    def _repr_html_(self) -> str:
        first, *rest = (escape(sentence) for sentence in self.sentences)
        return "".join([f"<p><strong>{first}</strong></p>", *(f"<p>{sentence}</p>" for sentence in rest)])


def verdict(report: Report) -> Decision:
    """What a comparison recommends, by the rule at the head of this file.

    To beat "always the same" means a p-value below 0.05 over the number of approaches that try (Bonferroni's
    correction: whoever compares five finds one by chance more easily). Raises ValueError where the report lacks it.
    """
    if SAME not in report.table.index or len(report.table) < 2:
        raise ValueError(
            f"To recommend something the report needs {SAME!r} and something to set beside it: "
            f"compare(task, approaches_for(task))."
        )
    cases = len(report.task.test)
    scores = report.table["score"]
    tried = sorted((name for name in scores.index if name != SAME), key=_cost)
    level = 0.05 / len(tried)
    gains = {name: report.difference(name, SAME) for name in tried}
    learned = [name for name, gain in gains.items() if gain.mean > 0 and gain.p_value < level]
    if not learned:
        best = scores[tried].idxmax()
        return Decision(
            None,
            best,
            [
                f"Nothing was learned that these {cases} held-out cases can show, so fine-tuning is not recommended.",
                f"No approach is clearly better than {SAME!r}, which scores {scores[SAME]:.2f}. The nearest: "
                f"{gains[best]} With {len(tried)} approaches compared, p would have to be below {level:.3f}.",
                "What to try: read twenty rows and ask whether you could give the same answers from the input alone. "
                "If not, mend the answers or give the input what is missing. If so, bring more rows: with more "
                "held-out cases a smaller gain shows.",
            ],
        )
    best = scores[learned].idxmax()  # the first, so the cheapest, of equals
    name = next(name for name in learned if name == best or report.difference(best, name).low <= 0)
    row = report.table.loc[name]
    sentences = [
        f"Recommended: {name}. It scores {row.score:.2f} (95 % interval {row.low:.2f} to {row.high:.2f}) on {cases} "
        f"held-out cases.",
        _capital(str(gains[name])),
    ]
    if name != best:
        sentences += [_not_told_apart(report.difference(best, name))]
    cheaper = tried[: tried.index(name)]
    if unproven := [f"{other} ({scores[other]:.2f})" for other in cheaper if other not in learned]:
        sentences += [f"Cheaper, but not clearly better than {SAME!r}: {', '.join(unproven)}."]
    if beaten := [f"{other} ({scores[other]:.2f})" for other in cheaper if other in learned]:
        sentences += [f"Cheaper, but {best} is clearly better: {', '.join(beaten)}."]
    higher = [other for other in scores.index if other not in learned and scores[other] > scores[best]]
    if higher:
        said = ", ".join(f"{other} ({scores[other]:.2f})" for other in higher)
        sentences += [f"Scored higher, but is not clearly better than {SAME!r}: {said}."]
    if row.trained_parameters > 0:
        sentences += [
            f"Its cost: {row.fit_seconds:,.0f} seconds of training, {row.trained_parameters:,.0f} trained parameters "
            f"to keep, and a training again whenever the task changes."
        ]
    return Decision(name, best, sentences)


def _cost(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)


def _not_told_apart(gap: Difference) -> str:
    said = (
        f"Of all that are clearly better than {SAME!r}, {gap.a} scored highest, {gap.mean:.2f} above {gap.b} (95 % "
        f"interval {gap.low:+.2f} to {gap.high:+.2f}), but these {gap.cases} held-out cases do not tell the two apart, "
        f"and as a rule {gap.b} costs less."
    )
    if isfinite(gap.low):  # an interval narrows with the square root of the cases
        needed = 10 * ceil(gap.cases * ((gap.mean - gap.low) / gap.mean) ** 2 / 10)
        said += (
            f" If the gap is as large as that, about {needed:,} held-out cases would have an even chance to tell them "
            f"apart."
        )
    return said


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


@dataclass(frozen=True)
class MoreExamples:
    """A learning curve: `table` by number of training examples (score, low, high); `gain`, all against half."""

    table: pd.DataFrame
    gain: Difference
    sentence: str

    def plot(self) -> plots.Picture:
        return plots.curve(self.table, "Score with more and more examples", "training examples (0: zero-shot)")

    def __repr__(self) -> str:
        return f"{self.table.to_string()}\n{self.sentence}"

    def _repr_html_(self) -> str:
        return f"{self.plot()._repr_html_()}<p>{escape(self.sentence)}</p>"


def more_examples(report: Report) -> MoreExamples:
    """Fine-tune on half of the training examples and set it beside the report's fine-tuned one: did doubling help?

    The half is drawn by the report's seed, evenly over the choices. Raises ValueError where the report has no
    fine-tuned model.
    """
    if TUNED not in report.approaches:
        raise ValueError(f"The report has no approach {TUNED!r} to set half of the examples beside.")
    task = report.task
    drawn = task.train.to_pandas().sample(frac=1, random_state=report.seed)
    half = drawn.sort_values("output", kind="stable")[::2] if task.prompt.choices else drawn[: -(-len(drawn) // 2)]
    tuned = clone(report.approaches[TUNED]).fit(half["input"].tolist(), half["output"].tolist())
    predicted = {
        0: _predicted(report, "zero-shot"),
        len(half): [str(answer) for answer in tuned.predict(list(task.test["input"]))],
        len(drawn): _predicted(report, TUNED),
    }
    return learning_curve(task, {count: answers for count, answers in predicted.items() if answers}, report.seed)


def learning_curve(task: Task, predicted: dict[int, list[str]], seed: int = 0) -> MoreExamples:
    """The curve from the held-out predictions by number of training examples, the last two half of them and all."""
    truth = list(task.test["output"])
    rows = {}
    for count, answers in predicted.items():
        low, high = interval(task.metric, truth, answers, seed)
        rows[count] = {"score": task.metric(truth, answers), "low": low, "high": high}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("training examples")
    half, most = list(predicted)[-2:]
    more, fewer = ((f"fine-tuned on {count} examples", predicted[count]) for count in (most, half))
    gain = difference(task.metric, truth, more, fewer, seed)
    if gain.low > 0:
        outlook = "Another doubling will probably help too, but expect less of it: gains shrink as examples grow."
    elif gain.high < 0:
        outlook = "More of the same did not help: look for answers among them that contradict one another."
    else:
        outlook = "So they do not show that more examples would help, nor that they would not."
    return MoreExamples(table, gain, f"{_capital(str(gain))} {outlook}")


def _predicted(report: Report, name: str) -> list[str]:
    return report.predictions.loc[report.predictions["approach"] == name, "prediction"].tolist()


def cost_per_1000(report: Report, price_read: float | None = None, price_written: float | None = None) -> pd.DataFrame:
    """What 1,000 requests cost: tokens, seconds of computing here and, given prices of a million tokens, money.

    Raises ValueError as check_prices.
    """
    check_prices(price_read, price_written)
    costs = pd.DataFrame(
        {"tokens": report.table["tokens_per_request"] * 1000, "seconds": report.table["ms_per_request"]}
    )
    if price_read is not None and price_written is not None:
        for name, approach in report.approaches.items():
            written = 0.0
            if isinstance(approach, Approach):
                answers = _predicted(report, name)
                written = sum(len(encode_answer(approach._model, answer)) for answer in answers) / len(answers) * 1000
            costs.loc[name, "price"] = per_request(
                costs.loc[name, "tokens"] - written, written, price_read, price_written
            )
    return costs


def check_prices(price_read: float | None, price_written: float | None) -> None:
    """Raises ValueError where only one of the two prices is given, or one is below 0."""
    if (price_read is None) != (price_written is None):
        raise ValueError("Give both prices, for a million tokens read and for a million written, or none.")
    if min(price_read or 0, price_written or 0) < 0:
        raise ValueError("A price is 0 or more.")


def failures(report: Report, name: str, most: int = 5) -> pd.DataFrame:
    """Up to `most` held-out cases that an approach got wrong, the worst first: input, expected and given.

    Cases are counted from 1, as in the exported CSV.
    """
    cases = report.predictions[report.predictions["approach"] == name]
    wrong = cases[cases["score"] < 1].sort_values("score", kind="stable").head(most)
    return wrong.set_index(wrong["case"] + 1)[["input", "output", "prediction"]].set_axis(
        ["input", "expected", "given"], axis=1
    )
