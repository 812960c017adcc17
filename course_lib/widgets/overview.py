"""Course progress: lessons by what is done, to look at, to download and to restore."""

from datetime import datetime, timedelta
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

import anywidget
import pandas as pd
import traitlets

from .. import progress as store
from ..exercises import EXERCISES
from .quiz import QUIZZES, load_quiz

PAUSE = timedelta(minutes=10)


def progress() -> "Overview":
    """What you have done so far, with a button that downloads it and one that restores it."""
    return Overview()


def summary(entries: store.Entries) -> pd.DataFrame:
    """A row a lesson: quiz answers right, exercises correct, predictions made, and minutes.

    A quiz question counts by its last answer. Minutes add up the time between entries, longer pauses left out.
    """
    rows = {}
    for path in sorted(QUIZZES.glob("*.json")):
        lesson = path.stem
        mine = {key: kept for key, kept in entries.items() if key.startswith(f"{lesson}/")}
        exercises = [key for key in EXERCISES if key.startswith(f"{lesson}/")]
        solved = sum(any(entry.get("right") for entry in kept) for key, kept in mine.items() if "/exercise/" in key)
        rows[lesson] = {
            "quiz": f"{_last_right(mine, lesson)} of {len(load_quiz(lesson))}",
            "exercises": f"{solved} of {len(exercises)}",
            "predictions": sum("/predict/" in key for key in mine),
            "minutes": round(_active(mine).total_seconds() / 60),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("lesson")


def _last_right(entries: store.Entries, lesson: str) -> int:
    keys = {f"{lesson}/quiz/{question['id']}" for question in load_quiz(lesson)}
    return sum(bool(kept[-1].get("right")) for key, kept in entries.items() if kept and key in keys)


def _active(entries: store.Entries) -> timedelta:
    times = sorted(datetime.fromisoformat(entry["time"]) for kept in entries.values() for entry in kept)
    gaps = (later - earlier for earlier, later in pairwise(times))
    return sum((gap for gap in gaps if gap <= PAUSE), timedelta())


class Overview(anywidget.AnyWidget):
    """The table with its two buttons; plain HTML where no kernel runs."""

    _esm = Path(__file__).with_name("overview.js")
    _css = Path(__file__).with_name("card.css")
    columns = traitlets.List(traitlets.Unicode()).tag(sync=True)
    rows = traitlets.List(traitlets.List(traitlets.Unicode())).tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self._refresh()
        self.on_msg(lambda _widget, message, _buffers: self._receive(message))

    def restore(self, text: str) -> None:
        """Add what stands in the text of a downloaded progress file."""
        try:
            self.said = f"{store.restore(text)} entries restored. Run a lesson's cells again to see them there."
        except (ValueError, OSError) as error:
            self.said = str(error)
        self._refresh()

    def _receive(self, message: dict) -> None:
        if "restore" in message:
            self.restore(message["restore"])
        else:
            self.send({"file": store.as_text(store.entries())})

    def _refresh(self) -> None:
        table = summary(store.entries()).reset_index().astype(str)
        self.columns, self.rows = list(table.columns), table.to_numpy().tolist()

    def __repr__(self) -> str:
        return pd.DataFrame(self.rows, columns=self.columns).to_string(index=False)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        head = "".join(f"<th scope='col'>{escape(column)}</th>" for column in self.columns)
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in self.rows)
        return {**data, "text/plain": repr(self), "text/html": f"<table><tr>{head}</tr>{body}</table>"}, metadata
