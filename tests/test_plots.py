"""Every picture says in words what it shows: for a screen reader, that is the picture."""

from math import inf

import pandas as pd
import pytest

from course_lib import plots

SCORES = pd.DataFrame(
    {"score": [0.25, 0.75], "low": [0.1, 0.6], "high": [0.4, 0.85]}, index=["zero-shot", "fine-tuned"]
)
SHARES = pd.DataFrame(
    {"correct": [0.5, 0.0], "abstained": [0.0, 1.0], "invented": [0.5, 0.0]},
    index=pd.MultiIndex.from_product([["asked"], ["known", "unknown"]]),
)
FIELDS = pd.DataFrame([[1.2, 1.0], [1.5, 1.6]], index=["legal", "everyday"], columns=["base", "reader"])


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (
            plots.scores(SCORES, "Two"),
            "Two. Scores with 95 % intervals: zero-shot 0.25 (0.10 to 0.40); fine-tuned 0.75",
        ),
        (plots.heatmap(FIELDS, "Surprise", "bits", {"legal": "reader"}), "bits. legal: base 1.20, reader 1.00; everyd"),
        (plots.side_by_side({"one": SCORES}, "Tasks"), "Tasks. one: zero-shot 0.25; fine-tuned 0.75."),
        (
            plots.price_of_quality(SCORES, pd.Series({"zero-shot": 80, "fine-tuned": 40}), "Price"),
            "zero-shot 80 tokens",
        ),
        (
            plots.break_even(2, 1, 100, 100.0),
            "Training pays for itself after 100.0 days. The prompt costs 2.00 per day",
        ),
        (plots.break_even(1, 2, 100, inf), "Training never pays."),
        (plots.curve(SCORES.set_axis([0, 30]), "Noise", "per cent"), "By per cent: 0: 0.25 (0.10 to 0.40), 30: 0.75"),
        (
            plots.outcomes(SHARES, "Tea"),
            "known items, asked: correct 0.50, invented 0.50; unknown items, asked: abstai",
        ),
        (plots.guess_and_result(SCORES, None), "You made no prediction."),
        (
            plots.guess_and_result(SCORES, 0.7, "fine-tuned"),
            "measured 0.75, your guess inside its interval. Predicted and measured",
        ),
        (plots.guess_and_result(SCORES, 0.2, "fine-tuned"), "your guess outside its interval."),
        (
            plots.guess_and_result(SCORES, "zero-shot"),
            "You predicted zero-shot as the best; fine-tuned scored highest.",
        ),
        (
            plots.guess_and_result(SCORES, ["zero-shot", "fine-tuned"]),
            "zero-shot, then fine-tuned; measured fine-tuned, then zero",
        ),
        (
            plots.loss_curve([4.0, 2.0, 1.0, 1.0], epochs=2),
            "over 4 steps. Mean of each epoch: 3.00, 1.00 nats per token.",
        ),
    ],
)
def test_a_picture_is_described(picture, said):
    assert said in str(picture)
    assert f'alt="{picture.description}"' in picture._repr_html_()
    assert picture.png().startswith(b"\x89PNG")


def test_layers_that_moved_are_told_from_those_that_did_not():
    changes = pd.DataFrame({"q_proj": [0.0, 0.01, 0.02], "up_proj": [0.0, 0.03, 0.04]})
    said = str(plots.weight_changes(changes))
    assert "Layers 1 to 2 moved, by 2.0 to 3.0 % of their size on average" in said
    assert "The matrix that moved most is up_proj, by up to 4.0 %." in said
