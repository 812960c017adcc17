"""The quiz of a lesson: questions from quizzes/*.json, judged in the kernel, shown as an accessible card."""

import json
from html import escape
from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent
QUIZZES = HERE.parents[1] / "quizzes"
# jupyterquiz's names for the kinds of questions, and the card's.
KINDS = {"multiple_choice": "choice", "many_choice": "several", "numeric": "number", "string": "text"}


def load_quiz(name: str) -> list[dict]:
    """The questions of `quizzes/<name>.json`, in jupyterquiz's format."""
    path = QUIZZES / f"{name}.json"
    if not path.exists():
        raise ValueError(f"There is no quiz {name!r}. There are: {', '.join(sorted(p.stem for p in QUIZZES.glob('*.json')))}.")
    return json.loads(path.read_text(encoding="utf-8"))


def quiz(name: str) -> "Quiz":
    """The quiz of a lesson, to be shown as the last line of a cell."""
    return Quiz(load_quiz(name))


def grade(question: dict, answer: int | list[int] | str) -> tuple[bool, str]:
    """Whether an answer is right, and the feedback to it.

    `answer` is the place of the option (multiple_choice), the places (many_choice), or what was written. Raises
    ValueError with a sentence where a number was wanted and something else was written.
    """
    answers = question["answers"]
    match question["type"]:
        case "multiple_choice":
            return answers[answer]["correct"], answers[answer]["feedback"]
        case "many_choice":
            wrong = [option for place, option in enumerate(answers) if option["correct"] != (place in answer)]
            shown = wrong or [option for option in answers if option["correct"]]
            return not wrong, " ".join(option["feedback"] for option in shown)
        case "numeric":
            matches = _number_matcher(answer, question.get("precision"))
        case "string":
            matches = _text_matcher(answer)
    found = next((option for option in answers if option.get("type") != "default" and matches(option)), None)
    found = found or next(option for option in answers if option.get("type") == "default")
    return found.get("correct", False), found["feedback"]


def _number_matcher(text: str, precision: int | None):
    try:
        number = float(text.strip().rstrip("%").replace(",", "."))
    except ValueError as error:
        raise ValueError(f"{text!r} is not a number: write digits, such as 0.25.") from error

    def rounded(value: float) -> float:
        return float(f"{value:.{precision}g}") if precision else value

    def matches(option: dict) -> bool:
        if "range" in option:
            low, high = option["range"]
            return low <= number < high
        return rounded(number) == rounded(option["value"])

    return matches


def _text_matcher(text: str):
    given = " ".join(text.split())
    return lambda option: (
        given == option["answer"] if option.get("match_case") else given.casefold() == option["answer"].casefold()
    )


class Quiz(anywidget.AnyWidget):
    """A card of questions that answers each try with feedback.

    Where no kernel runs (a repository page, nbviewer) the stored output shows the questions as text with the answers
    folded away.
    """

    _esm = HERE / "card.js"
    _css = HERE / "card.css"
    title = traitlets.Unicode("Quiz").tag(sync=True)
    button = traitlets.Unicode("Check").tag(sync=True)
    questions = traitlets.List().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    summary = traitlets.Unicode().tag(sync=True)

    def __init__(self, questions: list[dict]):
        self._full = {question["id"]: question for question in questions}
        super().__init__(questions=[_public(question) for question in questions])
        self._show({})
        self.on_msg(self._on_message)

    def answer(self, id: str, answer: int | list[int] | str) -> None:
        """Judge an answer to the question `id` and show the feedback, as the card's button does."""
        try:
            right, feedback = grade(self._full[id], answer)
        except ValueError as error:
            verdict, feedback = "wrong", str(error)
        else:
            verdict, feedback = ("right", f"Right. {feedback}") if right else ("wrong", f"Not yet. {feedback}")
        tries = self.state.get(id, {}).get("tries", 0) + 1
        self._show({**self.state, id: {"answer": answer, "verdict": verdict, "feedback": feedback, "tries": tries}})

    def reset(self) -> None:
        """Forget all answers."""
        self._show({})

    def _show(self, state: dict) -> None:
        right = sum(given["verdict"] == "right" for given in state.values())
        self.summary = f"{right} of {len(self._full)} right"
        self.state = state

    def _on_message(self, _widget: object, message: dict, _buffers: object) -> None:
        if message.get("reset"):
            self.reset()
        else:
            self.answer(message["id"], message["answer"])

    def __repr__(self) -> str:
        lines = []
        for number, question in enumerate(self.questions, start=1):
            lines += [f"{number}. {question['text']}", *(f"   ( ) {option}" for option in question["options"])]
        return "\n".join(lines)

    def _repr_mimebundle_(self, **kwargs):
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return {**data, "text/html": _as_html(self._full.values())}, metadata


def _public(question: dict) -> dict:
    """What the page may know: the question without its key."""
    kind = KINDS[question["type"]]
    options = [option["answer"] for option in question["answers"]] if kind in ("choice", "several") else []
    return {"id": question["id"], "kind": kind, "text": question["question"], "options": options}


def _as_html(questions) -> str:
    parts = []
    for question in questions:
        public = _public(question)
        options = "".join(f"<li>{escape(option)}</li>" for option in public["options"])
        right = [_as_text(option) for option in question["answers"] if option.get("correct")]
        feedback = [option["feedback"] for option in question["answers"] if option.get("correct")]
        parts.append(
            f"<li><p>{escape(public['text'])}</p><ul>{options}</ul>"
            f"<details><summary>Answer</summary><p>{escape('; '.join(right))}</p><p>{escape(' '.join(feedback))}</p>"
            "</details></li>"
        )
    return f"<ol>{''.join(parts)}</ol>"


def _as_text(option: dict) -> str:
    if "range" in option:
        return f"from {option['range'][0]} to {option['range'][1]}"
    return str(option.get("answer", option.get("value")))
