"""What goes wrong on real computers, made to happen: nothing is lost, and what is said can be acted on.

More of it stands beside what it concerns: kills while saving in test_progress.py, damage to the model and two
notebooks with an empty cache in test_model.py, files that cannot be used in test_tables.py.
"""

import ast
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

from course_lib import Task, compare
from course_lib.decide.page import write_report
from course_lib.decide.rule import candidates, recommend
from course_lib.lessons import progress
from course_lib.lessons.exercises import exercise
from course_lib.lessons.widgets import ProgressPanel, Quiz
from course_lib.llm.bundled import GGUF, bundled_model
from course_lib.wheels import FetchError, PackagedFile, Wheel, cache_folder, fetch, sha256

LESSON, QUESTION = "01-why-fine-tune", "primary-benefit"
ODD = "Zoë's première année"  # a folder may be called so
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # the locale, and Python is not to mend it
INTERRUPTS = 16


def forking(test):
    """Mark a test that forks a process."""
    linux = pytest.mark.skipif(sys.platform != "linux", reason="forks a process")
    return linux(pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")(test))


# A kernel that is stopped and killed


class Kernel:
    """A real kernel in which a notebook of the course has begun."""

    BEGIN = """
import time
from test_training import fingerprint
from course_lib import FineTuned, load_model, load_task
from course_lib.lessons.widgets import Quiz
task, model = load_task("help-topics"), load_model()
few = task.train[:2]

def fit_and_predict():
    tuned = FineTuned(layers=1, epochs=1, prompt=task.prompt, random_state=0).fit(few["input"], few["output"])
    return tuned.losses_, tuned.predict(task.test["input"][:2]).tolist()
"""

    def __init__(self, folder):
        self.progress = folder / "progress.json"
        environment = os.environ | {"COURSE_PROGRESS": str(self.progress)}
        tests = Path(__file__).parent
        self.manager, self.client = start_new_kernel(kernel_name="python3", env=environment, cwd=tests)
        self.run(self.BEGIN)

    def begin(self, code, wanted=""):
        """Send a cell off; returns what `end` waits for."""
        # A cell that was interrupted would take the next one with it, if that comes faster than a person can click.
        return self.client.execute(code, user_expressions={"wanted": wanted or "None"}, stop_on_error=False)

    def wait_for_start(self, cell):
        """Wait until a cell prints something: a signal before its own code runs makes ipykernel lose the message."""
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            if (message["msg_type"], message["parent_header"].get("msg_id")) == ("stream", cell):
                return

    def end(self, cell):
        """Wait for a cell; returns the reply to it."""
        while True:
            reply = self.client.get_shell_msg(timeout=120)
            if reply["parent_header"].get("msg_id") == cell:
                return reply["content"]

    def run(self, code, wanted=""):
        """Run a cell without error; returns the value of `wanted`."""
        reply = self.end(self.begin(code, wanted))
        assert reply["status"] == "ok", reply
        return ast.literal_eval(reply["user_expressions"]["wanted"]["data"]["text/plain"])

    def restart(self):
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=120)
        self.run(self.BEGIN)

    def state(self):
        """The hash of the base model's weights, and what a small fit comes to."""
        return self.run("", "(fingerprint(model.network), fit_and_predict())")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    kernel = Kernel(tmp_path_factory.mktemp("kernel"))
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


def test_a_kernel_interrupted_at_any_moment_is_used_on(kernel, fault):
    before, dice, ends = kernel.state(), random.Random(0), Counter()
    timed = "start = time.monotonic(); fit_and_predict()"
    duration = min(kernel.run(timed, "time.monotonic() - start") for _ in range(3))  # when nothing else disturbs
    for number in range(INTERRUPTS):
        # The pause: a signal just after the end of a cell makes ipykernel lose the reply to it.
        cell = kernel.begin("print('begun', flush=True); fit_and_predict(); time.sleep(5)")
        kernel.wait_for_start(cell)
        time.sleep(dice.uniform(0, duration))
        kernel.manager.interrupt_kernel()
        with fault:
            end = kernel.end(cell).get("ename", "finished")
            ends[end] += 1
            assert end in ("KeyboardInterrupt", "finished")
            if number % 10 == 9:
                assert kernel.state() == before
    assert ends["KeyboardInterrupt"] >= INTERRUPTS / 2, ends  # or nothing was tried
    print(f"{INTERRUPTS} interrupts: {dict(ends)}")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="sends SIGKILL")
def test_a_kernel_killed_while_training_loses_nothing(kernel, fault):
    kernel.run(f'Quiz("{LESSON}").answer("{QUESTION}", 1)')
    before, text = kernel.state(), kernel.progress.read_bytes()
    kernel.begin('FineTuned(epochs=1000, prompt=task.prompt).fit(few["input"], few["output"])')
    while "Fine-tuning" not in str(kernel.client.get_iopub_msg(timeout=60)["content"].get("data")):
        pass  # the bar of the training has not come yet
    time.sleep(1)
    os.kill(kernel.manager.provisioner.pid, signal.SIGKILL)
    with fault:
        assert kernel.progress.read_bytes() == text
        kernel.restart()
        assert kernel.run("", f'Quiz("{LESSON}").summary') == "1 of 6 right"
        assert kernel.state() == before


# A line that breaks, a cache that is damaged


class Index(BaseHTTPRequestHandler):
    """Serves one wheel as a package index does; in the middle of it the line may break or stall."""

    def do_GET(self):
        index = self.server.index
        body = f'<a href="/{index.wheel.name}">{index.wheel.name}</a>'.encode()
        if is_wheel := self.path.endswith(".whl"):
            body = index.wheel.read_bytes()
            index.downloads += 1
        half = len(body) // 2 if is_wheel and index.line != "good" else len(body)
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:half])
        if is_wheel and index.line == "stalls":
            index.stalled.set()
            index.over.wait(60)

    def log_message(self, *_):
        pass


class Package:
    """A package on an index of this computer, and the file in it that the course wants."""

    def __init__(self, folder):
        self.wheel = folder / "course_test_data-1-py3-none-any.whl"
        self.line, self.downloads = "good", 0
        self.stalled, self.over = threading.Event(), threading.Event()

    def publish(self, content):
        about = "course_test_data-1.dist-info"
        with zipfile.ZipFile(self.wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("course_test_data/data.bin", content)
            archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: course-test-data\nVersion: 1\n")
            archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{about}/RECORD", "")
            with archive.open("course_test_data/data.bin") as data:
                (self.wheel.parent / "data.bin").write_bytes(data.read())

    @property
    def file(self):
        wheel = Wheel("course-test-data==1", sha256(self.wheel), "The test's package")
        return PackagedFile(wheel, "course_test_data/data.bin", sha256(self.wheel.parent / "data.bin"))


@pytest.fixture
def package(tmp_path, monkeypatch):
    package = Package(tmp_path)
    package.publish(random.Random(0).randbytes(300_000))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    server.index = package
    threading.Thread(target=server.serve_forever).start()
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / ODD))
    settings = {"INDEX_URL": f"http://127.0.0.1:{server.server_port}", "CONFIG_FILE": os.devnull, "NO_CACHE_DIR": "1"}
    for name, value in settings.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield package
    package.over.set()
    server.shutdown()
    server.server_close()


def cached():
    """What lies in the cache, apart from locks."""
    return {path.name for path in cache_folder().iterdir() if path.suffix != ".lock"}


def test_a_download_broken_half_way_is_said_and_begun_again(package, fault):
    package.line = "breaks"
    with fault:
        with pytest.raises(
            FetchError, match=r"downloaded \(what came is incomplete.*\)\. Connect to the network .* run:"
        ):
            fetch(package.file)
        assert cached() == set()
        package.line = "good"
        (path,) = fetch(package.file)
        assert package.file.matches(path)


@pytest.mark.parametrize("damage", ["truncated", "altered", "emptied"])
def test_a_damaged_cached_file_is_fetched_again_or_named(package, monkeypatch, damage, fault):
    (path,) = fetch(package.file)
    content = path.read_bytes()
    damaged = {"truncated": content[:1000], "altered": content[:1000] + b"!" + content[1001:], "emptied": b""}[damage]
    path.write_bytes(damaged)
    with fault:
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        with pytest.raises(FetchError, match="The test's package is not .* Connect to the network once and run"):
            fetch(package.file)
        monkeypatch.delenv("PIP_NO_INDEX")
        assert fetch(package.file) == [path]
        assert path.read_bytes() == content
        assert package.downloads == 2


def test_another_wheel_or_file_than_the_pinned_one_is_refused(package):
    file, other = package.file, "0" * 64
    with pytest.raises(FetchError, match=r"\(what came is incomplete or not the published file"):
        fetch(replace(file, wheel=replace(file.wheel, sha256=other)))
    with pytest.raises(FetchError, match=r"data\.bin in course-test-data==1 is not the file that is pinned: report it"):
        fetch(replace(file, sha256=other))
    assert cached() == set()


@forking
def test_two_processes_fetch_once(package, fault):
    both = [multiprocessing.get_context("fork").Process(target=fetch, args=(package.file,)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    with fault:
        assert [process.exitcode for process in both] == [0, 0]
        assert package.file.matches(*fetch(package.file))
        assert package.downloads == 1


@forking
def test_a_process_killed_while_downloading_leaves_no_rest(package, fault):
    package.line = "stalls"
    process = multiprocessing.get_context("fork").Process(target=fetch, args=(package.file,))
    process.start()
    assert package.stalled.wait(60)
    process.kill()
    process.join()
    assert cached() != set()
    package.line = "good"
    with fault:
        assert package.file.matches(*fetch(package.file))
        assert cached() == {"data.bin"}


# A disk that is full, a folder that can only be read


class Disk:
    """A real file system of its own, in memory."""

    def __init__(self, folder):
        self.folder = folder
        self.folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder]
        if sys.platform != "linux" or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("only root on Linux can mount a disk for the test")

    def change(self, option):
        subprocess.run(["mount", "-o", f"remount,{option}", self.folder], check=True)


@pytest.fixture
def disk(tmp_path):
    disk = Disk(tmp_path / ODD)
    yield disk
    subprocess.run(["umount", disk.folder], check=True)


@pytest.mark.parametrize("too_large", ["the package", "what is in it"])
def test_a_full_disk_while_downloading_is_said_and_made_good(package, disk, too_large, fault):
    package.publish(random.Random(0).randbytes(3_000_000) if too_large == "the package" else bytes(3_000_000))
    with fault:
        with pytest.raises(FetchError, match=rf"cannot be stored in .*{ODD} \(No space left on device\)\. Make room"):
            fetch(package.file)
        assert cached() == set()
        disk.change("size=20m")
        assert package.file.matches(*fetch(package.file))


def test_a_full_disk_while_converting_is_said_and_the_download_kept(disk, monkeypatch, fault):
    monkeypatch.setenv("COURSE_CACHE", str(disk.folder))
    disk.change("size=250m")  # enough for the download, not for the model
    with fault:
        with pytest.raises(FetchError, match=r"The model .* cannot be stored in .*No space left.*\. Make room"):
            bundled_model()
        assert {Path(name).suffix for name in cached()} == {".gguf"}
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        assert fetch(GGUF)  # whole, and not downloaded again


@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_progress_that_cannot_be_kept_is_said_and_the_old_stays(disk, monkeypatch, trouble, fault):
    monkeypatch.setenv("COURSE_PROGRESS", str(disk.folder / "progress.json"))
    path, rest = progress.progress_file(), disk.folder / "rest"
    card = Quiz(LESSON)
    card.answer(QUESTION, 1)
    before, entries = path.read_bytes(), progress.entries()
    if trouble == "full":
        subprocess.run(["dd", "if=/dev/zero", f"of={rest}"], capture_output=True)  # until no room is left
    else:
        disk.change("ro")
    reason = {"full": "No space left on device", "read-only": "Read-only file system"}[trouble]
    said = f"This could not be kept in {path} ({reason}). Make room or allow writing there, then try again;"
    with fault:
        card.answer(QUESTION, 0)
        shown = card.state[QUESTION]
        assert shown["feedback"].startswith(said)
        assert (shown["answer"], shown["verdict"], shown["tries"]) == (1, "right", 1)
        card.reset()
        assert card.summary.startswith(said)
        assert QUESTION in card.state
        tried = exercise("00-start-here/own-questions")
        assert re.search(r"^Not yet: make a task.*This could not be kept", repr(tried.check("a task")))
        assert said in repr(tried.hint())
        panel = ProgressPanel()
        panel.restore('{"entries": {"a/quiz/b": [{"time": "2026-01-01T00:00:00+00:00"}]}}')
        assert panel.said.startswith(said)
        assert path.read_bytes() == before
        assert {each.name for each in disk.folder.iterdir()} <= {path.name, f"{path.name}.lock", rest.name}
        assert Quiz(LESSON).summary == "1 of 6 right"  # it can still be read
        assert progress.entries() == entries
        if trouble == "full":
            rest.unlink()
        else:
            disk.change("rw")
        card.answer(QUESTION, 0)
        assert [entry["answer"] for entry in progress.entries()[f"{LESSON}/quiz/{QUESTION}"]] == [1, 0]


def test_a_full_disk_while_writing_a_report_is_said_and_made_good(disk, fault):
    pairs = [(f"{'refund' if number % 2 else 'parcel'} {number}", str(number % 2)) for number in range(40)]
    task = Task.from_examples("mine", "", pairs[:20], pairs[20:], choices="01")
    report = compare(task, {name: candidates(task)[name] for name in ("majority class", "word counts")})
    path, recommendation = disk.folder / "mine.html", recommend(report)
    disk.change("size=8k")
    with fault:
        with pytest.raises(OSError, match=r"report cannot be written to .*mine\.html \(No space left.*\)\. Make room"):
            write_report(path, report, recommendation)
        assert list(disk.folder.iterdir()) == []
        disk.change("size=1m")
        assert write_report(path, report, recommendation).read_text(encoding="utf-8").endswith("</html>\n")


# Other circumstances, the same results

SHORT_LESSON = """
import json, sys
asked = []
calls = {"socket.connect", "socket.getaddrinfo"}
sys.addaudithook(lambda call, given: asked.append(str(given)) if call in calls else None)

import torch
from course_lib import FineTuned, Task, compare, load_task
from course_lib.decide.page import write_report
from course_lib.decide.rule import candidates, recommend
from course_lib.lessons.widgets import Quiz
from course_lib.tasks.builtin import BUILT_IN, DRAWN

table, report_file = sys.argv[1:]
cases = [len(load_task(name).test) for name in (*DRAWN, *BUILT_IN)]
task = Task.from_table(table, instruction="Zu groß?")
names = ("majority class", "word counts", "nearest example", "embeddings", "zero-shot")
cheap = {name: candidates(task)[name] for name in names}
report = compare(task, {**cheap, "fine-tuned": FineTuned(layers=1, epochs=1)})
write_report(report_file, report, recommend(report))
card = Quiz("01-why-fine-tune")
card.answer("share-trained", "„0,6“ größer")
card.answer("primary-benefit", 1)
said = [shown["feedback"] for shown in card.state.values()]
predicted = report.predictions["prediction"].tolist()
print(json.dumps([cases, repr(task), predicted, said, asked, torch.get_num_threads()]))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home folder with a name of its own, in which the course was set up."""
    home = tmp_path_factory.mktemp("homes") / ODD
    bundled_model()
    shutil.copytree(cache_folder(), home / "cache")
    rows = [(f"Schuh Nr. {number}", "zu groß" if number > 40 else "prêt") for number in range(33, 49)]
    (home / f"{ODD}.csv").write_text("input,output\n" + "\n".join(map(",".join, rows)), encoding="utf-8")
    return home


def short_lesson(home, folder, before=(), **environment):
    """Run it in a process of its own that writes to `folder`; returns what it printed."""
    folder.mkdir(exist_ok=True)
    script = folder / "lesson.py"
    script.write_text(SHORT_LESSON, encoding="utf-8")
    environment = {"COURSE_CACHE": str(home / "cache"), "COURSE_PROGRESS": str(folder / "progress.json")} | environment
    environment = os.environ | environment
    environment.pop("OMP_NUM_THREADS", None)  # it finds by itself on how many cores it may compute
    command = [*before, sys.executable, script, home / f"{ODD}.csv", folder / f"{ODD}.html"]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=600)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def plain(home, tmp_path_factory):
    return short_lesson(home, tmp_path_factory.mktemp("plain"))


def namespace(*kinds):
    """The beginning of a command that runs in a namespace of its own."""
    command = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), *kinds]
    if sys.platform != "linux" or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("this system gives no namespace")
    return command


@pytest.mark.parametrize("where", ["without network", "on one core", "not in UTF-8", "read-only home"])
def test_the_same_comes_out(home, plain, tmp_path, where, fault):
    before, environment = [], {}
    if where == "without network":
        before = namespace("--net")
    elif where == "on one core":
        before = ["taskset", "--cpu-list", str(min(os.sched_getaffinity(0)))]
    elif where == "not in UTF-8":
        environment = ASCII | {"COURSE_CACHE": str(cache_folder())}  # tokenizers cannot open ODD then
    else:
        closed = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
        before = [*namespace("--mount"), "sh", "-c", closed, home]
        environment = {"HOME": str(home), "COURSE_PROGRESS": str(home / "progress.json")}
    with fault:
        cases, task, predicted, said, asked, threads = short_lesson(home, tmp_path / ODD, before, **environment)
        assert [cases, task, predicted] == plain[:3]
        assert asked == []
        assert threads == 1 or where != "on one core"
        assert said[0].startswith("'„0,6“ größer' is not a number")
        assert ("could not be kept" if where == "read-only home" else "Right.") in said[1]
        assert (tmp_path / ODD / f"{ODD}.html").stat().st_size > 10_000


def test_a_terminal_that_is_not_utf_8_gets_the_report_all_the_same(home, tmp_path, fault):
    report = tmp_path / "report.html"
    command = [sys.executable, "-m", "course_lib", "compare", home / f"{ODD}.csv", "--report", report, "--rows", "12"]
    done = subprocess.run(command, env=os.environ | ASCII, capture_output=True, timeout=600)
    with fault:
        assert done.returncode == 0, done.stderr[-2000:]
        assert b"zero-shot" in done.stdout
        assert "zu groß" in report.read_text(encoding="utf-8")


STARVED = """
from resource import RLIM_INFINITY, RLIMIT_AS, setrlimit
import psutil
from course_lib import FineTuned, load_task
from course_lib.lessons.widgets import Quiz
task, card = load_task("film-sentences"), Quiz("01-why-fine-tune")
few = task.train[:8]

def fit():
    return FineTuned(layers=2, epochs=1, prompt=task.prompt, random_state=0).fit(few["input"], few["output"]).losses_

losses, failed = fit(), 0
for spare in (0, 2**18, 2**20):
    setrlimit(RLIMIT_AS, (psutil.Process().memory_info().vms + spare, RLIM_INFINITY))
    try:
        fit()
    except MemoryError as error:
        assert "smaller batch_size" in str(error)
        failed += 1
    card.answer("primary-benefit", failed % 2)
    setrlimit(RLIMIT_AS, (RLIM_INFINITY, RLIM_INFINITY))
print(failed, card.state["primary-benefit"]["tries"], fit() == losses)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_a_process_without_memory_keeps_its_progress(fault):
    done = subprocess.run([sys.executable, "-c", STARVED], capture_output=True, text=True, timeout=600)
    with fault:
        assert done.returncode == 0, done.stderr[-2000:]
        failed, accepted, learns_on = done.stdout.split()
        assert int(failed) > 0  # or there was no lack
        assert len(progress.entries()[f"{LESSON}/quiz/{QUESTION}"]) == int(accepted) == 3
        assert learns_on == "True"
