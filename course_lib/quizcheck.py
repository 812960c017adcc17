"""For instructors: are the quiz files sound, and can their keys be guessed without reading?"""

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from scipy import stats

from .widgets.quiz import KINDS, QUIZZES

NOTEBOOKS = QUIZZES.parent / "notebooks"
UNLIKELY = 0.05  # how often chance alone may make a pattern that is reported


def check(quizzes: Path = QUIZZES) -> list[str]:
    """One sentence for each fault in the quiz files of a folder; an empty list where all is well."""
    questions: dict[str, list[dict]] = {}
    faults = []
    for path in sorted(quizzes.glob("*.json")):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            faults.append(f"{path.name} is not JSON ({error}): mend it there.")
            continue
        if isinstance(found, list) and all(isinstance(question, dict) for question in found):
            questions[path.name] = found
        else:
            faults.append(f"{path.name} is not a list of questions.")
    missing = {path.stem for path in NOTEBOOKS.glob("*.ipynb")} - {path.stem for path in quizzes.glob("*.json")}
    faults += [f"{lesson}.ipynb has no quiz." for lesson in sorted(missing)]
    for name, asked in questions.items():
        headings = _headings(NOTEBOOKS / f"{Path(name).stem}.ipynb")
        if not 4 <= len(asked) <= 6:
            faults.append(f"{name} has {len(asked)} questions: a lesson has 4 to 6.")
        ids = [question["id"] for question in asked if question.get("id")]
        faults += [
            f"{name}: the id {id!r} stands more than once." for id in sorted({i for i in ids if ids.count(i) > 1})
        ]
        for number, question in enumerate(asked, start=1):
            where = f"{name}, question {number}"
            faults += [f"{where}: {fault}" for fault in _faults(question, headings)]
    return faults or list(_guessable(list(chain.from_iterable(questions.values()))))


def _headings(notebook: Path) -> set[str]:
    if not notebook.exists():
        return set()
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return set(re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE))


def _faults(question: dict, headings: set[str]) -> Iterator[str]:
    for key in ("id", "heading", "question", "type", "answers"):
        if not question.get(key):
            yield f"there is no {key!r}."
            return
    if question["type"] not in KINDS:
        yield f"the type {question['type']!r} is none of {', '.join(KINDS)}."
        return
    if question["heading"] not in headings:
        yield f"its lesson has no heading {question['heading']!r}, so nothing teaches it."
    answers = question["answers"]
    for number, answer in enumerate(answers, start=1):
        if not answer.get("feedback"):
            yield f"answer {number} has no feedback."
        if answer.get("type") == "default":
            continue
        if not isinstance(answer.get("correct"), bool):
            yield f"answer {number} does not say whether it is correct."
        if question["type"] != "numeric" and not isinstance(answer.get("answer"), str):
            yield f"answer {number} has no text under 'answer'."
        if question["type"] == "numeric" and not _is_numeric(answer):
            yield f"answer {number} has neither a number under 'value' nor two under 'range'."
    right = sum(bool(answer.get("correct")) for answer in answers)
    if question["type"] == "multiple_choice" and right != 1:
        yield f"{right} answers are correct; a choice has one. Or make it many_choice."
    elif right == 0:
        yield "no answer is correct."
    if question["type"] in ("numeric", "string") and not any(answer.get("type") == "default" for answer in answers):
        yield "there is no default answer, for whatever else is written."


def _is_numeric(answer: dict) -> bool:
    numbers = answer.get("range", [answer.get("value")])
    wanted = 2 if "range" in answer else 1
    return len(numbers) == wanted and all(isinstance(number, int | float) for number in numbers)


def _guessable(questions: list[dict]) -> Iterator[str]:
    """Whether always taking one place, or the longest option, would do clearly better than chance."""
    choices = [one["answers"] for one in questions if one.get("type") == "multiple_choice" and one.get("answers")]
    tricks = {f"at place {place + 1}": [place] * len(choices) for place in range(max(map(len, choices), default=0))}
    lengths = [[len(answer["answer"]) for answer in answers] for answers in choices]
    tricks["that is the longest"] = [length.index(max(length)) for length in lengths]
    tricks["that is the shortest"] = [length.index(min(length)) for length in lengths]
    for trick, places in tricks.items():
        able = [(answers, place) for answers, place in zip(choices, places, strict=True) if place < len(answers)]
        hits = sum(bool(answers[place]["correct"]) for answers, place in able)
        chance = sum(1 / len(answers) for answers, _ in able) / max(len(able), 1)
        if able and stats.binomtest(hits, len(able), chance, alternative="greater").pvalue < UNLIKELY:
            yield f"Over all files, taking the option {trick} is right {hits} times in {len(able)}: move some keys."
