"""The notebooks as committed: run from top to bottom, and showing nothing that they should not."""

import ast
import json
import re
from itertools import pairwise, takewhile
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def test_the_first_cell_starts_the_session(notebook):
    first = next(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert first.startswith("from course_lib import start_session\n")
    assert ast.unparse(ast.parse(first).body[1]) == "start_session()"


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def test_there_are_notebooks():
    assert [path.stem[:2] for path in NOTEBOOKS] == [f"{number:02d}" for number in range(9)]


def test_every_cell_was_run_in_order(notebook):
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


def test_outputs_are_clean_and_small(notebook):
    for output in outputs(notebook):
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output
        text = json.dumps(output)
        assert not re.search(r"/(root|work|tmp|home|Users)/|[A-Z]:\\\\", text), text[:300]
        assert not re.search(r"Warning|Traceback| at 0x[0-9a-f]{6}", text), text[:300]
    assert len(json.dumps(notebook)) < 1_500_000


def reports(notebook):
    """The reports that a notebook shows: the task's name, its training cases, and the lines of the table."""
    for output in outputs(notebook):
        lines = (output.get("text") or output.get("data", {}).get("text/plain") or "").splitlines()
        for line, following in enumerate(lines[1:], start=1):
            begin = re.match(r"(.+): ([\d,]+) training and [\d,]+ held-out cases, ", lines[line - 1])
            if begin and "95 % interval" in following:
                table = list(takewhile(str.strip, lines[line + 1 :]))
                yield begin[1], int(begin[2].replace(",", "")), table


def test_the_lessons_show_reports():
    found = [report for path in NOTEBOOKS for report in reports(nbformat.read(path, as_version=4))]
    assert len(found) >= 10
    assert all(len(table) > 1 for _, _, table in found)


def test_every_report_shows_how_far_the_nearest_example_comes(notebook):
    """Who beats only what a look into the examples would give has not shown that a model was needed."""
    without = [
        name
        for name, examples, table in reports(notebook)
        if examples and not any(line.startswith("nearest example ") for line in table)
    ]
    assert without == []


def test_every_picture_has_a_text(notebook):
    images = [tag for output in outputs(notebook) for tag in re.findall(r"<img[^>]*>", str(output.get("data", "")))]
    assert all(len(re.search(r'alt="([^"]*)"', tag)[1]) > 40 for tag in images)
    assert not any("image/png" in output.get("data", {}) for output in outputs(notebook))
    text = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert all(caption.strip() for caption in re.findall(r"!\[([^\]]*)\]", text))


def test_headings_are_in_order_and_the_lesson_is_complete(notebook):
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    headings = re.findall(r"^(#+) (.+)$", text, flags=re.MULTILINE)
    levels = [len(marks) for marks, _ in headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in pairwise(levels))
    names = [name for _, name in headings]
    assert {"Predict", "Run", "Read the result", "Your turn", "Quiz", "In one minute"} <= set(names)
    assert len(names) == len(set(names))
