"""How often the rule that recommends is wrong, and what it finds: simulated, without a model.

The long version, with all numbers, is benchmarks/test_rule_rates.py.
"""

from functools import cache

import numpy as np
import pytest
from scipy import stats

from course_lib.decide.rule import dearest_that_pays, p_limit

REPEATS = 300
SAMPLING_ERROR = 2.6 * np.sqrt(0.05 * 0.95 / REPEATS)
ALIKE = {  # the true scores, the cheapest first: the majority class, then what was tried
    "all equal the majority class": [0.5] * 5,
    "four equal": [0.5] + [0.75] * 4,
    "eight equal": [0.5] + [0.75] * 8,
    "two tiers": [0.5, 0.6, 0.6, 0.8, 0.8],
    "the dearer, the worse": [0.5, 0.75, 0.74, 0.7, 0.75],
}


@cache
def mcnemar(ahead, behind):
    return float(stats.binomtest(ahead, ahead + behind).pvalue) if ahead + behind else 1.0


def exact_p(gains):
    return mcnemar(int((gains > 0).sum()), int((gains < 0).sum()))


def normal_p(gains):
    """Near the p-value of the permutation test, and quick."""
    return float(2 * stats.norm.sf(abs(gains.sum()) / np.sqrt((gains**2).sum())))


def recommended(scores, p_value=exact_p):
    """The place of what the rule recommends, given scores of shape (approaches, cases), the cheapest first."""
    limit = p_limit(len(scores) - 1)
    means = scores.mean(axis=1)
    return dearest_that_pays(
        range(len(scores)), lambda a, b: means[a] > means[b] and p_value(scores[a] - scores[b]) < limit
    )


def right_or_wrong(rng, truth, cases, shared):
    """Who is right in which case. `shared`: how far a case is easy or hard for all alike, but the majority class."""
    own = rng.standard_normal((len(truth), cases))
    luck = np.sqrt(shared) * rng.standard_normal(cases) + np.sqrt(1 - shared) * own
    luck[0] = own[0]
    return (luck < stats.norm.ppf(truth)[:, None]).astype(int)


def places(truth, cases, shared, repeats=REPEATS):
    """What the rule recommends in each of many simulated comparisons."""
    rng = np.random.default_rng(0)
    return np.array([recommended(right_or_wrong(rng, truth, cases, shared)) for _ in range(repeats)])


def is_mistake(truth, place):
    return place > 0 and max(truth[:place]) >= truth[place]


def mistakes(truth, cases, shared, repeats=REPEATS):
    """How often an approach is recommended that is no better than a cheaper one."""
    return np.mean([is_mistake(truth, place) for place in places(truth, cases, shared, repeats)])


@pytest.mark.parametrize("shared", [0, 0.6])
@pytest.mark.parametrize("truth", ALIKE.values(), ids=ALIKE)
def test_a_dearer_approach_that_is_no_better_is_rarely_recommended(truth, shared):
    assert mistakes(truth, 50, shared) <= 0.05 + SAMPLING_ERROR
    assert mistakes(truth, 200, shared) <= 0.05 + SAMPLING_ERROR


def test_no_more_often_where_a_case_is_neither_right_nor_wrong():
    rng = np.random.default_rng(0)
    drawn = [recommended(rng.beta(2, 1, (6, 80)), normal_p) for _ in range(REPEATS)]
    assert np.mean([place > 1 for place in drawn]) <= 0.05 + SAMPLING_ERROR


def test_what_is_much_better_is_found_and_what_is_little_better_needs_more_cases():
    base = [0.5, 0.75, 0.75, 0.75]
    assert np.mean(places([*base, 0.95], 100, 0) == 4) > 0.85
    assert np.mean(places([*base, 0.85], 100, 0) == 4) < 0.25
    assert np.mean(places([*base, 0.85], 400, 0) == 4) > 0.75


def test_in_doubt_the_cheaper_one():
    better = {("b", "a"), ("c", "a"), ("d", "a"), ("d", "b")}  # c is not told apart from b, d not from c
    assert dearest_that_pays("abcd", lambda one, other: (one, other) in better) == "b"
    assert dearest_that_pays("abcd", lambda one, other: (one, other) in better | {("d", "c")}) == "d"
    assert (
        dearest_that_pays("abcd", lambda one, other: one > "b" > other) == "a"
    )  # d beats the majority class, but not b


def test_more_tries_need_stronger_evidence_from_the_fifth_on():
    assert [p_limit(tried) for tried in (1, 4, 5, 8)] == pytest.approx([0.05, 0.05, 0.04, 0.025])
