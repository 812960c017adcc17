"""For instructors: are the quiz files sound, and can the right answers be guessed without reading the questions?"""

import json
import re
from collections.abc import Iterator
from itertools import chain
from math import comb
from pathlib import Path

from .places import QUIZZES, notebooks_are_here, notebooks_folder
from .quizzes import KINDS

UNLIKELY = 0.05  # how often chance alone may make a pattern that is reported


def check_quizzes(folder: Path = QUIZZES) -> list[str]:
    """One sentence for each fault in the quiz files of a folder; an empty list where all is well.

    The headings that questions name, and whether every lesson has a quiz, are checked where `notebooks_are_here()`.
    """
    quizzes, faults = _read_quizzes(folder)
    if notebooks_are_here():
        lessons = {path.stem for path in notebooks_folder().glob("*.ipynb")}
        missing = lessons - {path.stem for path in folder.glob("*.json")}
        faults += [f"{lesson}.ipynb has no quiz." for lesson in sorted(missing)]
    for name, questions in quizzes.items():
        headings = lesson_headings(Path(name).stem) if notebooks_are_here() else None
        faults += [f"{name}{fault}" for fault in _faults_of_quiz(questions, headings)]
    return faults or list(_guessable(list(chain.from_iterable(quizzes.values()))))


def lesson_headings(lesson: str) -> set[str]:
    """The headings of a lesson's notebook, without their number signs; none where there is no such notebook."""
    notebook = notebooks_folder() / f"{lesson}.ipynb"
    if not notebook.exists():
        return set()
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return set(re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE))


def faults_of_question(question: dict, headings: set[str] | None) -> Iterator[str]:
    """A sentence for each fault of one question. `headings` are those of its lesson; None: they are not compared."""
    for key in ("id", "heading", "question", "type", "answers"):
        if not question.get(key):
            yield f"there is no {key!r}."
            return
    if question["type"] not in KINDS:
        yield f"the type {question['type']!r} is none of {', '.join(KINDS)}."
        return
    if headings is not None and question["heading"] not in headings:
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
        yield "there is no default answer, for everything else that is written."


def binomial_tail(hits: int, trials: int, chance: float) -> float:
    """The probability of at least `hits` successes in `trials` independent trials, each with this chance."""
    return sum(comb(trials, k) * chance**k * (1 - chance) ** (trials - k) for k in range(hits, trials + 1))


def _read_quizzes(folder: Path) -> tuple[dict[str, list[dict]], list[str]]:
    """The questions of each file that can be read, and a sentence for each that cannot."""
    quizzes, faults = {}, []
    for path in sorted(folder.glob("*.json")):
        try:
            questions = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            faults.append(f"{path.name} is not JSON ({error}): correct it there.")
            continue
        if isinstance(questions, list) and all(isinstance(question, dict) for question in questions):
            quizzes[path.name] = questions
        else:
            faults.append(f"{path.name} is not a list of questions.")
    return quizzes, faults


def _faults_of_quiz(questions: list[dict], headings: set[str] | None) -> Iterator[str]:
    """What is wrong with one file, as the second half of a sentence that begins with the file's name."""
    if not 4 <= len(questions) <= 6:
        yield f" has {len(questions)} questions: a lesson has 4 to 6."
    ids = [question["id"] for question in questions if question.get("id")]
    for twice in sorted({each for each in ids if ids.count(each) > 1}):
        yield f": the id {twice!r} is used more than once."
    for number, question in enumerate(questions, start=1):
        for fault in faults_of_question(question, headings):
            yield f", question {number}: {fault}"


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
        if able and binomial_tail(hits, len(able), chance) < UNLIKELY:
            yield f"Over all files, the option {trick} is right {hits} times in {len(able)}: move some right answers."
