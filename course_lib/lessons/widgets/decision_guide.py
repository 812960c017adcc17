"""The decision guide as a card: questions about the learner's own task, and the advice to the answers."""

from .. import guide
from ..quizzes import Answer
from .card import Card


class DecisionGuide(Card):
    """The guide's questions, to be shown as the last line of a cell; what it advises is then in `.advice`.

    Once every question is answered, the card says where to start.
    """

    def __init__(self) -> None:
        asked = guide.questions()
        self._options = {question["id"]: question["options"] for question in asked}
        shown = [{**question, "kind": "choice", "options": [*question["options"].values()]} for question in asked]
        super().__init__("08-choose-your-approach/decide", shown, title="Decision guide", button="Answer")

    @property
    def advice(self) -> guide.Advice | None:
        """What the guide advises, with its reasons; None as long as a question is open."""
        answers = self._answers()
        return guide.advise(answers) if len(answers) == len(self._options) else None

    def judge(self, id: str, answer: Answer) -> tuple[str, str]:
        return "", f"Your answer: {[*self._options[id].values()][answer]}."

    def summarise(self) -> str:
        advice = self.advice
        if advice is None:
            return f"{len(self._answers())} of {len(self._options)} answered."
        return f"Start with: {advice.recommendation}. {advice.meaning} The next cell says why."

    def _answers(self) -> dict[str, str]:
        given = {id: shown["answer"] for id, shown in self.state.items() if shown["tries"]}
        return {id: [*self._options[id]][place] for id, place in given.items()}
