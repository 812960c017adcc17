"""The shape of the house: which module may import which, and what an import does to the process that imports."""

import ast
import json
import os
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import course_lib

PACKAGE = Path(course_lib.__file__).parent


def name_of(path):
    parts = ("course_lib", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in PACKAGE.rglob("*.py")}


def imported(module):
    """The modules of this package that a module imports, wherever in the file it does so."""
    path = FILES[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join([*package[: len(package) - node.level + 1], *(node.module or "").split(".")]).strip(".")
            for alias in node.names:
                found.add(f"{base}.{alias.name}" if f"{base}.{alias.name}" in FILES else base)
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        assert not any(name.startswith("course_lib") for name in names), f"{module}: import from .something instead"
    return found - {module}


IMPORTS = {module: imported(module) for module in FILES}


SET_BY_A_SESSION = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"}


def is_lesson(module):
    return module.startswith("course_lib.lessons")


def test_the_imports_were_read():
    assert "course_lib.llm.fast.prefix" in IMPORTS["course_lib.llm.inference"]
    assert "course_lib.approaches" in IMPORTS["course_lib.comparison"]
    assert sum(map(len, IMPORTS.values())) > 100


def test_the_library_imports_no_lesson():
    # Two stand above both: the command line checks quizzes and collects progress too, the study runs lessons' tasks.
    above = {"course_lib.__main__", "course_lib.study.run"}
    library = [module for module in FILES if not is_lesson(module) and module not in above]
    assert [(module, one) for module in library for one in IMPORTS[module] if is_lesson(one)] == []


def test_there_is_no_circle():
    # course_lib/__init__.py only names what others define, and imports it when it is first used.
    graph = {module: others - {"course_lib"} for module, others in IMPORTS.items() if module != "course_lib"}
    assert len(list(TopologicalSorter(graph).static_order())) == len(graph)  # raises CycleError


def run(code):
    """What a process of its own prints as JSON; its environment is as it was before the tests' own session began."""
    environment = {name: value for name, value in os.environ.items() if name not in SET_BY_A_SESSION}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


LIGHT = sorted(
    module
    for module in FILES
    if module.startswith("course_lib.tasks")
    or module.removeprefix("course_lib.") in {"baselines", "intervals", "metrics", "plots", "prices", "selection"}
)


def test_tasks_metrics_and_pictures_need_no_torch():
    code = "import importlib, json, sys\n"
    code += "".join(f"importlib.import_module({module!r})\n" for module in LIGHT)
    code += "print(json.dumps(sorted({'torch', 'transformers', 'peft', 'course_lib.approaches'} & set(sys.modules))))"
    assert run(code) == []


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import course_lib", {"torch", "transformers", "pandas", "numpy", "sklearn", "matplotlib"}),
        (
            "from course_lib.__main__ import main; assert main(['quizzes', 'check']) == 0",
            {"torch", "transformers", "pandas", "numpy", "sklearn", "matplotlib"},
        ),
    ],
)
def test_importing_is_lazy_where_it_pays(code, heavy):
    assert set(run(f"{code}\nimport json, sys; print(json.dumps([*sys.modules]))")) & heavy == set()


SURPRISES = f"""
import gc, importlib, json, locale, os, random, signal, socket, sys, warnings
import accelerate, anywidget, bm25s, datasets, IPython, ipywidgets, matplotlib.pyplot, numpy, pandas, peft, sklearn
import scipy.stats, sklearn.frozen, sklearn.linear_model, sklearn.model_selection, sklearn.pipeline
import torch, transformers, transformers.utils.notebook
from peft.tuners import lora
from transformers import AutoModelForCausalLM, Trainer

def state():
    return {{
        "collector": [gc.isenabled(), gc.get_freeze_count(), gc.get_threshold()],
        "environment": dict(os.environ),
        "folder and path": [os.getcwd(), sys.path],
        "hooks": [repr(hook) for hook in (sys.excepthook, sys.displayhook, signal.getsignal(signal.SIGINT))],
        "locale": locale.setlocale(locale.LC_ALL),
        "matplotlib": {{key: str(value) for key, value in matplotlib.rcParams.items()}},
        "pandas": repr(pandas.options.display.__dict__) + repr(pandas.options.mode.__dict__),
        "random": repr(random.getstate()),
        "random, numpy": repr(numpy.random.get_state()),
        "random, torch": torch.get_rng_state().tolist(),
        "threads": [torch.get_num_threads(), torch.get_default_dtype().__repr__(), socket.getdefaulttimeout()],
        "transformers": transformers.logging.get_verbosity(),
        "warnings": [repr(entry) for entry in warnings.filters],
    }}

before = state()
for module in {sorted(set(FILES) - {"course_lib.__main__"})!r}:
    importlib.import_module(module)
import course_lib
for name in course_lib.__all__:
    getattr(course_lib, name)
after = state()
print(json.dumps([key for key in before if before[key] != after[key]]))
"""


def test_importing_changes_nothing_of_the_importers():
    """With the packages that course_lib uses imported before, so that what these do is not taken for ours."""
    assert run(SURPRISES) == []


def test_a_session_of_the_course_is_started_by_a_call():
    code = """
import gc, json, os
from course_lib import start_session
before = [gc.get_freeze_count(), os.environ.get("OMP_WAIT_POLICY")]
start_session()
start_session()
import pandas
after = [gc.get_freeze_count() > 0, os.environ["OMP_WAIT_POLICY"], gc.isenabled()]
print(json.dumps([before, after, pandas.options.display.html.use_mathjax]))
"""
    assert run(code) == [[0, None], [True, "passive", True], False]
