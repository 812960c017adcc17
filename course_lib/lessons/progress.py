"""What the learner has answered, kept in one readable file.

The file only ever grows: every answer, guess and exercise is appended under its key with its time, so nothing that
was written is lost, not even by starting over. A write is complete or did not happen (a new file replaces the old
one), and two notebooks that write at once wait for each other.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from .places import course_folder

Entries = dict[str, list[dict[str, Any]]]


def progress_file() -> Path:
    """The file: the one that the environment variable COURSE_PROGRESS names, or `progress.json` in course_folder()."""
    return Path(os.environ.get("COURSE_PROGRESS") or course_folder() / "progress.json")


def append(key: str, **entry: Any) -> None:
    """Keep an entry under `key` (`lesson/kind/name`); when this returns, it is on the disk.

    Raises OSError with the remedy where it could not be kept.
    """
    path = progress_file()
    with _lock(path):
        entries = _read(path)
        entries.setdefault(key, []).append({"time": datetime.now(UTC).isoformat(timespec="seconds"), **entry})
        _write(path, entries)


def entries(key: str = "") -> Entries:
    """All entries under keys that begin with `key`, each key's in the order in which they were written."""
    path = progress_file()
    with _lock(path):
        return {name: kept for name, kept in _read(path).items() if name.startswith(key)}


def restore(text: str) -> int:
    """Add the entries of another progress file, given as its text, to this one; returns how many were new.

    Raises ValueError with a sentence where the text is no progress file.
    """
    others = parse(text)
    path = progress_file()
    with _lock(path):
        kept = _read(path)
        new = 0
        for key, theirs in others.items():
            mine = kept.setdefault(key, [])
            missing = [entry for entry in theirs if entry not in mine]
            mine += missing
            mine.sort(key=lambda entry: entry["time"])
            new += len(missing)
        _write(path, kept)
    return new


def as_text(entries: Entries) -> str:
    """The text of a progress file."""
    return json.dumps({"format": 1, "entries": entries}, indent=1, ensure_ascii=False)


def parse(text: str) -> Entries:
    """The entries in the text of a progress file; raises ValueError with a sentence where it is none."""
    try:
        found = json.loads(text)["entries"]
        if all(datetime.fromisoformat(entry["time"]).tzinfo for kept in found.values() for entry in kept):
            return found
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise ValueError("This is not a progress file of the course: choose the progress.json that you downloaded.")


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Keep others from writing. Raises OSError with the remedy where the disk is full or the folder closed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Where nothing can be written, no lock can be made, and none is needed to read.
        with FileLock(f"{path}.lock") if os.access(path.parent, os.W_OK) else nullcontext():
            yield
    except OSError as error:
        raise OSError(
            f"This could not be kept in {path} ({error.strerror or error}). Make room or allow writing there, then try "
            f"again; what was kept before is still there."
        ) from error


def _read(path: Path) -> Entries:
    if not path.exists():
        return {}
    try:
        return parse(path.read_text(encoding="utf-8"))
    except ValueError:
        aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}")
        os.replace(path, aside)
        print(f"{path.name} could not be read. It is kept as {aside.name}, and a new one was begun.", file=sys.stderr)
        return {}


def _write(path: Path, entries: Entries) -> None:
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            file.write(as_text(entries))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        unfinished.unlink(missing_ok=True)  # a full disk needs its room
        raise
    os.replace(unfinished, path)
