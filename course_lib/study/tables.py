"""The study as two tables to read, results/README.md."""

from pathlib import Path

import pandas as pd

from ..decide.rule import CHEAPEST_FIRST, TUNED
from .run import EPOCHS
from .store import RESULTS, read_runs

HEAD = """\
# What the study found

Written by `make study` from the files beside it; see `course_lib/study/store.py` for what a line of them holds. Each
figure is the mean over the draws made so far, which the last column counts. Zero-shot has the wording of the prompt,
retrieval the number of passages and fine-tuned the number of steps that development cases chose, never the held-out
ones. A dash: the approach does not apply, or has not been run yet.

## Every task with every opponent
"""
STEPS = """
## Early stopping

Fine-tuned with the number of steps chosen on a quarter of the training examples, and with fixed numbers of epochs: the
score, and in brackets the seconds of training. The last column is what choosing costs, in seconds of training per
second of the best fixed number.
"""
FIXED = [f"{epochs} epochs" for epochs in EPOCHS]


def opponents(runs: pd.DataFrame) -> pd.DataFrame:
    """A row per task, a column per approach, with the numbers of cases and draws."""
    means = runs.pivot_table("score", "task", "approach", sort=False).reindex(columns=list(CHEAPEST_FIRST))
    cases = runs.groupby("task", sort=False)[["trained", "held_out"]].first()
    draws = runs.groupby("task", sort=False)["seed"].nunique()
    texts = means.map(lambda score: "–" if pd.isna(score) else f"{score:.2f}")
    return cases.join(texts).assign(draws=draws)


def early_stopping(runs: pd.DataFrame) -> pd.DataFrame:
    """A row per task on which fixed numbers of epochs were run: score and seconds of each, and what choosing costs."""
    kept = runs[runs["approach"].isin([TUNED, *FIXED])]
    scores = kept.pivot_table("score", "task", "approach", sort=False).reindex(columns=[TUNED, *FIXED]).dropna()
    seconds = kept.pivot_table("fit_seconds", "task", "approach", sort=False).reindex_like(scores)
    best = scores[FIXED].idxmax(axis="columns")
    rows = scores.map("{:.2f}".format) + seconds.map(" ({:.0f})".format)
    rows["choosing costs"] = [
        f"{seconds.loc[task, TUNED] / seconds.loc[task, way]:.1f} times" for task, way in best.items()
    ]
    return rows


def markdown(table: pd.DataFrame) -> str:
    """A table with its index as Markdown."""
    lines = [["task", *map(str, table.columns)], ["---"] * (len(table.columns) + 1)]
    lines += [[str(task), *map(str, row)] for task, row in zip(table.index, table.to_numpy(), strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(runs: pd.DataFrame) -> str:
    return "\n".join([HEAD, markdown(opponents(runs)), STEPS, markdown(early_stopping(runs)), ""])


def write(folder: Path = RESULTS) -> None:
    (folder / "README.md").write_text(page(read_runs(folder)), encoding="utf-8")
