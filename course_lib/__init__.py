"""Adapt a small language model in four ways and compare them: the package of the course "When to fine-tune".

Start with `compare(load_task("roman-pottery"), [ZeroShot(), FewShot(4), Retrieval(), FineTuned()])`. To read the code,
start with approaches.py, then comparison.py, report.py and llm/plain.py.

Importing the package changes nothing of the importer's and takes a moment: each public name is imported at its first
use. A notebook of the course calls `start_session()` first.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .approaches import FewShot as FewShot
    from .approaches import FineTuned as FineTuned
    from .approaches import Retrieval as Retrieval
    from .approaches import ZeroShot as ZeroShot
    from .comparison import compare as compare
    from .llm.model import load_model as load_model
    from .report import Report as Report
    from .session import start_session as start_session
    from .tasks.builtin import load_task as load_task
    from .tasks.prompt import Prompt as Prompt
    from .tasks.task import Task as Task

_MODULES = {
    "FewShot": ".approaches",
    "FineTuned": ".approaches",
    "Prompt": ".tasks.prompt",
    "Report": ".report",
    "Retrieval": ".approaches",
    "Task": ".tasks.task",
    "ZeroShot": ".approaches",
    "compare": ".comparison",
    "load_model": ".llm.model",
    "load_task": ".tasks.builtin",
    "start_session": ".session",
}
__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
