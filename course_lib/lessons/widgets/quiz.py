"""The quiz of a lesson as a card, judged in the kernel."""

from collections.abc import Sequence

from ..quizzes import KINDS, Answer, grade, load_quiz
from .card import Card


class Quiz(Card):
    """A lesson's questions, to be shown as the last line of a cell; each try is answered with feedback."""

    def __init__(self, lesson: str, questions: list[dict] | None = None):
        """`questions` are in the format of quizzes/*.json; without them, they are those of the lesson's file."""
        questions = load_quiz(lesson) if questions is None else questions
        self._full = {question["id"]: question for question in questions}
        super().__init__(f"{lesson}/quiz", [_public(question) for question in questions], title="Quiz", button="Check")

    def judge(self, id: str, answer: Answer) -> tuple[str, str]:
        right, feedback = grade(self._full[id], answer)
        return ("right", f"Right. {feedback}") if right else ("wrong", f"Not yet. {feedback}")

    def summarise(self) -> str:
        right = sum(given["verdict"] == "right" for given in self.state.values())
        return f"{right} of {len(self._full)} right"

    def solution(self, id: str) -> Sequence[str]:
        right = [option for option in self._full[id]["answers"] if option.get("correct")]
        return "; ".join(_as_text(option) for option in right), " ".join(option["feedback"] for option in right)


def _public(question: dict) -> dict:
    """What the page may know: the question without the right answer."""
    kind = KINDS[question["type"]]
    options = [option["answer"] for option in question["answers"]] if kind in ("choice", "several") else []
    return {"id": question["id"], "kind": kind, "text": question["question"], "options": options}


def _as_text(option: dict) -> str:
    if "range" in option:
        return f"from {option['range'][0]} to {option['range'][1]}"
    return str(option.get("answer", option.get("value")))
