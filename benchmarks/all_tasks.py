"""Every built-in task with every opponent, on all of its held-out cases: results/tasks.csv and results/steps.csv.

`make tasks` runs all of it; `make tasks TASKS="help-topics town-loans"` some. A task takes minutes to an hour on two
cores, and a minute on a GPU. Rows of other tasks in the two files stay as they are.

tasks.csv: the score of each approach, with its 95 % interval, the seconds to fit and the tokens per request; zero-shot
with the wording and retrieval with the k that development cases chose. steps.csv: the tuned model with the number of
steps chosen by early stopping, and with fixed numbers of epochs.
"""

import sys
from datetime import date
from pathlib import Path

import pandas as pd

from course_lib import FewShot, FineTuned, Retrieval, Task, ZeroShot, compare, load_model, load_task, start_session
from course_lib.baselines import NearestExample, embeddings, majority_class, word_counts
from course_lib.lessons import style
from course_lib.lessons.catalogue import load_catalogue
from course_lib.selection import choose
from course_lib.tasks.builtin import BUILT_IN, DRAWN

RESULTS = Path(__file__).parent / "results"
EPOCHS = (4, 8, 16)
NAMES = [name for name in (*DRAWN, *BUILT_IN) if name != "general-knowledge"]  # of eight examples nothing is learned
OURS = {"brand-messages": lambda: style.messages("brand"), "catalogue": lambda: load_catalogue(refusals=True)}


def opponents(task: Task) -> dict:
    """Every approach that applies to the task but the tuned model, by name."""
    has_choices = bool(task.prompt.choices)
    return {
        "majority class": majority_class(),
        **({"word counts": word_counts()} if has_choices else {}),
        "nearest example": NearestExample(),
        **({"embeddings": embeddings()} if has_choices else {}),
        "zero-shot": choose(ZeroShot(), task) if task.wordings else ZeroShot(),
        "few-shot": FewShot(8),
        "few-shot, nearest": FewShot(8, nearest=True),
        **({"retrieval": choose(Retrieval(search_by="embeddings"), task, k=[1, 3])} if task.documents else {}),
    }


def measure(name: str, task: Task) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of one task for tasks.csv and for steps.csv."""
    report = compare(task, {"fine-tuned": FineTuned()})
    report = report.join(compare(task, opponents(task)))
    fixed = compare(task, {f"{epochs} epochs": FineTuned(epochs=epochs) for epochs in EPOCHS})
    steps = report.join(fixed).table.loc[["fine-tuned", *fixed.table.index]]
    steps = steps.assign(
        steps=[(report if one in report.approaches else fixed).approaches[one].steps_ for one in steps.index]
    )
    chosen = {way: str(getattr(one, "best_params_", "")) for way, one in report.approaches.items()}
    made = {"task": name, "training": len(task.train), "held_out": len(task.test), "on": place(), "date": date.today()}
    columns = ["score", "low", "high", "fit_seconds", "tokens_per_request"]
    return (
        report.table[columns].assign(chosen=pd.Series(chosen), **made).reset_index(),
        steps[["score", "low", "high", "fit_seconds", "steps"]].assign(**made).reset_index(),
    )


def place() -> str:
    model = load_model()
    return f"{model.device.type}, {str(model.dtype).removeprefix('torch.')}"


def keep(path: Path, rows: pd.DataFrame) -> None:
    """Write rows into a file in the place of those of the same task."""
    if path.exists():
        before = pd.read_csv(path)
        rows = pd.concat([before[~before["task"].isin(rows["task"])], rows])
    rows.round(4).set_index(["task", "approach"]).to_csv(path)


if __name__ == "__main__":
    start_session()
    for name in sys.argv[1:] or [*NAMES, *OURS]:
        task = OURS[name]() if name in OURS else load_task(name)
        for file, rows in zip(("tasks.csv", "steps.csv"), measure(name, task), strict=True):
            keep(RESULTS / file, rows)
        print(f"{name}: done", flush=True)
