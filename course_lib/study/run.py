"""Run the study: `make study`, or some of its tasks with `make study TASKS="help-topics town-loans"`.

Every run is kept as soon as it is done, and no run that is kept is done again: stop it when you like, and start it
again. Two processes can share the work if they are given different tasks.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator

from ..approaches import FineTuned, Retrieval
from ..comparison import compare
from ..decide.rule import candidates
from ..lessons import style
from ..lessons.catalogue import load_catalogue
from ..llm.model import LanguageModel, load_model
from ..selection import choose
from ..tasks.builtin import BUILT_IN, DRAWN, load_task
from ..tasks.task import Task
from .store import RESULTS, keep, read_runs

NOTHING_TO_LEARN = ("general-knowledge", "town-facts-changed")  # eight examples; the same questions as in town-facts
OURS = {
    "brand-messages": lambda: replace(style.messages("brand"), metric=style.ready_to_send),
    "catalogue": lambda: load_catalogue(refusals=True),
}
NAMES = [name for name in (*DRAWN, *BUILT_IN, *OURS) if name not in NOTHING_TO_LEARN]
SEEDS = range(5)
EPOCHS = (4, 8, 16)  # fixed numbers, beside the number of steps that early stopping chooses
WITH_EPOCHS = ("question-types", "film-sentences", "pottery-finds", "help-topics", "town-notices", "town-loans")


def task_of(name: str, seed: int) -> Task:
    """A task of the study; a drawn one is another draw and another split with each seed."""
    if name in OURS:
        return OURS[name]()
    return load_task(name, seed=seed) if name in DRAWN else load_task(name)


def approaches_to(name: str, task: Task) -> dict[str, BaseEstimator]:
    """What the study compares on a task, by name: the candidates, retrieval with its k chosen, and fixed epochs.

    In the brand's voice the prompts hold the voice guide, which the tuned model does not need.
    """
    every = candidates(task)
    if task.documents:
        every["retrieval"] = choose(Retrieval(search_by="embeddings"), task, k=[1, 3])
    if name == "brand-messages":
        guide = style.messages("brand", guide=True).prompt
        every |= {way: every[way].set_params(prompt=guide) for way in ("zero-shot", "few-shot", "few-shot, nearest")}
    if name in WITH_EPOCHS:
        every |= {f"{epochs} epochs": FineTuned(epochs=epochs) for epochs in EPOCHS}
    return every


def run(name: str, task: Task, way: str, approach: BaseEstimator, seed: int, model: LanguageModel) -> dict[str, Any]:
    """Fit an approach and let it answer: the line that is kept (see store.py)."""
    report = compare(task, {way: approach}, model, seed)
    fitted, row = report.approaches[way], report.table.loc[way]
    measured = ("score", "low", "high", "fit_seconds", "ms_per_request", "tokens_per_request")
    return {
        "task": name,
        "approach": way,
        "seed": seed,
        **{column: round(float(row[column]), 4) for column in measured},
        "trained": len(task.train),
        "held_out": len(task.test),
        "chosen": _chosen(fitted),
        "steps": getattr(fitted, "steps_", None),
        "predictions": report.predictions_of(way),
        "on": f"{model.device.type}, {str(model.dtype).removeprefix('torch.')}",
        "date": str(date.today()),
        "versions": {package: version(package) for package in ("torch", "transformers", "peft", "scikit-learn")},
    }


def _chosen(fitted: BaseEstimator) -> dict[str, Any]:
    """The settings that development cases chose, a prompt by its wording."""
    chosen = getattr(fitted, "best_params_", {})
    return {name: getattr(value, "instruction", value) for name, value in chosen.items()}


def still_to_run(names: list[str], folder: Path = RESULTS) -> Iterator[tuple[str, Task, str, BaseEstimator, int]]:
    """The runs that are not kept yet: the first draw of every task, then the second of every task, and so on."""
    kept = read_runs(folder)
    done = set(zip(kept["task"], kept["approach"], kept["seed"], strict=True))
    for seed in SEEDS:
        for name in names:
            task = task_of(name, seed)
            for way, approach in approaches_to(name, task).items():
                if (name, way, seed) not in done:
                    yield name, task, way, approach, seed


def run_missing(names: list[str], folder: Path = RESULTS) -> None:
    """Make and keep every run that is missing, of some tasks or of all. Raises ValueError for an unknown task."""
    if unknown := sorted(set(names) - set(NAMES)):
        raise ValueError(f"The study has no task {unknown[0]!r}. It has: {', '.join(NAMES)}.")
    model = load_model()
    for name, task, way, approach, seed in still_to_run(names or NAMES, folder):
        kept = run(name, task, way, approach, seed, model)
        keep(kept, folder)
        print(f"{name}, seed {seed}, {way}: {kept['score']:.2f}, fitted in {kept['fit_seconds']:.0f} s", flush=True)
