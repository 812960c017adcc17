"""Every lesson as on Binder: one core, 2 GB for the server and the kernel together, no network.

binder.sh prepares it and calls `python binder.py FOLDER` in the course's folder. Time, CPU seconds and memory replace
earlier figures in the same number format in FOLDER/benchmarks/results/binder.csv, and go into the tables of README.md
and INSTRUCTORS.md. This process calls no start_session(): the server must get the environment that Binder gives it.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from datetime import date
from pathlib import Path

import nbformat
import pandas as pd
import psutil
from jupyter_client import BlockingKernelClient, find_connection_file
from machine import FORMAT, describe

LIMIT = 2_000_000_000  # bytes
SHOWN = {"minutes": "{:.1f} min", "GB": "{:.1f} GB", "CPU seconds": "{:.0f}"}
PORT, TOKEN = 8899, os.urandom(16).hex()


class Group:
    """A control group (version 1 or 2) with a memory limit."""

    def __init__(self, limit: int):
        root = Path("/sys/fs/cgroup")
        first = (root / "memory").is_dir()
        self.folder = root / ("memory/binder" if first else "binder")
        self.used, self.cached = (
            ("memory.usage_in_bytes", "total_inactive_file") if first else ("memory.current", "inactive_file")
        )
        self.folder.mkdir(exist_ok=True)
        (self.folder / ("memory.limit_in_bytes" if first else "memory.max")).write_text(str(limit))
        swap = self.folder / ("memory.memsw.limit_in_bytes" if first else "memory.swap.max")
        if swap.exists():  # otherwise what does not fit would go there
            swap.write_text(str(limit) if first else "0")

    def join(self) -> None:
        """Put this process and all that it starts into the group."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def memory(self) -> int:
        """The group's memory in bytes, counted as Kubernetes does: without idle file cache."""
        cached = re.search(rf"^{self.cached} (\d+)", (self.folder / "memory.stat").read_text(), re.MULTILINE)
        return int((self.folder / self.used).read_text()) - int(cached[1])


def start_server(group: Group) -> subprocess.Popen:
    """JupyterLab as the image starts it, on one core, in the group."""

    def confine():
        os.sched_setaffinity(0, {0})
        group.join()

    options = ["--allow-root", "--no-browser", f"--ServerApp.port={PORT}", f"--IdentityProvider.token={TOKEN}"]
    return subprocess.Popen(
        ["binder/start", "jupyter", "lab", *options],
        env=os.environ | {"CPU_LIMIT": "1.0"},
        preexec_fn=confine,
        stderr=subprocess.DEVNULL,
    )


def ask(method: str, path: str, body: object = None):
    """The answer of the server's REST interface."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}/api/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"token {TOKEN}"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or "null")


def run_lesson(path: Path, server: psutil.Process, group: Group) -> dict[str, float]:
    """Run all cells of a lesson in a kernel that the server starts; raises RuntimeError if a cell fails."""
    peak, done = 0, threading.Event()

    def watch():
        nonlocal peak
        while not done.wait(0.1):
            peak = max(peak, group.memory())

    def seconds() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in [server, *server.children(recursive=True)])

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    start, used = time.perf_counter(), seconds()
    kernel = {"name": "python3"}
    session = ask("POST", "sessions", {"path": str(path), "name": path.name, "type": "notebook", "kernel": kernel})
    client = BlockingKernelClient(connection_file=find_connection_file(session["kernel"]["id"]))
    client.load_connection_file()
    client.start_channels()
    client.wait_for_ready(timeout=120)
    try:
        for number, cell in enumerate(nbformat.read(path, as_version=4).cells):
            if cell.cell_type == "code":
                reply = client.execute_interactive(cell.source, timeout=900, output_hook=lambda message: None)[
                    "content"
                ]
                if reply["status"] != "ok":
                    raise RuntimeError(f"{path.name}, cell {number}: {reply['ename']}: {reply['evalue']}")
        wall, cpu = time.perf_counter() - start, seconds() - used
    finally:
        done.set()
        watcher.join()
        client.stop_channels()
        ask("DELETE", f"sessions/{session['id']}")
    return {"minutes": wall / 60, "CPU seconds": cpu, "GB": peak / 1e9}


def write(table: pd.DataFrame, folder: Path) -> None:
    """Put the figures beside those of the other number format, in the last two columns of the tables."""
    path = folder / "benchmarks" / "results" / "binder.csv"
    own = table.round(2).reset_index().assign(format=FORMAT, date=str(date.today()), machine=describe())
    kept = pd.read_csv(path)
    every = pd.concat([kept[kept["format"] != FORMAT], own]).sort_values(["format", "lesson"], ascending=[False, True])
    every.to_csv(path, index=False)
    formats = every.groupby("format", sort=False)
    said = "; ".join(f"{name} on {rows['date'].iloc[0]} ({rows['machine'].iloc[0]})" for name, rows in formats)
    said = f"One core, measured by `make binder`, {' / '.join(formats.groups)}: {said}."
    for name, columns in {"README.md": ["minutes", "GB"], "INSTRUCTORS.md": ["GB", "CPU seconds"]}.items():
        text = (folder / name).read_text(encoding="utf-8")
        for lesson, rows in every.groupby("lesson"):
            cells = [" / ".join(SHOWN[column].format(value) for value in rows[column]) for column in columns]
            row = re.compile(rf"^(\| \[?{lesson[:2]} .*) \| [^|]* \| [^|]* \|$", re.MULTILINE)
            text, count = row.subn(rf"\1 | {' | '.join(cells)} |", text)
            assert count == 1, f"{name} has {count} rows for {lesson}"
        text = re.sub(r"^One core, measured .*$", said, text, flags=re.MULTILINE)
        (folder / name).write_text(text, encoding="utf-8")


def main() -> None:
    group = Group(LIMIT)
    server = start_server(group)
    try:
        for _ in range(60):
            time.sleep(1)
            try:
                ask("GET", "status")
                break
            except OSError:
                pass
        else:
            raise RuntimeError("the server does not answer")
        rows = {}
        for path in sorted(Path("notebooks").glob("*.ipynb")):
            rows[path.stem] = run_lesson(path, psutil.Process(server.pid), group)
            print(path.stem, {name: round(value, 2) for name, value in rows[path.stem].items()}, flush=True)
    finally:
        server.terminate()
        server.wait()
    write(pd.DataFrame(rows).T.rename_axis("lesson"), Path(sys.argv[1]))


if __name__ == "__main__":
    main()
