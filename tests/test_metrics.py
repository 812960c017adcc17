"""Scores, intervals and differences: against known values and by repetition."""

from itertools import product

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score

from course_lib.intervals import difference, interval
from course_lib.metrics import answer_found, entity_f1


def test_an_answer_is_found_as_whole_words():
    assert answer_found(["Paris"], ["It is PARIS, of course."]) == 1
    assert answer_found(["olive oil"], ["It held olive-oil."]) == 1
    assert answer_found(["art"], ["party"]) == 0
    assert answer_found(["a", "b"], ["a", "c"]) == 0.5


@pytest.mark.parametrize(("right", "low", "high"), [(0, 0.0, 0.2775), (5, 0.2366, 0.7634), (10, 0.7225, 1.0)])
def test_right_or_wrong_gets_wilsons_interval(right, low, high):
    truth = ["yes"] * 10
    answers = ["yes"] * right + ["no"] * (10 - right)
    assert interval(accuracy_score, truth, answers) == pytest.approx((low, high), abs=1e-4)


def test_other_metrics_get_the_bootstrap():
    rng = np.random.default_rng(0)
    truth = rng.choice(["a", "b"], 200)
    answers = np.where(rng.random(200) < 0.8, truth, "a")

    def macro_f1(y_true, y_pred):
        return f1_score(y_true, y_pred, average="macro")

    low, high = interval(macro_f1, truth, answers)
    assert low < macro_f1(truth, answers) < high
    assert 0.05 < high - low < 0.2


def test_the_interval_of_a_difference_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    truth = ["1"] * 100
    covered, widths = 0, []
    for _ in range(40):
        easy = rng.random(100)  # paired: what is easy for one is easy for the other
        a = np.where(easy + rng.normal(0, 0.2, 100) < 0.7, "1", "0")
        b = np.where(easy + rng.normal(0, 0.2, 100) < 0.5, "1", "0")
        found = difference(accuracy_score, truth, ("a", a), ("b", b))
        covered += found.low <= 0.193 <= found.high  # the true difference, from 10 million draws
        gain = (a == "1").astype(int) - (b == "1")
        widths.append((found.high - found.low) / (2 * 1.96 * gain.std() / 10))  # the normal curve's, of 100 cases
    assert covered >= 34
    assert np.mean(widths) == pytest.approx(1, abs=0.05)  # or it covers because it is too wide


def test_the_p_value_is_mcnemars_and_the_sentence_says_what_it_means():
    truth = ["1"] * 40
    a = ["1"] * 34 + ["0"] * 6
    b = ["1"] * 20 + ["0"] * 14 + ["1"] * 2 + ["0"] * 4
    found = difference(accuracy_score, truth, ("tuned", a), ("asked", b))
    assert found.p_value == pytest.approx(stats.binomtest(14, 16).pvalue)
    assert str(found).startswith("tuned scores 0.30 higher than asked (95 % interval +0.1")
    assert str(found).endswith("the interval excludes zero.")
    same = difference(accuracy_score, truth, ("a", a), ("b", a))
    assert (same.mean, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    assert "do not tell the two apart" in str(same)


def test_graded_scores_get_a_permutation_test():
    def closeness(y_true, y_pred):
        return float(np.mean([1 - abs(float(t) - float(p)) for t, p in zip(y_true, y_pred, strict=True)]))

    rng = np.random.default_rng(2)
    truth = rng.random(50)
    found = difference(closeness, truth, ("near", truth + 0.05), ("far", truth + rng.random(50)))
    assert found.low > 0
    assert found.p_value < 0.01


def test_an_entity_counts_if_its_whole_name_and_its_kind_are_right():
    truth = "Ada Lovelace = PER; London = LOC"
    assert entity_f1([truth], [truth]) == 1
    assert entity_f1([truth], ["london = LOC ; Ada = PER"]) == 0.5
    assert entity_f1([truth], ["Ada Lovelace = ORG; London = ORG"]) == 0
    assert entity_f1([truth, "none"], [truth, "Mars = LOC"]) == pytest.approx(0.8)  # precision 2/3, recall 1
    assert entity_f1(["none"], ["I see nobody."]) == 1


def test_an_entity_counts_once_per_sentence():
    truth = "Ada Lovelace = PER; London = LOC"
    assert entity_f1([truth], ["London = LOC; London = LOC; london = loc"]) == pytest.approx(2 / 3)  # precision 1
    assert entity_f1([truth], [f"{truth}; {truth}; {truth}"]) == 1
    assert entity_f1([f"{truth}; {truth}"], [truth]) == 1
    assert entity_f1([truth], ["Mars = LOC; Mars = LOC"]) == 0  # and a wrong one is wrong once:
    assert entity_f1([truth], [f"{truth}; Mars = LOC; Mars = LOC"]) == entity_f1([truth], [f"{truth}; Mars = LOC"])
    assert entity_f1([truth], [f"{truth}; London = ORG"]) == pytest.approx(0.8)  # of another kind it is another
    assert entity_f1([truth, truth], [f"{truth}; {truth}", "none"]) == pytest.approx(2 / 3)  # once in each sentence


def test_the_p_value_of_a_metric_over_all_cases_is_that_of_every_exchange():
    truth = ["Ada = PER; Rome = LOC; Reuters = ORG", "Oslo = LOC", "none", "Bach = PER; Lima = LOC", "EU = ORG"]
    a = ["Ada = PER; Rome = LOC; Reuters = ORG", "none", "none", "Bach = PER", "EU = LOC"]
    b = ["Ada = PER", "Oslo = LOC", "Rome = LOC", "none", "EU = ORG"]
    gains = []
    for exchange in product((False, True), repeat=len(truth)):
        both = zip(a, b, exchange, strict=True)
        one, other = zip(*((y, x) if swapped else (x, y) for x, y, swapped in both), strict=True)
        gains.append(entity_f1(truth, one) - entity_f1(truth, other))
    found = difference(entity_f1, truth, ("a", a), ("b", b))
    assert found.mean == gains[0]
    assert found.p_value == pytest.approx(np.mean(np.abs(gains) >= abs(gains[0]) - 1e-9))
    assert 0 < found.p_value < 1
