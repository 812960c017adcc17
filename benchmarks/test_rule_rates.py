"""How often the rule that recommends is wrong, and how often it finds what is better: 2,000 simulated comparisons each.

`make seeds` runs it, in some minutes. With `.venv/bin/pytest -s benchmarks/test_rule_rates.py` it prints both tables.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from test_rule import ALIKE, mistakes, places

REPEATS = 2000
CASES = (50, 100, 200, 400)
SAMPLING_ERROR = 2.6 * np.sqrt(0.05 * 0.95 / REPEATS)
HARDER = {  # what was found to mislead most, of many tried
    "eight equal the majority class": [0.5] * 9,
    "two tiers of many": [0.5] + [0.6] * 6 + [0.8] * 2,
    "pairs, far apart": [0.5, 0.5, 0.6, 0.6, 0.7, 0.7, 0.8, 0.8],
    "pairs, close": [0.5, 0.5, 0.54, 0.54, 0.58, 0.58, 0.62, 0.62],
    "two pairs": [0.5, 0.5, 0.56, 0.56, 0.62],
}


def show(name, shared, rates):
    print(f"{name:32} cases {'alike' if shared else 'independent':12}", *(f"{rate:7.1%}" for rate in rates))


@pytest.mark.parametrize("shared", [0, 0.6])
@pytest.mark.parametrize(("name", "truth"), (ALIKE | HARDER).items())
def test_at_most_one_in_twenty_recommends_what_is_no_better_than_something_cheaper(name, truth, shared):
    rates = [mistakes(truth, cases, shared, REPEATS) for cases in CASES]
    show(name, shared, rates)
    assert max(rates) <= 0.05 + SAMPLING_ERROR


@pytest.mark.parametrize("shared", [0, 0.6])
@pytest.mark.parametrize("tried", [1, 2, 4, 8])
def test_what_is_better_is_found_more_often_the_more_cases_there_are(tried, shared):
    for gap in (0.05, 0.1, 0.2):
        truth = [0.5] + [0.75] * (tried - 1) + [0.75 + gap] if tried > 1 else [0.5, 0.5 + gap]
        rates = [np.mean(places(truth, cases, shared, REPEATS) == tried) for cases in CASES]
        show(f"{tried} tried, the dearest {gap:+.2f}", shared, rates)
        assert rates == sorted(rates)
    assert rates[-1] > 0.98
