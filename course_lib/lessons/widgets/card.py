"""A card of questions in a notebook: what the quiz, the guess and the decision guide have in common."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ...html import render
from .. import progress
from ..quizzes import Answer


class Card(anywidget.AnyWidget):
    """Questions with native controls; every answer is judged in the kernel and kept in the progress file.

    Where no kernel runs (a repository page, nbviewer), the stored output shows the questions as text.
    """

    _esm = Path(__file__).with_name("card.js")
    _css = Path(__file__).with_name("card.css")
    title = traitlets.Unicode().tag(sync=True)
    button = traitlets.Unicode().tag(sync=True)
    questions = traitlets.List(traitlets.Dict()).tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    summary = traitlets.Unicode().tag(sync=True)

    def __init__(self, key: str, questions: list[dict[str, Any]], **traits: Any):
        """`key` is `lesson/kind`; `questions` hold id, kind (choice, several, order, number, text), text, options."""
        self._key = key
        self._shown = 0
        super().__init__(questions=questions, **traits)
        kept = progress.entries(f"{key}/")
        for question in questions:
            tries: list[dict] = []  # since the learner last started over
            for entry in kept.get(f"{key}/{question['id']}", []):
                tries = [] if entry.get("reset") else [*tries, entry]
            if tries and "answer" in tries[-1]:
                self._show(question["id"], tries[-1]["answer"], len(tries))
        self._count()
        self.on_msg(lambda _widget, message, _buffers: self._receive(message))

    def judge(self, id: str, answer: Answer) -> tuple[str, str]:
        """The verdict (right, wrong or empty) and the feedback; raises ValueError where it is no answer at all."""
        raise NotImplementedError

    def summarise(self) -> str:
        """The line at the foot of the card."""
        raise NotImplementedError

    def solution(self, id: str) -> Sequence[str]:
        """Paragraphs on the right answer, which the stored output folds away below the question; none by default."""
        return ()

    def answer(self, id: str, answer: Answer) -> None:
        """Answer the question `id`, as the card's button does: judged, kept, then shown."""
        before = self.state.get(id, {"answer": answer, "verdict": "wrong", "tries": 0})
        try:
            verdict, feedback = self.judge(id, answer)
            words = {} if verdict else {"said": feedback}  # a guess or a choice reads as words in the journal
            progress.append(f"{self._key}/{id}", answer=answer, right=verdict == "right" if verdict else None, **words)
        except (ValueError, OSError) as error:  # no answer at all, or not kept: what was accepted before stays
            self._show_text(id, before["answer"], before["verdict"], str(error), before["tries"])
        else:
            self._show(id, answer, before["tries"] + 1)
            self._count()

    def reset(self) -> None:
        """Empty the card; the answers so far stay in the progress file."""
        try:
            for id in self.state:
                progress.append(f"{self._key}/{id}", reset=True)
        except OSError as error:
            self.summary = str(error)
        else:
            self.state = {}
            self._count()

    def _receive(self, message: dict) -> None:
        if message.get("reset"):
            self.reset()
        else:
            self.answer(message["id"], message["answer"])

    def _show(self, id: str, answer: Answer, tries: int) -> None:
        try:
            verdict, feedback = self.judge(id, answer)
        except (ValueError, LookupError, TypeError, AttributeError):
            return  # an answer to a question that has changed since
        self._show_text(id, answer, verdict, feedback, tries)

    def _show_text(self, id: str, answer: Answer, verdict: str, feedback: str, tries: int) -> None:
        self._shown += 1  # the page hears of a state only if it differs from the last
        shown = {"answer": answer, "verdict": verdict, "feedback": feedback, "tries": tries, "shown": self._shown}
        self.state = {**self.state, id: shown}

    def _count(self) -> None:
        self.summary = self.summarise()

    def __repr__(self) -> str:
        lines = [self.title]
        for number, question in enumerate(self.questions, start=1):
            lines += [f"{number}. {question['text']}", *(f"   ( ) {option}" for option in question["options"])]
        return "\n".join(lines)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        shown = [{**question, "solution": self.solution(question["id"])} for question in self.questions]
        page = render("card.html", title=self.title, questions=shown)
        return {**data, "text/plain": repr(self), "text/html": page}, metadata
