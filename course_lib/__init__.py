"""Adapt a small language model in four ways and compare them: the helper package of the course.

Start with `compare(load_task("roman-pottery"), [ZeroShot(), FewShot(4), Retrieval(), FineTuned()])`. The rooms, from
the top: report and compare; approaches; training, adapter and inference; tasks, metrics and prompts; model and fetch.
"""

import gc
import os

# A thread that waits for others turns in circles some microseconds, which most often is enough, and then sleeps: two
# notebooks that compute at once would else stand in each other's way. The second line is what GNU's library reads,
# which knows only "at once" and "never" by the first. Read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# oneDNN keeps the code that it writes for every size of product in bfloat16: hundreds of MB, were they never dropped.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")

# What is imported stays: looking through it for garbage, again and again, would take a third of the time to start.
gc.disable()

import pandas as pd

from .approaches import FewShot, FineTuned, Retrieval, ZeroShot
from .compare import compare
from .model import load_model
from .report import Report
from .tasks import Task, load_task

gc.freeze()
gc.enable()

# In JupyterLab, "from $5 to $7" in a table would else be set as a formula.
pd.options.display.html.use_mathjax = False

__all__ = ["FewShot", "FineTuned", "Report", "Retrieval", "Task", "ZeroShot", "compare", "load_model", "load_task"]
