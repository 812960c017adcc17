"""The machine on which something was measured, in a sentence."""

import os
import platform
from pathlib import Path

import psutil
import torch

from course_lib.llm.model import best_dtype

FORMAT = str(best_dtype("cpu")).removeprefix("torch.")  # the numbers this machine computes in fastest


def describe() -> str:
    """Processor, cores, memory, number format and versions."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
    level = torch.backends.cpu.get_cpu_capability()
    return (
        f"{name} ({level}), {os.cpu_count()} cores, {psutil.virtual_memory().total / 1e9:.0f} GB, "
        f"{FORMAT}, torch {torch.__version__}"
    )
