"""The decision guide: it agrees with the source, contradicts nothing that the lessons showed, and says why."""

import itertools
import random

import pytest

from course_lib.lessons import guide, progress
from course_lib.lessons.guide import Advice, Reason, advise, questions
from course_lib.lessons.places import notebooks_folder
from course_lib.lessons.widgets import DecisionGuide

LESSONS = {path.stem for path in notebooks_folder().glob("*.ipynb")}
EXAMPLES = ["none", "few", "hundred", "hundreds"]  # from fewer to more
TUNED = {"fine-tuned", "retrieval with a tuned model"}
PLAIN = {
    "special": "ordinary",
    "missing": "nothing",
    "examples": "none",
    "changes": "hardly",
    "volume": "medium",
    "room": "long",
    "stake": "little",
    "simpler": "no",
}


IDS = [question["id"] for question in questions()]


@pytest.fixture(scope="module")
def everything():
    """The recommendation to every combination of answers, by the options in the order of the questions."""
    known = guide._guide()
    combinations = itertools.product(*(question["options"] for question in known["questions"]))
    return {options: guide._best(known, dict(zip(IDS, options, strict=True))) for options in combinations}


def to(everything, id, *options):
    return {best for given, best in everything.items() if given[IDS.index(id)] in options}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        # What the source calls key scenarios for fine-tuning.
        pytest.param(
            {"special": "field", "missing": "skill", "examples": "hundreds", "stake": "much"},
            "fine-tuned",
            id="legal documents",
        ),
        pytest.param(
            {"special": "field", "missing": "skill", "examples": "hundred", "stake": "private"},
            "fine-tuned",
            id="medical research",
        ),
        pytest.param(
            {"special": "field", "missing": "form", "examples": "hundreds", "stake": "much"},
            "fine-tuned",
            id="financial reports",
        ),
        pytest.param({"missing": "skill", "examples": "hundred", "volume": "high"}, "fine-tuned", id="sentiment"),
        pytest.param({"special": "some", "missing": "skill", "examples": "hundred"}, "fine-tuned", id="named entities"),
        pytest.param(
            {"special": "some", "missing": "knowledge", "examples": "hundreds"}, "fine-tuned", id="a knowledge base"
        ),
        pytest.param(
            {"special": "field", "missing": "skill", "examples": "hundreds"}, "fine-tuned", id="code in one language"
        ),
        pytest.param({"missing": "form", "examples": "hundred"}, "fine-tuned", id="style and tone"),
        pytest.param(
            {"missing": "form", "examples": "hundreds", "volume": "high", "stake": "much"},
            "fine-tuned",
            id="brand voice",
        ),
        pytest.param(
            {"special": "field", "missing": "knowledge", "examples": "hundreds", "stake": "much"},
            "retrieval with a tuned model",
            id="accuracy with curated data",
        ),
        pytest.param(
            {"special": "some", "missing": "form", "examples": "hundreds", "volume": "high", "room": "short"},
            "fine-tuned",
            id="high volume",
        ),
        # When not to fine-tune.
        pytest.param({}, "zero-shot", id="general and done adequately"),
        pytest.param(
            {"examples": "hundreds", "volume": "high", "room": "short"}, "zero-shot", id="adequate, many requests"
        ),
        pytest.param({"missing": "form", "examples": "few"}, "few-shot", id="little customisation, a form"),
        pytest.param({"missing": "skill", "examples": "few"}, "few-shot", id="little customisation, a few examples"),
        pytest.param({"missing": "knowledge"}, "retrieval", id="little customisation, some documents"),
        pytest.param({"missing": "knowledge", "changes": "daily"}, "retrieval", id="changing facts"),
        pytest.param(
            {"missing": "knowledge", "changes": "daily", "examples": "hundreds", "volume": "high"},
            "retrieval",
            id="changing facts, many examples",
        ),
        # And what the lessons add to it.
        pytest.param(
            {"missing": "skill", "changes": "daily", "examples": "hundreds"},
            "retrieval with a tuned model",
            id="a skill and changing facts",
        ),
        pytest.param(
            {"missing": "form", "examples": "hundred", "volume": "low"}, "few-shot", id="a style, rarely used"
        ),
        pytest.param(
            {"special": "field", "missing": "form", "examples": "hundred", "volume": "low"},
            "few-shot",
            id="a field's style, rarely used",
        ),
        pytest.param(
            {"missing": "form", "examples": "few", "volume": "high", "room": "short"},
            "zero-shot",
            id="an everyday form, every token counts",
        ),
        pytest.param(
            {"special": "some", "missing": "form", "examples": "few", "volume": "high", "room": "short"},
            "few-shot",
            id="a form with terms of its own, every token counts",
        ),
        pytest.param(
            {"missing": "form", "examples": "hundred", "changes": "months"},
            "retrieval with a tuned model",
            id="a style and facts that change now and then",
        ),
        pytest.param(
            {"missing": "form", "examples": "hundred", "stake": "private"}, "few-shot", id="a style, private examples"
        ),
        pytest.param(
            {"missing": "knowledge", "examples": "hundred", "stake": "much"},
            "retrieval with a tuned model",
            id="knowledge and dear errors",
        ),
        pytest.param({"missing": "skill", "examples": "none"}, "zero-shot", id="a skill and nothing to show it by"),
        pytest.param(
            {"missing": "skill", "examples": "hundreds", "volume": "high", "simpler": "probably"},
            "no language model",
            id="counting words",
        ),
    ],
)
def test_the_advice_agrees_with_the_source_and_the_lessons(answers, expected):
    advice = advise(PLAIN | answers)
    assert advice.recommendation == expected
    assert advice.reasons


def test_rules_speak_of_what_exists():
    known = guide._guide()
    options = {question["id"]: set(question["options"]) for question in known["questions"]}
    for rule in known["rules"]:
        assert rule["weights"].keys() <= known["approaches"].keys(), rule
        assert rule["lesson"] in LESSONS, rule
        for id, accepted in rule["if"].items():
            assert set(accepted) <= options[id], rule
    assert {id for rule in known["rules"] for id in rule["if"]} == options.keys()


def test_every_approach_is_somebody_s_advice(everything):
    assert set(everything.values()) == set(guide._guide()["approaches"])


def test_more_examples_never_make_fine_tuned_less_recommended(everything):
    where = IDS.index("examples")
    for given, best in everything.items():
        later = [(*given[:where], more, *given[where + 1 :]) for more in EXAMPLES[EXAMPLES.index(given[where]) :]]
        if best == "fine-tuned":
            assert {everything[one] for one in later} == {"fine-tuned"}, given
        if best in TUNED:
            assert {everything[one] for one in later} <= TUNED, given


def test_what_no_answers_must_lead_to(everything):
    simpler = "no language model"
    assert to(everything, "changes", "daily") == {"retrieval", "retrieval with a tuned model", simpler}
    assert to(everything, "missing", "knowledge").isdisjoint({"zero-shot", "few-shot"})
    assert to(everything, "missing", "nothing").isdisjoint(TUNED)
    assert to(everything, "examples", "none", "few").isdisjoint(TUNED)
    needs_no_facts = {
        best
        for given, best in everything.items()
        if given[IDS.index("changes")] == "hardly" and given[IDS.index("missing")] != "knowledge"
    }
    assert needs_no_facts.isdisjoint({"retrieval", "retrieval with a tuned model"})
    assert to(everything, "examples", "none").isdisjoint({"few-shot"})
    assert to(everything, "simpler", "probably") == {simpler}
    assert simpler not in to(everything, "simpler", "no")


def test_changes_are_all_single_answers_that_change_the_advice():
    dice = random.Random(0)
    asked = questions()
    for _ in range(60):
        answers = {question["id"]: dice.choice(list(question["options"])) for question in asked}
        advice = advise(answers)
        expected = []
        for question in asked:
            for option, text in question["options"].items():
                other = advise(answers | {question["id"]: option}).recommendation
                if other != advice.recommendation:
                    expected.append(f"{question['text']} If “{text}”: {other}.")
        assert advice.changes == expected


def test_what_speaks_for_the_advice_and_against_it():
    advice = advise(PLAIN | {"missing": "form", "examples": "hundreds", "stake": "private", "volume": "high"})
    assert advice.recommendation == "fine-tuned"
    assert [reason.lesson[:2] for reason in advice.reasons] == ["04", "03", "06"]
    assert [reason.lesson[:2] for reason in advice.against] == ["07", "04"]
    shown = advice._repr_html_()
    for reason in advice.reasons + advice.against:
        assert str(reason) in repr(advice)
        assert f'<a href="{reason.lesson}.ipynb">' in shown
    assert all(change in repr(advice) for change in advice.changes)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (PLAIN | {"colour": "red"}, "The guide has no question 'colour'. It asks: special, missing, examples"),
        (PLAIN | {"volume": "huge"}, "'huge' is not an answer to 'volume'. Choose one of: low, medium, high."),
        (
            {"special": "field", "room": "short"},
            "Not answered yet: missing, examples, changes, volume, stake, simpler.",
        ),
    ],
)
def test_what_cannot_be_advised_on_is_said(answers, said):
    with pytest.raises(ValueError, match=said):
        advise(answers)


def test_texts_are_shown_as_text():
    evil = "<img src=x onerror=alert(1)>\"'"
    shown = Advice(evil, evil, [Reason(evil, evil)], [Reason(evil, evil)], [evil])._repr_html_()
    assert "<img" not in shown
    assert "onerror=alert(1)&gt;&#34;" in shown  # nor does it leave the link's address


def test_the_card_keeps_answers_and_advises_once_all_are_given():
    answers = PLAIN | {"missing": "knowledge", "changes": "daily"}
    card = DecisionGuide()
    assert (card.advice, card.summary) == (None, "0 of 8 answered.")
    for question in questions():
        card = DecisionGuide()  # as after a restart: what was answered is still there
        assert card.advice is None
        card.answer(question["id"], list(question["options"]).index(answers[question["id"]]))
        assert card.state[question["id"]]["feedback"].startswith("Your answer: ")
    again = DecisionGuide()
    assert again.advice == card.advice == advise(answers)
    assert again.summary == card.summary
    assert card.summary.startswith("Start with: retrieval. ")
    kept = progress.entries("08-choose-your-approach/decide/")
    assert list(kept) == [f"08-choose-your-approach/decide/{id}" for id in IDS]

    again.answer("changes", 0)  # a changed mind
    again.answer("missing", 0)
    assert again.advice.recommendation == "zero-shot"
    again.reset()
    assert (
        (again.advice, again.summary) == (DecisionGuide().advice, DecisionGuide().summary) == (None, "0 of 8 answered.")
    )


def test_the_stored_card_shows_the_questions_as_text():
    data, _ = DecisionGuide()._repr_mimebundle_()
    for question in questions():
        for text in (question["text"], *question["options"].values()):
            assert text in data["text/plain"]
