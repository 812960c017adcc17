"""The written voice of the tea shop Kettle & Kind as rules that code can check, and messages in four styles."""

import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from ..tasks.builtin import read_jsonl
from ..tasks.task import Task

STYLES = ("formal", "informal", "creative", "brand")
GREETING, FAREWELL = "Hello, tea friend.", "Warmly, Kettle & Kind."


def sentences(text: str) -> list[str]:
    """The sentences of a text; one ends at a full stop, question mark or exclamation mark before a space."""
    return re.split(r"(?<=[.!?])\s+", text.strip())


VOICE: dict[str, Callable[[str], bool]] = {
    f"Begin with: {GREETING}": lambda text: text.startswith(GREETING),
    f"End with: {FAREWELL}": lambda text: text.endswith(FAREWELL),
    "Write four to six sentences, greeting and farewell among them.": lambda text: 4 <= len(sentences(text)) <= 6,
    "No sentence is longer than twelve words.": lambda text: all(len(one.split()) <= 12 for one in sentences(text)),
    "Never use an exclamation mark.": lambda text: "!" not in text,
    "Write words out: no it's, no we'll.": lambda text: not re.search(r"\w['’](s|re|ll|ve|d|t|m)\b", text),
}
GUIDE = " ".join(VOICE)
REWRITE = "Write this note as a message to a customer."


def messages(style: str, guide: bool = False) -> Task:
    """Notes to be written as a message to a customer in one of STYLES: 48 to learn from, 104 held out.

    With `guide` the instruction holds the whole voice guide, for a model that was not trained on the style. The
    metric is the share of the voice's rules that a message keeps. Raises ValueError where there is no such style.
    """
    if style not in STYLES:
        raise ValueError(f"There is no style {style!r}. There are: {', '.join(STYLES)}.")
    rows = read_jsonl("messages.jsonl")
    return Task.from_examples(
        f"messages, {style}",
        f"{REWRITE} {GUIDE}" if guide else REWRITE,
        train=[(row["note"], row[style]) for row in rows if row["split"] == "train"],
        test=[(row["note"], row[style]) for row in rows if row["split"] == "test"],
        metric=voice_kept,
        max_new_tokens=64,
        source="written for this course",
        licence="CC BY 4.0",
    )


def rules_kept(text: str) -> pd.Series:
    """For each rule of the voice guide, whether the text keeps it."""
    return pd.Series({rule: keeps(text) for rule, keeps in VOICE.items()})


def voice_kept(y_true: Sequence[str], y_pred: Sequence[str]) -> float:
    """The mean share of the rules that the predicted texts keep; the true ones are ignored."""
    return float(np.mean([rules_kept(text).mean() for text in y_pred]))


def ready_to_send(y_true: Sequence[str], y_pred: Sequence[str]) -> float:
    """The share of messages that keep every rule of the voice and every fact of their note; `y_true` in the brand's.

    Rules alone are kept by any fixed message, such as the answer to another note. Raises KeyError where a true message
    is none of the course's.
    """
    notes = {row["brand"]: row["note"] for row in read_jsonl("messages.jsonl")}
    facts = facts_kept([notes[truth] for truth in y_true], y_pred)
    return float(np.mean([share == 1 and rules_kept(text).all() for share, text in zip(facts, y_pred, strict=True)]))


def facts_kept(notes: Sequence[str], texts: Sequence[str]) -> list[float]:
    """For each message, the share of its note's facts that it contains; `notes` are those that the texts were made of.

    A fact is a name, number, day or thing listed with the note; case does not count. Raises KeyError where a note is
    none of the course's.
    """
    facts = {row["note"]: row["facts"] for row in read_jsonl("messages.jsonl")}
    return [
        float(np.mean([fact.casefold() in text.casefold() for fact in facts[note]]))
        for note, text in zip(notes, texts, strict=True)
    ]
