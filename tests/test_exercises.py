"""Each exercise, left blank, answered wrongly, and by its own solution."""

import pandas as pd
import pytest

from course_lib import FewShot, Task, ZeroShot, compare, progress
from course_lib.exercises import EXERCISES, exercise


@pytest.fixture(scope="module")
def reports():
    """Two reports with the names that lesson 01 gives them, from small tasks on the real model."""

    def small(name, pairs, right):
        task = Task.from_examples(name, "Answer.", train=[("What is 1 + 1?", "2")], test=pairs)
        report = compare(task, [ZeroShot(), FewShot(1)])
        table = report.table.rename(index={"few-shot": "fine-tuned"})
        table["score"] = right  # what an exercise computes with must not hang on a model's mood
        object.__setattr__(report, "table", table)
        return report

    pairs = [("What is the capital of France?", "Paris"), ("Which planet is red?", "Mars")]
    return small("pottery", pairs, [0.1, 0.6]), small("general", pairs, [0.5, 0.3])


WRONG = {
    "00-start-here/own-questions": ["Paris?", Task.from_examples("a", "b", [("c", "d")], [("e", "f")])],
    "01-why-fine-tune/price": [0.4, 250, "forty", float("nan")],
}


@pytest.mark.parametrize("key", EXERCISES)
def test_blank_wrong_and_right(key, reports):
    one = exercise(key)
    given = reports if key == "01-why-fine-tune/price" else ()
    assert one.check(..., *given).outcome == "Not attempted"
    assert one.check(None, *given).outcome == "Not attempted"
    assert progress.entries() == {}
    for wrong in WRONG[key]:
        verdict = one.check(wrong, *given)
        assert verdict.outcome == "Not yet", (wrong, verdict)
        assert len(verdict.detail) > 20
    names = {"Task": Task, "report": reports[0], "general": reports[1]}
    exec(one.solution().detail, names)
    assert one.check(names["answer"], *given).outcome == "Correct"
    lesson, _, name = key.partition("/")
    kept = progress.entries(f"{lesson}/exercise")[f"{lesson}/exercise/{name}"]
    assert [entry["right"] for entry in kept] == [False] * len(WRONG[key]) + [True]


@pytest.mark.parametrize("key", EXERCISES)
def test_hints_come_one_at_a_time(key):
    one = exercise(key)
    given = [one.hint() for _ in range(len(one.hints) + 1)]
    assert [hint.detail for hint in given] == [*one.hints, one.hints[-1]]
    assert len(one.hints) >= 2


def test_whatever_a_learner_passes_never_stops_the_notebook():
    class Stubborn:
        def __getattr__(self, name):
            raise RuntimeError("no")

    for odd in (Stubborn(), pd.DataFrame(), object(), [], "<script>alert(1)</script>"):
        for one in EXERCISES.values():
            verdict = one.check(odd, None, None)
            assert verdict.outcome == "Not yet"
            assert "<script>" not in verdict._repr_html_()
    with pytest.raises(ValueError, match="There is no exercise 'x'. There are: 00-start-here"):
        exercise("x")
