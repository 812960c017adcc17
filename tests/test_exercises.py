"""Each exercise, left blank, answered wrongly, and by its own solution."""

from math import nan

import pandas as pd
import pytest

from course_lib import Report, Task, prices
from course_lib.lessons import progress, style
from course_lib.lessons.catalogue import REFUSAL, outcomes
from course_lib.lessons.exercises import EXERCISES, exercise

# For each exercise a function that returns what its solution's code may name, what `check` is given beside the answer,
# and wrong answers.


def own_questions():
    return {"Task": Task}, (), ["Paris?", Task.from_examples("a", "b", [("c", "d")], [("e", "f")])]


def scores(**right):
    """A report that holds nothing but scores."""
    return Report(None, pd.DataFrame({"score": {name.replace("_", "-"): score for name, score in right.items()}}), None)


def price():
    report, general = scores(zero_shot=0.1, fine_tuned=0.6), scores(zero_shot=0.5, fine_tuned=0.3)
    return {"report": report, "general": general}, (report, general), [0.4, 250, "forty", float("nan")]


def leads():
    reports = {
        "sentiment": scores(zero_shot=0.6, few_shot=0.7, fine_tuned=0.8),
        "entities": scores(zero_shot=0.1, nearest_example=0.05, fine_tuned=0.4),
    }
    wrongs = [0.1, {"sentiment": 0.1}, {"sentiment": 0.2, "entities": 0.3}, {"sentiment": "much", "entities": 0.3}]
    return {"reports": reports}, (reports,), wrongs


def focus():
    rows = [("legal", 0.2), ("medical", 0.1), ("finance", 0.05), ("everyday", 0.01)]
    measured = pd.DataFrame(
        [(field, model, gain) for field, gain in rows for model in ("base", "legal", "medical", "finance")],
        columns=["field", "model", "gain"],
    )
    wrongs = [0.1, {"legal": 0.2}, {"legal": 0.19, "medical": 0.1, "finance": 0.05}]
    return {"measured": measured}, (measured,), wrongs


def said(approaches):
    """A report that holds nothing but what was said: (approach, true answer, prediction)."""
    predictions = pd.DataFrame(approaches, columns=["approach", "output", "prediction"])
    return Report(None, pd.DataFrame(index=predictions["approach"].unique()), predictions)


def broken():
    texts = [
        "Hello, tea friend. We're open. Come in. Warmly, Kettle & Kind.",
        "Hello, tea friend. We're open! So come in.",
    ]
    report = said([("zero-shot", "", text) for text in texts])
    return {"report": report, "pd": pd, "style": style}, (report,), ["Be kind.", next(iter(style.VOICE)), 6]


def fewer():
    names = ("tuned on facts", "tuned, with refusals")
    report = said(
        [(name, *pair) for name in names for pair in (("mint", "mint"), (REFUSAL, "rose"))]
        + [("tuned, with refusals", REFUSAL, "I don't know")]
    )
    return {"report": report, "outcomes": outcomes}, (report,), [0.4, -0.5, "half"]


def payback():
    single = pd.DataFrame({"read": [180.0, 40.0], "written": [1.0, 1.0]}, index=["long prompt", "fine-tuned"])
    return {"single": single, "prices": prices}, (single,), [0.5, 1000, "many"]


def enough():
    """Three tasks: few-shot does as well as fine-tuned at more tokens than zero-shot; none does; word counts do.

    There the nearest example is not clearly worse, but of two that cost no tokens the better one is to be taken.
    """
    reports = {}
    for name, right in {"form": (0, 0, 0, 10, 10), "facts": (1, 0, 0, 1, 10), "topics": (8, 10, 2, 9, 10)}.items():
        task = Task.from_examples(name, "Answer.", [("1 + 1?", "2")], [(f"{n} + 1?", str(n + 1)) for n in range(2, 12)])
        table = pd.DataFrame(
            {
                "tokens_per_request": [0, 0, 20, 90, 15],
                "trained_parameters": [nan, nan, 0, 0, 9],
                "score": [hits / 10 for hits in right],
            },
            index=["nearest example", "word counts", "zero-shot", "few-shot", "fine-tuned"],
        )
        rows = [
            (approach, truth, truth if place < hits else "no idea")
            for approach, hits in zip(table.index, right, strict=True)
            for place, truth in enumerate(task.test["output"])
        ]
        reports[name] = Report(task, table, pd.DataFrame(rows, columns=["approach", "output", "prediction"]))
    right = {"form": "few-shot", "facts": "fine-tuned", "topics": "word counts"}
    wrongs = ["few-shot", {"form": "few-shot"}, dict.fromkeys(right, 1), right | {"form": "fine-tuned"}]
    wrongs += [right | {"facts": "few-shot"}, right | {"topics": "nearest example"}]
    return {"reports": reports}, (reports,), wrongs


def ties():
    outputs = [str(case) for case in range(20)]
    task = Task.from_examples("numbers", "Say it.", [("one", "1")], [(f"case {case}", case) for case in outputs])
    right = {"majority class": 1, "few-shot": 17, "fine-tuned": 18}
    rows = [
        (name, truth, truth if place < hits else "no")
        for name, hits in right.items()
        for place, truth in enumerate(outputs)
    ]
    table = pd.DataFrame({"score": [hits / 20 for hits in right.values()]}, index=list(right))
    report = Report(task, table, pd.DataFrame(rows, columns=["approach", "output", "prediction"]))
    return {"report": report}, (report,), [0, 2, "few-shot"]


CASES = {
    "00-start-here/own-questions": own_questions,
    "01-why-fine-tune/price": price,
    "02-domain-specialization/focus": focus,
    "03-task-performance/leads": leads,
    "04-style-and-tone/broken": broken,
    "05-accuracy-and-hallucination/fewer": fewer,
    "06-cost-and-efficiency/payback": payback,
    "07-when-not-to-fine-tune/enough": enough,
    "08-choose-your-approach/ties": ties,
}


@pytest.mark.parametrize("key", EXERCISES)
def test_blank_wrong_and_right(key):
    one = exercise(key)
    names, given, wrongs = CASES[key]()
    assert one.check(..., *given).outcome == "Not attempted"
    assert one.check(None, *given).outcome == "Not attempted"
    assert progress.entries() == {}
    for wrong in wrongs:
        feedback = one.check(wrong, *given)
        assert feedback.outcome == "Not yet", (wrong, feedback)
        assert len(feedback.detail) > 20
    exec(one.solution().detail, names)
    assert one.check(names["answer"], *given).outcome == "Correct"
    lesson, _, name = key.partition("/")
    kept = progress.entries(f"{lesson}/exercise")[f"{lesson}/exercise/{name}"]
    assert [entry["right"] for entry in kept] == [False] * len(wrongs) + [True]


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

        __repr__ = __eq__ = __float__ = __getattr__

    for key, one in EXERCISES.items():
        _, given, _ = CASES[key]()
        for odd in (Stubborn(), pd.DataFrame(), object(), [], "<script>alert(1)</script>"):
            feedback = one.check(odd, *given)
            assert feedback.outcome == "Not yet"
            assert "<script>" not in feedback._repr_html_()
    with pytest.raises(ValueError, match="There is no exercise 'x'. There are: 00-start-here"):
        exercise("x")
