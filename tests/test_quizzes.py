"""Quiz files are sound, graded as documented, and shown as text."""

import json
import re
import shutil

import pytest

from course_lib.__main__ import main
from course_lib.lessons import progress
from course_lib.lessons.places import QUIZZES, notebooks_folder
from course_lib.lessons.quiz_check import check_quizzes, faults_of_question
from course_lib.lessons.quizzes import KINDS, grade, load_quiz
from course_lib.lessons.widgets import Guess, Quiz

LESSONS = sorted(path.stem for path in notebooks_folder().glob("*.ipynb"))
SOURCE_CHECKS = {
    "01-why-fine-tune": (
        "What is the primary benefit of fine-tuning an LLM?",
        "To adapt a general-purpose LLM to perform better on specific tasks or domains.",
    ),
    "07-when-not-to-fine-tune": (
        "What is an alternative to fine-tuning for less specialized tasks?",
        "Prompt engineering or retrieval-augmented generation (RAG).",
    ),
}


@pytest.fixture
def copies(tmp_path):
    return shutil.copytree(QUIZZES, tmp_path / "quizzes")


def change(folder, lesson, alter):
    path = folder / f"{lesson}.json"
    questions = json.loads(path.read_text(encoding="utf-8"))
    alter(questions)
    path.write_text(json.dumps(questions), encoding="utf-8")


def test_every_lesson_has_a_sound_quiz(capsys):
    assert sorted(path.stem for path in QUIZZES.glob("*.json")) == LESSONS
    assert check_quizzes() == []
    assert main(["quizzes", "check"]) == 0
    assert "sound" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (lambda q: q[0]["answers"][0].pop("feedback"), "question 1: answer 1 has no feedback."),
        (lambda q: q[0].update(heading="Nowhere"), "question 1: its lesson has no heading 'Nowhere'"),
        (lambda q: q[0]["answers"][0].update(correct=True), "question 1: 2 answers are correct; a choice has one"),
        (lambda q: q[0].update(type="essay"), "question 1: the type 'essay' is none of multiple_choice"),
        (lambda q: q[0]["answers"][0].pop("correct"), "answer 1 does not say whether it is correct."),
        (lambda q: q[0]["answers"][0].pop("answer"), "answer 1 has no text under 'answer'."),
        (lambda q: q[3]["answers"][0].update(value="many"), "answer 1 has neither a number under 'value'"),
        (lambda q: q.append("?"), "01-why-fine-tune.json is not a list of questions."),
        (lambda q: q[0].pop("id"), "question 1: there is no 'id'."),
        (lambda q: q[1].update(id=q[0]["id"]), "the id 'primary-benefit' is used more than once."),
        (lambda q: [one.pop("id") for one in q[2:]] + [q[1].update(id=q[0]["id"])], "is used more than once."),
        (lambda q: q[3]["answers"].pop(), "question 4: there is no default answer"),
        (lambda q: [one.update(correct=False) for one in q[3]["answers"]], "question 4: no answer is correct."),
        (lambda q: q.clear(), "has 0 questions: a lesson has 4 to 6."),
    ],
)
def test_the_checker_refuses(copies, alter, said):
    change(copies, "01-why-fine-tune", alter)
    assert any(said in fault for fault in check_quizzes(copies)), check_quizzes(copies)


def test_a_quiz_that_is_gone_or_no_json_is_named(copies):
    (copies / "00-start-here.json").unlink()
    (copies / "01-why-fine-tune.json").write_text("[{", encoding="utf-8")
    gone, broken = sorted(check_quizzes(copies))
    assert gone == "00-start-here.ipynb has no quiz."
    assert broken.startswith("01-why-fine-tune.json is not JSON (")


def test_the_examples_in_the_documentation_are_sound():
    text = (QUIZZES / "README.md").read_text(encoding="utf-8")
    examples = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, flags=re.DOTALL)]
    assert [example["type"] for example in examples] == list(KINDS)
    for example in examples:
        assert list(faults_of_question(example, {example["heading"]})) == []


def test_the_checker_refuses_right_answers_that_can_be_guessed(copies):
    def first(questions):
        for question in questions:
            question["answers"].sort(key=lambda answer: not answer.get("correct"))

    def longest(questions):
        for question in questions:
            for answer in question["answers"]:
                if answer.get("correct") and "answer" in answer:
                    answer["answer"] += (
                        " And so on, at greater length than all the others, which is what gives it away."
                    )

    for trick, said in ((first, "at place 1"), (longest, "that is the longest")):
        folder = copies.parent / said.replace(" ", "-")
        shutil.copytree(copies, folder)
        for lesson in LESSONS:
            change(folder, lesson, trick)
        assert any(said in fault and "move some right answers" in fault for fault in check_quizzes(folder))


@pytest.mark.parametrize("lesson", SOURCE_CHECKS)
def test_the_checks_of_the_source_stand_word_for_word(lesson):
    question, answer = SOURCE_CHECKS[lesson]
    (found,) = [one for one in load_quiz(lesson) if one["question"] == question]
    assert [one["answer"] for one in found["answers"] if one["correct"]] == [answer]


def test_grading_of_each_kind():
    several = {
        "type": "many_choice",
        "answers": [{"answer": str(n), "correct": n < 2, "feedback": f"feedback {n}"} for n in range(4)],
    }
    assert grade(several, [0, 1]) == (True, "feedback 0 feedback 1")
    assert grade(several, [0, 3]) == (False, "feedback 1 feedback 3")
    number = {
        "type": "numeric",
        "precision": 2,
        "answers": [
            {"type": "range", "range": [0, 1], "correct": False, "feedback": "low"},
            {"type": "value", "value": 3.14159, "correct": True, "feedback": "pi"},
            {"type": "default", "feedback": "no"},
        ],
    }
    assert grade(number, "3,1") == (True, "pi")
    assert grade(number, " 3.14 ") == (True, "pi")
    assert grade(number, "0") == (False, "low")
    assert grade(number, "1") == (False, "no")
    with pytest.raises(ValueError, match="'three' is not a number: write digits"):
        grade(number, "three")
    text = {
        "type": "string",
        "answers": [
            {"answer": "LoRA", "match_case": True, "correct": True, "feedback": "yes"},
            {"answer": "lora", "correct": False, "feedback": "nearly"},
            {"type": "default", "feedback": "no"},
        ],
    }
    assert grade(text, " LoRA ") == (True, "yes")
    assert grade(text, "lora") == (False, "nearly")
    assert grade(text, "") == (False, "no")


def test_answers_are_kept_and_come_back():
    card = Quiz("01-why-fine-tune")
    card.answer("primary-benefit", 0)
    assert card.state["primary-benefit"]["verdict"] == "wrong"
    card.answer("primary-benefit", 1)
    assert card.summary == "1 of 6 right"
    card.answer("share-trained", "many")
    assert "not a number" in card.state["share-trained"]["feedback"]
    again = Quiz("01-why-fine-tune")
    for what in ("answer", "verdict", "feedback"):
        assert again.state["primary-benefit"][what] == card.state["primary-benefit"][what]
    assert again.state["primary-benefit"]["tries"] == 2
    assert "share-trained" not in again.state
    again.reset()
    assert Quiz("01-why-fine-tune").state == again.state == {}
    again.answer("primary-benefit", 2)
    assert Quiz("01-why-fine-tune").state["primary-benefit"]["tries"] == 1
    kept = progress.entries("01-why-fine-tune/quiz/primary-benefit")["01-why-fine-tune/quiz/primary-benefit"]
    assert [entry.get("answer") for entry in kept] == [0, 1, None, 2]  # starting over loses nothing


def test_an_answer_to_a_question_that_has_changed_since_is_left_out():
    for answer in (99, "text", {"odd": 1}):
        progress.append("01-why-fine-tune/quiz/primary-benefit", answer=answer)
        assert Quiz("01-why-fine-tune").state == {}


def test_the_page_gets_no_key_and_the_stored_output_shows_text():
    card = Quiz("01-why-fine-tune")
    sent = json.dumps(card.get_state(["questions", "state", "summary", "title"]))
    assert "correct" not in sent
    assert "feedback" not in sent
    data, _ = card._repr_mimebundle_()
    for question in load_quiz("01-why-fine-tune"):
        assert question["question"] in data["text/plain"]
    assert data["text/html"].count("<details>") == 6


def test_predictions_are_kept_and_revealed():
    guess = Guess("00-start-here/x", "How many?")
    assert guess.value is None
    guess.answer("x", "a lot")
    assert guess.value is None
    guess.answer("x", "0.25")
    assert Guess("00-start-here/x", "How many?").value == 0.25
    guess.answer("x", "50")
    assert guess.value == 0.25  # a slip does not undo what was committed
    assert "between 0 and 1" in guess.state["x"]["feedback"]
    order = Guess("00-start-here/y", "In which order?", options=["a", "b", "c"], order=True)
    order.answer("y", [2, 2, 1])
    assert order.value is None
    order.answer("y", [2, 0, 1])
    assert order.value == ["c", "a", "b"]
    choice = Guess("00-start-here/z", "Which?", options=["a", "b"])
    choice.answer("z", 1)
    assert choice.value == "b"
    assert list(progress.entries("00-start-here/predict")) == [f"00-start-here/predict/{name}" for name in "xyz"]
