"""What the learner has answered, kept in one readable file beside the notebooks' folder.

The file only ever grows: every answer, guess and exercise is appended under its key with its time, so nothing that
was written is lost, not even by starting over. A write is complete or did not happen (a new file replaces the old
one), and two notebooks writing at once wait for each other.
"""

import json
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

Entries = dict[str, list[dict[str, Any]]]


def progress_file() -> Path:
    """The file: `progress.json` in the course's folder, or what the environment variable COURSE_PROGRESS names."""
    return Path(os.environ.get("COURSE_PROGRESS") or Path(__file__).parents[1] / "progress.json")


def append(key: str, **entry: Any) -> None:
    """Keep an entry under `key` (`lesson/kind/name`); when this returns it is on the disk."""
    path = progress_file()
    with _lock(path):
        entries = _read(path)
        entries.setdefault(key, []).append({"time": datetime.now(UTC).isoformat(timespec="seconds"), **entry})
        _write(path, entries)


def entries(key: str = "") -> Entries:
    """All that is kept under keys that begin with `key`, in the order in which it came."""
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


def _lock(path: Path) -> FileLock:
    return FileLock(path.with_name(path.name + ".lock"))


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
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name, delete=False, encoding="utf-8") as file:
        try:
            file.write(as_text(entries))
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            Path(file.name).unlink(missing_ok=True)
            raise
    os.replace(file.name, path)
