"""The package as others install it: a wheel in an environment of its own, used from a folder of its own."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel from a copy of the source: a build leaves a folder beside it, which the next build would take in."""
    source = tmp_path_factory.mktemp("source")
    for folder in ("course_lib", "quizzes"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", source / "dist", source]
    subprocess.run([sys.executable, "-m", "pip", *command], check=True, capture_output=True)
    return next((source / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """A fresh environment with the wheel in it; what the wheel depends on is taken from that of the tests."""
    folder = tmp_path_factory.mktemp("elsewhere") / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    there = sysconfig.get_path("purelib", vars={"base": folder, "platbase": folder})
    # Python adds this folder to the paths, but reads no .pth file in it: so course_lib's source stays out of reach.
    Path(there, "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    command = ["install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run([sys.executable, "-m", "pip", "--python", folder, *command], check=True, capture_output=True)
    return folder


def program(environment, name):
    return shutil.which(name, path=sysconfig.get_path("scripts", vars={"base": environment}))


def run(command, folder):
    variables = {name: value for name, value in os.environ.items() if name not in ("COURSE_PROGRESS", "PYTHONPATH")}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_wheel_holds_all_that_runs_and_is_small(wheel, record_property):
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    files = {path for folder in ("course_lib", "quizzes") for path in (ROOT / folder).rglob("*") if path.is_file()}
    wanted = {
        path.relative_to(ROOT).as_posix().replace("quizzes/", "course_lib/quizzes/", 1)
        if path.parent.name == "quizzes"
        else path.relative_to(ROOT).as_posix()
        for path in files
        if path.suffix != ".pyc" and path != ROOT / "quizzes" / "README.md"
    }
    assert wanted - inside == set()
    assert wheel.stat().st_size < 500_000
    line = f"{wheel.stat().st_size / 1000:.0f} kB in {len(inside)} files"
    record_property("the wheel", [wheel.name, line])


USE = """
import json
import course_lib
from course_lib import load_task
from course_lib.lessons.widgets import DecisionGuide, Quiz
task = load_task("roman-pottery")
card = Quiz("01-why-fine-tune")
card.answer("primary-benefit", 1)
guide = DecisionGuide()
for question in guide.questions:
    guide.answer(question["id"], 0)
page = [str(card._esm), str(card._css)]
print(json.dumps([course_lib.__file__, len(task.test), card.summary, str(guide.advice), *page]))
"""


def test_tasks_quizzes_and_the_guide_work(environment, tmp_path):
    where, cases, summary, advice, script, style = json.loads(
        run([program(environment, "python"), "-c", USE], tmp_path)
    )
    assert Path(where).is_relative_to(environment)
    assert cases == 144
    assert summary == "1 of 6 right"
    assert advice.startswith("Start with: ")
    assert "export default" in script
    assert "{" in style
    kept = json.loads((tmp_path / "progress.json").read_text(encoding="utf-8"))["entries"]
    assert "01-why-fine-tune/quiz/primary-benefit" in kept


def test_the_console_script_checks_quizzes_and_compares_a_table(environment, tmp_path):
    command = program(environment, "fine-tune-course")
    assert run([command, "quizzes", "check"], tmp_path) == "The quizzes are sound.\n"
    assert "usage: fine-tune-course" in run([command, "--help"], tmp_path)
    rows = [f"{'please refund' if number % 2 else 'where is'} parcel {number},{number % 2}" for number in range(12)]
    (tmp_path / "rows.csv").write_text("\n".join(["input,output", *rows]), encoding="utf-8")
    said = run([command, "compare", "rows.csv", "--report", "report.html"], tmp_path)
    assert "fine-tuned" in said
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Recommendation" in page
    assert page.endswith("</html>\n")


def test_lesson_00_runs(environment, tmp_path, monkeypatch):
    """Its code cells, in a kernel of that environment, in a folder without anything else of the course."""
    kernel = tmp_path / "kernels" / "elsewhere"
    kernel.mkdir(parents=True)
    command = [program(environment, "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    about = {"argv": command, "display_name": "Elsewhere", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(about), encoding="utf-8")
    lesson = nbformat.read(ROOT / "notebooks" / "00-start-here.ipynb", as_version=4)
    lesson.cells.append(nbformat.v4.new_code_cell("import course_lib; print(course_lib.__file__)"))
    folder = tmp_path / "lessons"
    folder.mkdir()
    nbformat.write(lesson, folder / "lesson.ipynb")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    execute = [sys.executable, "-m", "nbconvert", "--execute", "--to", "notebook", "--output", "done.ipynb"]
    run([*execute, "--ExecutePreprocessor.kernel_name=elsewhere", "lesson.ipynb"], folder)
    done = nbformat.read(folder / "done.ipynb", as_version=4)
    assert all(output.output_type != "error" for cell in done.cells for output in cell.get("outputs", []))
    assert Path(done.cells[-1].outputs[0].text.strip()).is_relative_to(environment)
