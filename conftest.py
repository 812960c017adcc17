"""For all tests: progress goes to a folder of its own, and the peak memory of every lesson's kernel is measured."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

LIMIT = 2e9  # bytes: what Binder gives
peaks: dict[str, float] = {}
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
    if item.path.suffix == ".ipynb":
        name = item.path.name
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error, OSError):  # it may have ended meanwhile
                if "ipykernel_launcher" in " ".join(child.cmdline()):
                    peaks[name] = max(peaks.get(name, 0), _peak(child))
        peak = peaks.get(name, 0)
        assert 0 < peak < LIMIT, f"{name} needed {peak / 1e9:.2f} GB of memory (0: no kernel was found to measure)"
    return (yield)


def pytest_terminal_summary(terminalreporter):
    if peaks:
        terminalreporter.section("peak memory of each lesson's kernel")
        for name, peak in sorted(peaks.items()):
            terminalreporter.line(f"{name}: {peak / 1e9:.2f} GB")
