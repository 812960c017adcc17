"""Advice before anything is measured: which approach the answers about a task suggest, and what would change that.

It is only a hypothesis. Its questions and rules are in data/guide.json, where you can read and question them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..html import render

GUIDE = Path(__file__).with_name("data") / "guide.json"
CAUTION = "This is a hypothesis. A measurement on your own cases decides."


@dataclass(frozen=True)
class Reason:
    """Something that speaks for or against an approach, and the lesson (its notebook's name) that showed it."""

    text: str
    lesson: str

    def __str__(self) -> str:
        return f"{self.text} (lesson {self.lesson[:2]})"


@dataclass(frozen=True, repr=False)
class Advice:
    """What the guide recommends: an approach and what it means, the reasons for it and against it.

    `changes` holds a sentence for each single other answer that would lead to other advice.
    """

    recommendation: str
    meaning: str
    reasons: list[Reason]
    against: list[Reason]
    changes: list[str]

    def __repr__(self) -> str:
        lines = [f"Start with: {self.recommendation}. {self.meaning}"]
        for title, items in self._parts().items():
            lines += [title, *(f"- {item}" for item in items)]
        return "\n".join([*lines, CAUTION])

    def _repr_html_(self) -> str:
        return render("advice.html", advice=self, parts=self._parts(), caution=CAUTION)

    def _parts(self) -> dict[str, list[Reason] | list[str]]:
        parts: dict[str, list[Reason] | list[str]] = {
            "What speaks for it:": self.reasons,
            "What speaks against it:": self.against,
            "What would change the advice:": self.changes or ["No single other answer would."],
        }
        return {title: items for title, items in parts.items() if items}


def questions() -> list[dict]:
    """The guide's questions in their order, each with id, text and options (a dictionary from id to text)."""
    return _guide()["questions"]


def advise(answers: Mapping[str, str]) -> Advice:
    """The advice to `answers`: for the id of every question, the id of the option chosen.

    Raises ValueError with a sentence where a question or an option does not exist, or an answer is missing.
    """
    guide = _guide()
    _check(guide["questions"], answers)
    best = _best(guide, answers)
    said = sorted(_applying(guide, answers), key=lambda rule: -abs(rule["weights"].get(best, 0)))
    changes = []
    for question in guide["questions"]:
        for option, text in question["options"].items():
            other = _best(guide, {**answers, question["id"]: option})
            if other != best:
                changes.append(f"{question['text']} If “{text}”: {other}.")
    return Advice(
        recommendation=best,
        meaning=guide["approaches"][best],
        reasons=[Reason(rule["reason"], rule["lesson"]) for rule in said if rule["weights"].get(best, 0) > 0],
        against=[Reason(rule["reason"], rule["lesson"]) for rule in said if rule["weights"].get(best, 0) < 0],
        changes=changes,
    )


def _guide() -> dict:
    return json.loads(GUIDE.read_text(encoding="utf-8"))


def _check(questions: list[dict], answers: Mapping[str, str]) -> None:
    options = {question["id"]: question["options"] for question in questions}
    for id, answer in answers.items():
        if id not in options:
            raise ValueError(f"The guide has no question {id!r}. It asks: {', '.join(options)}.")
        if answer not in options[id]:
            raise ValueError(f"{answer!r} is not an answer to {id!r}. Choose one of: {', '.join(options[id])}.")
    missing = [id for id in options if id not in answers]
    if missing:
        raise ValueError(f"Not answered yet: {', '.join(missing)}. Every question counts, so answer these too.")


def _applying(guide: dict, answers: Mapping[str, str]) -> list[dict]:
    return [rule for rule in guide["rules"] if all(answers[id] in options for id, options in rule["if"].items())]


def _best(guide: dict, answers: Mapping[str, str]) -> str:
    """The approach with the largest sum of weights, of those that some rule speaks for; of equals the first listed."""
    weights = [rule["weights"] for rule in _applying(guide, answers)]
    sums = {
        approach: sum(given.get(approach, 0) for given in weights)
        for approach in guide["approaches"]
        if any(given.get(approach, 0) > 0 for given in weights)
    }
    return max(sums, key=sums.__getitem__)
