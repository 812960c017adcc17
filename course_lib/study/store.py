"""What the study found: a file per task, a line of JSON per run, with every answer.

A run is one approach on one task with one seed. Its line holds `task`, `approach`, `seed`, `score`, `low`, `high` (95 %
interval over the held-out cases), `fit_seconds`, `ms_per_request`, `tokens_per_request`, `trained`, `held_out` (numbers
of cases), `chosen` (the settings that development cases chose), `steps` (of training), `predictions` (in the order of
the held-out cases), `on` (kind of processor and of number), `date` and `versions`.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

RESULTS = Path(__file__).parent / "results"
KEY = ["task", "approach", "seed"]


def keep(run: Mapping[str, Any], folder: Path = RESULTS) -> None:
    """Append a run to its task's file. Once this returns, the line is on the disk."""
    path = folder / f"{run['task']}.jsonl"
    with path.open("ab+") as file:
        _drop_torn_line(file)
        file.write(json.dumps(run, ensure_ascii=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _drop_torn_line(file) -> None:
    """Cut off the rest of a line that was not written to its end."""
    file.seek(0)
    whole = file.read().rpartition(b"\n")
    file.truncate(len(whole[0]) + len(whole[1]))


def read_runs(folder: Path = RESULTS) -> pd.DataFrame:
    """All runs, one per row, with the columns named at the top of this file; a torn last line is left out."""
    rows = [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in _whole_lines(path)]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=KEY)


def _whole_lines(path: Path) -> Iterable[str]:
    return path.read_bytes().rpartition(b"\n")[0].decode().splitlines()
