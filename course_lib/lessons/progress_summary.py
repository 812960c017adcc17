"""What a learner has done, as a table: for the progress panel in the notebooks and for instructors."""

from datetime import datetime, timedelta
from itertools import pairwise

import pandas as pd

from .exercises import EXERCISES
from .places import QUIZZES
from .progress import Entries
from .quizzes import load_quiz

PAUSE = timedelta(minutes=10)


def summary(entries: Entries) -> pd.DataFrame:
    """A row for each lesson: quiz answers right, exercises correct, predictions made, and minutes.

    A quiz question counts by its last answer. Minutes add up the time between entries; longer pauses are left out.
    """
    rows = {}
    for lesson in sorted(path.stem for path in QUIZZES.glob("*.json")):
        mine = {key: kept for key, kept in entries.items() if key.startswith(f"{lesson}/")}
        exercises = [key for key in EXERCISES if key.startswith(f"{lesson}/")]
        solved = sum(any(entry.get("right") for entry in kept) for key, kept in mine.items() if "/exercise/" in key)
        questions = load_quiz(lesson)
        rows[lesson] = {
            "quiz": f"{_last_right(mine, lesson, questions)} of {len(questions)}",
            "exercises": f"{solved} of {len(exercises)}",
            "predictions": sum("/predict/" in key for key in mine),
            "minutes": round(_active(mine).total_seconds() / 60),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("lesson")


def _last_right(entries: Entries, lesson: str, questions: list[dict]) -> int:
    keys = {f"{lesson}/quiz/{question['id']}" for question in questions}
    return sum(bool(kept[-1].get("right")) for key, kept in entries.items() if kept and key in keys)


def _active(entries: Entries) -> timedelta:
    times = sorted(datetime.fromisoformat(entry["time"]) for kept in entries.values() for entry in kept)
    gaps = (later - earlier for earlier, later in pairwise(times))
    return sum((gap for gap in gaps if gap <= PAUSE), timedelta())
