"""How sure: 95 % intervals of scores, and the difference of two approaches on the same cases, in a sentence."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from .metrics import Answers, Metric, case_scores

RESAMPLES = 2000


def interval(metric: Metric, y_true: Answers, y_pred: Answers, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a score, for other held-out cases of the same kind.

    Where every case is right or wrong it is Wilson's (1927), which stays honest at 0 and 1: none wrong out of 40 does
    not mean that none ever will be. Otherwise it is the percentile bootstrap over cases.
    """
    cases = case_scores(metric, y_true, y_pred)
    if np.isin(cases, (0, 1)).all() and np.isclose(cases.mean(), metric(y_true, y_pred)):
        return _wilson(cases)
    truth, answers = np.array(y_true, dtype=object), np.array(y_pred, dtype=object)
    return _bootstrap(lambda rows: metric(truth[rows], answers[rows]), len(truth), seed)


def accuracy_table(right: Mapping[str, Sequence[bool]]) -> pd.DataFrame:
    """How often each of several was right: a row per name, with score, low and high (Wilson's 95 % interval)."""
    rows = {}
    for name, cases in right.items():
        low, high = _wilson(cases)
        rows[name] = {"score": float(np.mean(cases)), "low": low, "high": high}
    return pd.DataFrame.from_dict(rows, orient="index")


def mean_interval(values: Sequence[float] | np.ndarray, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a mean: the percentile bootstrap over `values`."""
    return _bootstrap_of_mean(np.asarray(values, dtype=float), seed)


def t_interval(runs: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean over a few runs, such as seeds: Student's t (1908)."""
    half = stats.t.ppf(0.975, len(runs) - 1) * stats.sem(runs)
    return float(np.mean(runs) - half), float(np.mean(runs) + half)


@dataclass(frozen=True)
class Difference:
    """How much better approach `a` scored than `b` on the same cases; as text it is a sentence."""

    a: str
    b: str
    mean: float
    low: float
    high: float
    p_value: float
    cases: int

    @property
    def is_undecided(self) -> bool:
        """Whether the interval includes zero: these cases do not tell the two apart."""
        return self.low <= 0 <= self.high

    @property
    def conclusion(self) -> str:
        """What the interval allows one to say, as a clause."""
        if self.is_undecided:
            return f"these {self.cases} held-out cases do not tell the two apart"
        return "the interval excludes zero"

    def __str__(self) -> str:
        direction = "higher" if self.mean >= 0 else "lower"
        p = "p < 0.001" if self.p_value < 0.001 else f"p = {self.p_value:.3f}"
        return (
            f"{self.a} scores {abs(self.mean):.2f} {direction} than {self.b} "
            f"(95 % interval {self.low:+.2f} to {self.high:+.2f}, {p}): {self.conclusion}."
        )

    __repr__ = __str__


def difference(
    metric: Metric,
    y_true: Answers,
    a: tuple[str, Answers],
    b: tuple[str, Answers],
    seed: int = 0,
) -> Difference:
    """Compare two approaches, each (name, predictions), case by case.

    The interval is the percentile bootstrap over cases, both approaches resampled together (Efron and Tibshirani
    1993). The p-value is the exact McNemar test (1947) where every case is right or wrong: of the cases that only one
    of the two got right, is the split further from half and half than that of a fair coin? Elsewhere it is the paired
    permutation test: if for each case chance decides whose answer is whose, how often is the difference as large?
    """
    truth, first, second = (np.array(values, dtype=object) for values in (y_true, a[1], b[1]))
    mean = float(metric(y_true, first) - metric(y_true, second))
    gains = case_scores(metric, y_true, first) - case_scores(metric, y_true, second)
    if np.isclose(gains.mean(), mean):  # the score is the mean over cases, so the gain of each case is enough
        low, high, p_value = _of_gains(gains, seed)
    else:
        low, high, p_value = _of_all_cases(metric, truth, first, second, seed)
    return Difference(a[0], b[0], mean, low, high, p_value, len(truth))


def _of_gains(gains: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Interval and p-value of a mean of gains, shape (cases,)."""
    low, high = _bootstrap_of_mean(gains, seed)
    is_right_or_wrong = np.isin(gains, (-1, 0, 1)).all()
    return low, high, _mcnemar(gains) if is_right_or_wrong else _permutation(gains, np.mean, seed)


def _of_all_cases(
    metric: Metric, truth: np.ndarray, first: np.ndarray, second: np.ndarray, seed: int
) -> tuple[float, float, float]:
    """Interval and p-value of a difference that can only be computed over all cases together, such as F1's."""

    def exchanged(signs: np.ndarray) -> float:
        one, other = np.where(signs > 0, first, second), np.where(signs > 0, second, first)
        return metric(truth, one) - metric(truth, other)

    low, high = _bootstrap(
        lambda rows: metric(truth[rows], first[rows]) - metric(truth[rows], second[rows]), len(truth), seed
    )
    return low, high, _permutation(np.ones(len(truth)), exchanged, seed)


def _mcnemar(gains: np.ndarray) -> float:
    decided = int(np.count_nonzero(gains))
    return float(stats.binomtest(int((gains > 0).sum()), decided).pvalue) if decided else 1.0


def _permutation(values: np.ndarray, statistic: Callable, seed: int) -> float:
    """How often the statistic of `values` is as far from zero if each has its sign by chance."""
    rng = np.random.default_rng(seed)
    found = stats.permutation_test((values,), statistic, permutation_type="samples", n_resamples=RESAMPLES, rng=rng)
    return float(found.pvalue)


def _wilson(right: Sequence[bool] | np.ndarray) -> tuple[float, float]:
    found = stats.binomtest(int(np.sum(right)), len(right)).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def _bootstrap_of_mean(values: np.ndarray, seed: int) -> tuple[float, float]:
    """What `_bootstrap` gives for a mean, a hundred times as fast: all resamples at once."""
    if len(values) < 2:
        return -np.inf, np.inf
    found = stats.bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(seed)
    ).confidence_interval
    return float(found.low), float(found.high)


def _bootstrap(statistic: Callable[[np.ndarray], float], cases: int, seed: int) -> tuple[float, float]:
    if cases < 2:
        return -np.inf, np.inf  # one case says nothing about others
    found = stats.bootstrap(
        (np.arange(cases),),
        lambda rows: statistic(rows.astype(int)),
        vectorized=False,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)
