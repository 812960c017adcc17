"""The quizzes' questions, in the files quizzes/*.json in jupyterquiz's format, and how an answer to one is graded."""

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from .places import QUIZZES

Answer: TypeAlias = Any  # as the page sends it: a place (int), places (list[int]), or what was written (str)
KINDS = {"multiple_choice": "choice", "many_choice": "several", "numeric": "number", "string": "text"}


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
        return _grade_several(answers, answer)
    matches = (
        _number_matcher(answer, question.get("precision")) if question["type"] == "numeric" else _text_matcher(answer)
    )
    default = next(option for option in answers if option.get("type") == "default")
    found = next((option for option in answers if option is not default and matches(option)), default)
    return found.get("correct", False), found["feedback"]


def _grade_several(answers: list[dict], chosen: list[int]) -> tuple[bool, str]:
    wrong = [option for place, option in enumerate(answers) if option["correct"] != (place in chosen)]
    shown = wrong or [option for option in answers if option["correct"]]
    return not wrong, " ".join(option["feedback"] for option in shown)


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


def as_number(text: Answer) -> float:
    """What a learner wrote, as a number, with a decimal point or comma.

    Raises ValueError with a sentence where it is none.
    """
    try:
        return float(str(text).strip().replace(",", "."))
    except ValueError as error:
        raise ValueError(f"{text!r} is not a number: write digits, such as 0.25.") from error
