"""For all tests: progress goes to a folder of its own, and what every lesson's kernel needs is measured."""

import os
import tempfile
from collections import defaultdict
from contextlib import suppress
from itertools import chain
from pathlib import Path

import psutil
import pytest

from course_lib import start_session

LIMIT = 2e9  # bytes: what Binder gives
needs: dict[str, tuple[float, float]] = {}  # by notebook: peak memory in bytes, seconds of CPU time
# Test files that run side by side share the cores: threads that wait for one another would cost a tenth.
if side_by_side := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    os.environ.setdefault("OMP_NUM_THREADS", str(max((os.cpu_count() or 1) // int(side_by_side), 1)))
start_session()
os.environ["COURSE_PROGRESS"] = str(Path(tempfile.mkdtemp()) / "progress.json")  # kernels inherit it


def _peak(process: psutil.Process) -> float:
    """The most memory a process ever held, in bytes (elsewhere than on Linux: what it holds now)."""
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return process.memory_info().rss


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    peak = None
    if item.path.suffix == ".ipynb":
        name = item.path.name
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error, OSError):  # it may have ended meanwhile
                if "ipykernel_launcher" in " ".join(child.cmdline()):
                    now = (_peak(child), sum(child.cpu_times()[:2]))
                    needs[name] = tuple(map(max, needs.get(name, (0, 0)), now))
        peak, seconds = needs.get(name, (0, 0))
        line = f"{name}: {peak / 1e9:.2f} GB at its peak, {seconds:.0f} CPU seconds"
        item.user_properties.append(("what each lesson's kernel needed", [name, line]))
    done = yield  # the kernel is shut down, whatever it needed
    assert peak is None or 0 < peak < LIMIT, f"{peak / 1e9:.2f} GB of memory (0: no kernel was found to measure)"
    return done


def pytest_terminal_summary(terminalreporter):
    """What tests noted as [name, line] under the title of a section, in whichever process they ran."""
    sections: dict[str, dict[str, str]] = defaultdict(dict)
    for report in chain.from_iterable(terminalreporter.stats.values()):
        if getattr(report, "when", "") == "teardown":
            for title, (name, line) in report.user_properties:
                sections[title][name] = line
    for title, lines in sections.items():
        terminalreporter.section(title)
        for _, line in sorted(lines.items()):
            terminalreporter.line(line)
