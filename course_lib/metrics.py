"""How good, and how sure: scores, their 95 % intervals, and the difference of two approaches on the same cases.

A metric is any function of (true answers, predicted answers) that returns one number from 0 to 1 and is larger where
the predictions are better; scikit-learn's accuracy, F1 and the like are such functions.
"""

import functools
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

Metric = Callable[[Sequence[str], Sequence[str]], float]
RESAMPLES = 2000


@functools.lru_cache(maxsize=100_000)
def _words(text: str) -> str:
    words = re.findall(r"\w+", text.casefold())
    return f" {' '.join(words)} "


def answer_found(y_true: Sequence[str], y_pred: Sequence[str]) -> float:
    """The share of predictions that contain the true answer, word for word, whatever else they say.

    Case and punctuation do not count. It is the usual accuracy of short-answer question answering, kind to a model
    that answers in a whole sentence.
    """
    return float(np.mean([_words(truth) in _words(answer) for truth, answer in zip(y_true, y_pred, strict=True)]))


@functools.lru_cache(maxsize=100_000)
def _entities(text: str) -> Counter:
    pairs = (part.partition("=") for part in text.split(";"))
    return Counter((name.strip().casefold(), kind.strip().upper()) for name, sign, kind in pairs if sign)


def entity_f1(y_true: Sequence[str], y_pred: Sequence[str]) -> float:
    """F1 of named entities, each written as in `Ada Lovelace = PER; London = LOC`.

    An entity counts if its kind and its whole name are right: Tjong Kim Sang and De Meulder 2003, CoNLL shared task.
    Precision and recall are over all sentences together; where there is nothing to find and nothing found, it is 1.
    """
    pairs = [(_entities(truth), _entities(answer)) for truth, answer in zip(y_true, y_pred, strict=True)]
    right = sum((truth & answer).total() for truth, answer in pairs)
    both = sum(truth.total() + answer.total() for truth, answer in pairs)
    return 2 * right / both if both else 1.0


def case_scores(metric: Metric, y_true: Sequence[str], y_pred: Sequence[str]) -> np.ndarray:
    """The metric of every case alone, shape (cases,)."""
    return np.array([metric([truth], [answer]) for truth, answer in zip(y_true, y_pred, strict=True)], dtype=float)


def interval(metric: Metric, y_true: Sequence[str], y_pred: Sequence[str], seed: int = 0) -> tuple[float, float]:
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
    """How often each of several was right: a row a name, with score, low and high (Wilson's 95 % interval)."""
    rows = {}
    for name, cases in right.items():
        low, high = _wilson(cases)
        rows[name] = {"score": float(np.mean(cases)), "low": low, "high": high}
    return pd.DataFrame.from_dict(rows, orient="index")


def mean_interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a mean: the percentile bootstrap over `values`."""
    cases = np.asarray(values, dtype=float)
    return _bootstrap(lambda rows: cases[rows].mean(), len(cases), seed)


def t_interval(runs: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean over a few runs, such as seeds: Student's t (1908)."""
    half = stats.t.ppf(0.975, len(runs) - 1) * stats.sem(runs)
    return float(np.mean(runs) - half), float(np.mean(runs) + half)


@dataclass(frozen=True)
class Difference:
    """How much better approach `a` scored than `b` on the same cases; its text says it in a sentence."""

    a: str
    b: str
    mean: float
    low: float
    high: float
    p_value: float
    cases: int

    def __str__(self) -> str:
        direction = "higher" if self.mean >= 0 else "lower"
        verdict = (
            f"these {self.cases} held-out cases do not tell the two apart"
            if self.low <= 0 <= self.high
            else "the interval excludes zero"
        )
        p = "p < 0.001" if self.p_value < 0.001 else f"p = {self.p_value:.3f}"
        return (
            f"{self.a} scores {abs(self.mean):.2f} {direction} than {self.b} "
            f"(95 % interval {self.low:+.2f} to {self.high:+.2f}, {p}): {verdict}."
        )

    __repr__ = __str__


def difference(
    metric: Metric,
    y_true: Sequence[str],
    a: tuple[str, Sequence[str]],
    b: tuple[str, Sequence[str]],
    seed: int = 0,
) -> Difference:
    """Compare two approaches, each (name, predictions), case by case.

    The interval is the percentile bootstrap over cases, both approaches resampled together (Efron and Tibshirani
    1993). The p-value is the exact McNemar test (1947) where every case is right or wrong: of the cases that only one
    of the two got right, is the split further from half and half than a fair coin's? Elsewhere it is the paired
    permutation test: how often is the difference as large if chance says, for each case, whose answer is whose?
    """
    truth, first, second = (np.array(values, dtype=object) for values in (y_true, a[1], b[1]))
    mean = metric(y_true, a[1]) - metric(y_true, b[1])
    gain = case_scores(metric, y_true, a[1]) - case_scores(metric, y_true, b[1])
    if np.isclose(gain.mean(), mean):  # the score is the mean over cases: what is known of each will do
        low, high = _bootstrap(lambda rows: gain[rows].mean(), len(truth), seed)
        p_value = _mcnemar(gain) if np.isin(gain, (-1, 0, 1)).all() else _permutation(gain, np.mean, seed)
    else:
        low, high = _bootstrap(
            lambda rows: metric(truth[rows], first[rows]) - metric(truth[rows], second[rows]), len(truth), seed
        )

        def exchanged(signs: np.ndarray) -> float:
            one, other = np.where(signs > 0, first, second), np.where(signs > 0, second, first)
            return metric(y_true, one.tolist()) - metric(y_true, other.tolist())

        p_value = _permutation(np.ones(len(truth)), exchanged, seed)
    return Difference(a[0], b[0], float(mean), low, high, float(p_value), len(truth))


def _mcnemar(gain: np.ndarray) -> float:
    decided = int(np.count_nonzero(gain))
    return stats.binomtest(int((gain > 0).sum()), decided).pvalue if decided else 1.0


def _permutation(values: np.ndarray, statistic: Callable, seed: int) -> float:
    """How often the statistic of `values` is as far from zero if each has its sign by chance."""
    rng = np.random.default_rng(seed)
    return stats.permutation_test(
        (values,), statistic, permutation_type="samples", n_resamples=RESAMPLES, rng=rng
    ).pvalue


def _wilson(right: Sequence[bool] | np.ndarray) -> tuple[float, float]:
    found = stats.binomtest(int(np.sum(right)), len(right)).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def _bootstrap(statistic: Callable[[np.ndarray], float], cases: int, seed: int) -> tuple[float, float]:
    if cases < 2:
        return -np.inf, np.inf  # one case says nothing of others
    found = stats.bootstrap(
        (np.arange(cases),),
        lambda rows: statistic(rows.astype(int)),
        vectorized=False,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)
