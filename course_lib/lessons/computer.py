"""What this computer is, and how long the lessons take on it."""

import os
import platform
import time

import pandas as pd
import psutil

from ..approaches import FineTuned
from ..llm.model import LanguageModel, load_model
from ..tasks.builtin import load_task

EPOCHS = 8  # of lesson 01


def check_computer() -> pd.DataFrame:
    """A table of what the course runs on, with the time of lesson 01's fine-tuning measured on a small part of it.

    One column, `here`. The estimate includes the set-up of a training, so the lesson itself is a little faster.
    """
    model = load_model()
    memory = psutil.virtual_memory()
    rows = {
        "Python": platform.python_version(),
        "processor cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory free": f"{memory.available / 1e9:.1f} GB of {memory.total / 1e9:.1f} GB (a lesson needs 2 GB)",
        "model": model.name.rpartition("/")[2],
        "computes in": f"{str(model.dtype).removeprefix('torch.')}, on the {model.device.type}",
        "lesson 01's fine-tuning": f"at most about {_fine_tuning_seconds(model):.0f} s",
    }
    return pd.DataFrame({"here": rows})


def _fine_tuning_seconds(model: LanguageModel) -> float:
    """The time of lesson 01's fine-tuning, estimated from one epoch on 64 of its examples."""
    task = load_task("roman-pottery")
    for count in (16, 64):  # the first run also loads what later ones share; the second is timed
        sample = task.train[:count]
        start = time.perf_counter()
        FineTuned(epochs=1, prompt=task.prompt, model=model).fit(sample["input"], sample["output"])
    return (time.perf_counter() - start) / count * len(task.train) * EPOCHS
