"""Do the lessons' conclusions hold under other seeds? Runs lessons 02 to 07 again with seeds 0, 1 and 2.

`make seeds` runs it; it takes about an hour and a half on two cores and is not part of `make test`.
"""

import ast
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
CONCLUSIONS = {  # what a lesson states, as expressions over the variables that it leaves
    "02-domain-specialization": ["(own['low'] > 0).all()"],
    "03-task-performance": [
        "reports['question types'].difference('fine-tuned', 'embeddings').low > 0",
        "reports['sentiment'].difference('fine-tuned', 'few-shot').low > 0",
        "reports['entities'].difference('fine-tuned', 'zero-shot').low > 0",
        "reports['knowledge base'].difference('fine-tuned', 'nearest example').low <= 0",
    ],
    "04-style-and-tone": [
        "report.difference('fine-tuned', 'zero-shot').low > 0",
        "sum(good['fine-tuned']) > sum(good['few-shot'])",
    ],
    "05-accuracy-and-hallucination": [
        "shares.loc[('tuned on facts', 'known'), 'correct'] > shares.loc[('base', 'known'), 'correct']",
        "accuracy_table(invented).high['tuned, with refusals'] < accuracy_table(invented).low['tuned on facts']",
        "sum(noisy[0]) > sum(noisy[30])",
    ],
    "06-cost-and-efficiency": [
        "report.difference('fine-tuned', 'long prompt').low > 0",
        "single['read'].idxmin() == 'fine-tuned'",
    ],
    "07-when-not-to-fine-tune": [
        "reports['notices'].difference('fine-tuned', 'embeddings').low <= 0",
        "reports['loans'].difference('fine-tuned', 'few-shot, 8').low <= 0",
        "reports['facts, changed'].difference('fine-tuned', 'retrieval').high < 0",
    ],
}


def names(source):
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def up_to_the_last_of(wanted, cells):
    """The cells of a notebook, up to the last one that sets one of the variables."""
    last = 0
    for place, cell in enumerate(cells):
        statements = ast.walk(ast.parse(cell.source)) if cell.cell_type == "code" else ()
        targets = [target for one in statements if isinstance(one, ast.Assign) for target in one.targets]
        if any(names(ast.unparse(target)) & wanted for target in targets):
            last = place
    return cells[: last + 1]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("lesson", CONCLUSIONS)
def test_the_conclusions_hold(lesson, seed):
    notebook = nbformat.read(NOTEBOOKS / f"{lesson}.ipynb", as_version=4)
    expressions = CONCLUSIONS[lesson]
    notebook.cells = up_to_the_last_of(names(" + ".join(expressions)), notebook.cells)
    for cell in notebook.cells:
        cell.source = cell.source.replace("seed = 0", f"seed = {seed}")
    held = f"print([bool(one) for one in ({', '.join(expressions)},)])"
    notebook.cells.append(nbformat.v4.new_code_cell(held))
    NotebookClient(notebook, timeout=600).execute()
    said = notebook.cells[-1].outputs[0].text.strip()
    broken = [one for one, holds in zip(expressions, ast.literal_eval(said), strict=True) if not holds]
    assert broken == [], f"{lesson} with seed {seed}"
