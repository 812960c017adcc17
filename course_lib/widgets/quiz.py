"""The quiz of a lesson: questions from quizzes/*.json in jupyterquiz's format, judged in the kernel."""

import json
from collections.abc import Callable
from html import escape
from pathlib import Path

from .card import Answer, Card, as_number

QUIZZES = Path(__file__).parents[2] / "quizzes"
KINDS = {"multiple_choice": "choice", "many_choice": "several", "numeric": "number", "string": "text"}


def quiz(lesson: str) -> "Quiz":
    """The quiz of a lesson, to be shown as the last line of a cell."""
    return Quiz(lesson, load_quiz(lesson))


def load_quiz(lesson: str) -> list[dict]:
    """The questions of `quizzes/<lesson>.json`; raises ValueError where there is no such file."""
    path = QUIZZES / f"{lesson}.json"
    if not path.exists():
        there = ", ".join(sorted(other.stem for other in QUIZZES.glob("*.json")))
        raise ValueError(f"There is no quiz {lesson!r}. There are: {there}.")
    return json.loads(path.read_text(encoding="utf-8"))


def grade(question: dict, answer: Answer) -> tuple[bool, str]:
    """Whether an answer is right, and the feedback to it.

    `answer` is the place of the option (multiple_choice), the places (many_choice), or what was written. Raises
    ValueError with a sentence where a number was wanted and something else was written.
    """
    answers = question["answers"]
    if question["type"] == "multiple_choice":
        return answers[answer]["correct"], answers[answer]["feedback"]
    if question["type"] == "many_choice":
        wrong = [option for place, option in enumerate(answers) if option["correct"] != (place in answer)]
        shown = wrong or [option for option in answers if option["correct"]]
        return not wrong, " ".join(option["feedback"] for option in shown)
    matches = (
        _number_matcher(answer, question.get("precision")) if question["type"] == "numeric" else _text_matcher(answer)
    )
    default = next(option for option in answers if option.get("type") == "default")
    found = next((option for option in answers if option is not default and matches(option)), default)
    return found.get("correct", False), found["feedback"]


def _number_matcher(text: str, precision: int | None) -> Callable[[dict], bool]:
    number = as_number(text)

    def significant(value: float) -> float:
        return float(f"{value:.{precision}g}") if precision else value

    def matches(option: dict) -> bool:
        if "range" in option:
            low, high = option["range"]
            return low <= number < high
        return significant(number) == significant(option["value"])

    return matches


def _text_matcher(text: str) -> Callable[[dict], bool]:
    given = " ".join(text.split())

    def matches(option: dict) -> bool:
        if option.get("match_case"):
            return given == option["answer"]
        return given.casefold() == option["answer"].casefold()

    return matches


class Quiz(Card):
    """A lesson's questions; each try is answered with feedback."""

    def __init__(self, lesson: str, questions: list[dict]):
        self._full = {question["id"]: question for question in questions}
        super().__init__(f"{lesson}/quiz", [_public(question) for question in questions], title="Quiz", button="Check")

    def judge(self, id: str, answer: Answer) -> tuple[str, str]:
        right, feedback = grade(self._full[id], answer)
        return ("right", f"Right. {feedback}") if right else ("wrong", f"Not yet. {feedback}")

    def summarise(self) -> str:
        right = sum(given["verdict"] == "right" for given in self.state.values())
        return f"{right} of {len(self._full)} right"

    def _folded(self, id: str) -> str:
        right = [option for option in self._full[id]["answers"] if option.get("correct")]
        said = "; ".join(_as_text(option) for option in right)
        why = " ".join(option["feedback"] for option in right)
        return f"<details><summary>Answer</summary><p>{escape(said)}</p><p>{escape(why)}</p></details>"


def _public(question: dict) -> dict:
    """What the page may know: the question without its key."""
    kind = KINDS[question["type"]]
    options = [option["answer"] for option in question["answers"]] if kind in ("choice", "several") else []
    return {"id": question["id"], "kind": kind, "text": question["question"], "options": options}


def _as_text(option: dict) -> str:
    if "range" in option:
        return f"from {option['range'][0]} to {option['range'][1]}"
    return str(option.get("answer", option.get("value")))
