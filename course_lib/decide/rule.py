"""The rule from a comparison to a recommendation, and the sentences that give its reasons.

The rule is fixed before anything is measured. Of the approaches that are clearly better than every cheaper one, the
dearest is recommended. The majority class is the cheapest, and clearly better means p < 0.05, or p < 0.2 over the
number of other approaches if they are more than four: the more one compares, the easier one of them wins by luck.

In at most 5 % of samples it recommends an approach that is no better than a cheaper one: so it was in every simulation
of benchmarks/test_rule_rates.py.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.base import BaseEstimator

from ..approaches import FewShot, FineTuned, Retrieval, ZeroShot
from ..baselines import NearestExample, embeddings, majority_class, word_counts
from ..html import render
from ..intervals import Difference
from ..report import Report
from ..selection import choose
from ..tasks.task import Task

MAJORITY, COUNTS, TUNED = "majority class", "word counts", "fine-tuned"
CHEAPEST_FIRST = (
    MAJORITY,
    COUNTS,
    "nearest example",
    "embeddings",
    "zero-shot",
    "few-shot",
    "few-shot, nearest",
    "retrieval",
    TUNED,
)


def candidates(task: Task) -> dict[str, BaseEstimator]:
    """Every approach that applies to a task, by name, the cheapest first: give them to `compare`.

    Word counts and embeddings need choices, retrieval needs documents. Where the task has other wordings of its prompt,
    zero-shot uses the one that development cases choose.
    """
    has_choices = bool(task.prompt.choices)
    return {
        MAJORITY: majority_class(),
        **({COUNTS: word_counts()} if has_choices else {}),
        "nearest example": NearestExample(),
        **({"embeddings": embeddings()} if has_choices else {}),
        "zero-shot": choose(ZeroShot(), task) if task.wordings else ZeroShot(),
        "few-shot": FewShot(8),
        "few-shot, nearest": FewShot(8, nearest=True),
        **({"retrieval": Retrieval(search_by="embeddings")} if task.documents else {}),
        TUNED: FineTuned(),
    }


@dataclass(frozen=True)
class Recommendation:
    """What a comparison recommends: `name` is that of an approach, or None; `sentences` give the reasons.

    `best` is the approach with the highest score, the majority class left out; of equals the cheapest.
    """

    name: str | None
    best: str
    sentences: list[str]

    def __repr__(self) -> str:
        return "\n".join(self.sentences)

    def _repr_html_(self) -> str:
        return render("recommendation.html", sentences=self.sentences)


def p_limit(tried: int) -> float:
    """Below which p one approach is clearly better than another, if so many were tried beside the majority class.

    It corrects for the number of tries, but four times less than Bonferroni's 0.05 / tried. Half of p is for the wrong
    direction. And an approach wins by luck alone only over an equal that is cheaper: where all come in pairs, that is
    every second one.
    """
    return min(0.05, 0.2 / tried)


def dearest_that_pays(cheapest_first: Sequence[str], is_clearly_better: Callable[[str, str], bool]) -> str:
    """The dearest approach that is clearly better than every cheaper one; the cheapest of all if there is none."""
    return next(
        name
        for place, name in reversed(list(enumerate(cheapest_first)))
        if all(is_clearly_better(name, cheaper) for cheaper in cheapest_first[:place])
    )


def recommend(report: Report) -> Recommendation:
    """What a comparison recommends, by the rule at the top of this file.

    Raises ValueError if the report lacks the majority class or has nothing to compare with it.
    """
    names = report.table.index
    if MAJORITY not in names or len(names) < 2:
        raise ValueError(
            f"A recommendation needs {MAJORITY!r} and at least one other approach in the report. Compare them: "
            f"compare(task, candidates(task))."
        )
    found = _Findings(report)
    name = dearest_that_pays(found.names, found.is_clearly_better)
    best = found.highest(found.names[1:])
    if name == MAJORITY:
        return Recommendation(None, best, _why_none(found, best))
    sentences = [
        *_why(found, name, best),
        *_why_not_the_best(found, name, best),
        *_cost_of_training(report.table.loc[name]),
    ]
    return Recommendation(name, best, sentences)


class _Findings:
    """A report as the rule reads it: the names by cost, and which approach is clearly better than which."""

    def __init__(self, report: Report):
        self.report = report
        self.scores = report.table["score"]
        self.names = sorted(self.scores.index, key=_cost)
        self.cases = len(report.task.test)
        self.limit = p_limit(len(self.names) - 1)
        self.bar = f"With {len(self.names) - 1} approaches tried, p would have to be below {self.limit:.2g}."
        self.difference = cache(report.difference)

    def is_clearly_better(self, a: str, b: str) -> bool:
        return bool(self.scores[a] > self.scores[b]) and self.difference(a, b).p_value < self.limit

    def cheaper(self, name: str) -> list[str]:
        return self.names[: self.names.index(name)]

    def dearer(self, name: str) -> list[str]:
        return self.names[self.names.index(name) + 1 :]

    def highest(self, names: list[str]) -> str:
        """The name with the highest score; of equals the cheapest."""
        return str(self.scores[names].idxmax())

    def with_scores(self, names: Iterable[str]) -> str:
        return ", ".join(f"{name} ({self.scores[name]:.2f})" for name in names)


def _cost(name: str) -> int:
    return CHEAPEST_FIRST.index(name) if name in CHEAPEST_FIRST else len(CHEAPEST_FIRST)


def _why(found: _Findings, name: str, best: str) -> list[str]:
    """Why this approach is recommended and not one of the others (`best` has sentences of its own)."""
    row = found.report.table.loc[name]
    dearer = found.dearer(name)
    better = [one for one in dearer if found.is_clearly_better(one, name)]
    groups = {
        f"Cheaper, but {name} is clearly better": found.cheaper(name)[1:],
        f"Dearer, and not clearly better than {name}": [one for one in dearer if one not in (*better, best)],
        f"Clearly better than {name}, but not than every approach that costs less": better,
    }
    return [
        f"Recommended: {name}. It scores {row.score:.2f} (95 % interval {row.low:.2f} to {row.high:.2f}) on "
        f"{found.cases} held-out cases.",
        capitalised(str(found.difference(name, MAJORITY))),
        *(f"{reason}: {found.with_scores(members)}." for reason, members in groups.items() if members),
    ]


def _why_none(found: _Findings, best: str) -> list[str]:
    """Why no approach is recommended."""
    learned = [name for name in found.names if found.is_clearly_better(name, MAJORITY)]
    if learned:
        return [
            f"Something was learned, but these {found.cases} held-out cases do not show the cheapest way to learn it, "
            f"so nothing is recommended.",
            f"Clearly better than the majority class, but not than every approach that costs less: "
            f"{found.with_scores(learned)}.",
            *_why_not_the_best(found, MAJORITY, best),
            "What to try: hold out more cases and compare again.",
        ]
    gain = found.difference(best, MAJORITY)
    return [
        f"Nothing was learned that these {found.cases} held-out cases can show, so fine-tuning is not recommended.",
        f"No approach is clearly better than the majority class, which scores {found.scores[MAJORITY]:.2f}. The "
        f"nearest: {gain} {found.bar}",
        *_what_cases_show(found, gain),
        "What to try: read twenty rows and ask whether you could give the same answers from the input alone. If not, "
        "correct the answers or add what the inputs lack. If so, add rows: more held-out cases show smaller gains.",
    ]


def _why_not_the_best(found: _Findings, name: str, best: str) -> list[str]:
    """Why the approach with the highest score is not recommended but `name`, and what these cases could have shown."""
    if name == best:
        dearer = found.dearer(name)
        return _what_cases_show(found, found.difference(found.highest(dearer), name)) if dearer else []
    rivals = [one for one in found.cheaper(best) if not found.is_clearly_better(best, one)]
    rival = name if name in rivals else found.highest(rivals)
    gap = found.difference(best, rival)
    return [
        f"{capitalised(best)} scored highest, but it is not clearly better than {rival}, which as a rule costs less. "
        f"{capitalised(str(gap))} {found.bar}",
        *_what_cases_show(found, gap),
    ]


def _what_cases_show(found: _Findings, gap: Difference) -> list[str]:
    """Which gap so many cases show in 80 % of samples, and how many cases it takes for a gap as large as this one.

    By the normal approximation, from the mean square of the gain per case: where each case is right or wrong, that is
    the share of cases which only one of the two got right. It is taken from the interval, so any metric will do.
    """
    square = gap.cases * ((gap.high - gap.low) / 2 / stats.norm.ppf(0.975)) ** 2 + gap.mean**2
    if not 0 < square <= 1:  # the same answers, or one case
        return []
    z = stats.norm.isf(found.limit / 2) + stats.norm.ppf(0.8)
    shown = z * np.sqrt(square / gap.cases)
    scores = [found.report.cases_of(name)["score"].to_numpy() for name in (gap.a, gap.b)]
    differing = int((scores[0] != scores[1]).sum())
    if shown > differing / gap.cases:
        said = f"{capitalised(gap.a)} and {gap.b} differ in {differing} of {gap.cases} held-out cases: too few to tell."
    else:
        said = (
            f"{gap.cases} held-out cases show a gap of about {shown:.2f} or more in at least 80 % of samples, "
            f"between two approaches that differ as much as {gap.a} and {gap.b}."
        )
    if gap.mean > 0:
        needed = 10 * ceil(square * (z / gap.mean) ** 2 / 10)
        said += f" About {needed:,} cases would show a gap as large as this one in 80 % of samples."
    return [said]


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
