"""The rule from a comparison to a recommendation, and the sentences that give its reasons.

The rule is fixed before anything is measured. An approach has learned something if it clearly beats the majority class:
p < 0.05 over the number of approaches that are compared with it (Bonferroni's correction: the more one compares, the
easier one finds a difference by chance). Of those, the cheapest that the best one does not clearly beat is recommended.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, isfinite

import pandas as pd
from sklearn.base import BaseEstimator

from ..approaches import FewShot, FineTuned, Retrieval, ZeroShot
from ..baselines import majority_class, word_counts
from ..html import render
from ..intervals import Difference
from ..report import Report
from ..tasks.task import Task

MAJORITY, COUNTS, TUNED = "majority class", "word counts", "fine-tuned"
CHEAPEST_FIRST = (MAJORITY, COUNTS, "zero-shot", "few-shot", "retrieval", TUNED)


def candidates(task: Task) -> dict[str, BaseEstimator]:
    """Every approach that applies to a task, by name, the cheapest first: give them to `compare`.

    Word counts need choices, retrieval needs documents.
    """
    has_choices = bool(task.prompt.choices)
    return {
        MAJORITY: majority_class(),
        **({COUNTS: word_counts()} if has_choices else {}),
        "zero-shot": ZeroShot(),
        "few-shot": FewShot(8, calibrate=has_choices),
        **({"retrieval": Retrieval()} if task.documents else {}),
        TUNED: FineTuned(),
    }


@dataclass(frozen=True)
class Recommendation:
    """What a comparison recommends: `name` is that of an approach, or None; `sentences` give the reasons.

    `best` is the approach with the highest score of those that have learned something (of all, if none has).
    """

    name: str | None
    best: str
    sentences: list[str]

    def __repr__(self) -> str:
        return "\n".join(self.sentences)

    def _repr_html_(self) -> str:
        return render("recommendation.html", sentences=self.sentences)


def recommend(report: Report) -> Recommendation:
    """What a comparison recommends, by the rule at the top of this file.

    Raises ValueError if the report lacks the majority class or has nothing to compare with it.
    """
    scores = report.table["score"]
    if MAJORITY not in scores.index or len(scores) < 2:
        raise ValueError(
            f"A recommendation needs {MAJORITY!r} and at least one other approach in the report. Compare them: "
            f"compare(task, candidates(task))."
        )
    tried = sorted((name for name in scores.index if name != MAJORITY), key=_cost)
    gains = {name: report.difference(name, MAJORITY) for name in tried}
    learned = _that_learned(gains)
    best = scores[learned or tried].idxmax()  # of equals the first, so the cheapest
    if not learned:
        return Recommendation(None, best, _why_none(scores[MAJORITY], gains, best))
    name = next(name for name in learned if name == best or report.difference(best, name).low <= 0)
    sentences = [
        *_why(report, name, gains[name]),
        *([_undecided(report.difference(best, name))] if name != best else []),
        *_why_not_others(scores, tried, learned, name, best),
        *_cost_of_training(report.table.loc[name]),
    ]
    return Recommendation(name, best, sentences)


def _cost(name: str) -> int:
    return CHEAPEST_FIRST.index(name) if name in CHEAPEST_FIRST else len(CHEAPEST_FIRST)


def _level(approaches: int) -> float:
    return 0.05 / approaches


def _that_learned(gains: dict[str, Difference]) -> list[str]:
    """The approaches that clearly beat the majority class, given the gain of each over it."""
    return [name for name, gain in gains.items() if gain.mean > 0 and gain.p_value < _level(len(gains))]


def _why_none(majority_score: float, gains: dict[str, Difference], best: str) -> list[str]:
    return [
        f"Nothing was learned that these {gains[best].cases} held-out cases can show, so fine-tuning is not "
        f"recommended.",
        f"No approach is clearly better than the majority class, which scores {majority_score:.2f}. The nearest: "
        f"{gains[best]} With {len(gains)} approaches compared, p would have to be below {_level(len(gains)):.3f}.",
        "What to try: read twenty rows and ask whether you could give the same answers from the input alone. If not, "
        "correct the answers or add what the inputs lack. If so, add rows: more held-out cases show smaller gains.",
    ]


def _why(report: Report, name: str, gain: Difference) -> list[str]:
    row = report.table.loc[name]
    return [
        f"Recommended: {name}. It scores {row.score:.2f} (95 % interval {row.low:.2f} to {row.high:.2f}) on "
        f"{gain.cases} held-out cases.",
        capitalised(str(gain)),
    ]


def _undecided(gap: Difference) -> str:
    """Why the best approach (`gap.a`) is not recommended, but a cheaper one (`gap.b`)."""
    said = (
        f"Of all that are clearly better than the majority class, {gap.a} scored highest, {gap.mean:.2f} above {gap.b} "
        f"(95 % interval {gap.low:+.2f} to {gap.high:+.2f}), but {gap.conclusion}, and as a rule {gap.b} costs less."
    )
    if isfinite(gap.low):  # the width of an interval shrinks with the square root of the cases
        needed = 10 * ceil(gap.cases * ((gap.mean - gap.low) / gap.mean) ** 2 / 10)
        said += (
            f" If the gap is as large as that, about {needed:,} held-out cases would have an even chance to tell them "
            f"apart."
        )
    return said


def _why_not_others(scores: pd.Series, tried: list[str], learned: list[str], name: str, best: str) -> list[str]:
    """Why the approaches that are cheaper than the recommended one, or scored higher, are not recommended."""
    cheaper = tried[: tried.index(name)]
    groups = {
        "Cheaper, but not clearly better than the majority class": [one for one in cheaper if one not in learned],
        f"Cheaper, but {best} is clearly better": [one for one in cheaper if one in learned],
        "Scored higher, but is not clearly better than the majority class": [
            one for one in scores.index if one not in learned and scores[one] > scores[best]
        ],
    }
    return [f"{reason}: {_with_scores(scores, names)}." for reason, names in groups.items() if names]


def _with_scores(scores: pd.Series, names: Iterable[str]) -> str:
    return ", ".join(f"{name} ({scores[name]:.2f})" for name in names)


def _cost_of_training(row: pd.Series) -> list[str]:
    if not row.trained_parameters > 0:  # 0, or NaN
        return []
    return [
        f"Its cost: {row.fit_seconds:,.0f} seconds of training, {row.trained_parameters:,.0f} trained parameters to "
        f"keep, and training again whenever the task changes."
    ]


def capitalised(sentence: str) -> str:
    """The sentence with a capital letter at its beginning; the rest stays as it is."""
    return sentence[:1].upper() + sentence[1:]
