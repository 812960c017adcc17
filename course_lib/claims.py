"""What the source text claims, beside what the lessons measured: read from their stored results, not typed."""

import json
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

import pandas as pd

from .quizcheck import NOTEBOOKS
from .tasks import DATA


def claims(folder: Path = NOTEBOOKS) -> "Claims":
    """The claims of data/claims.csv with what the notebooks in `folder`, as saved last, show of them.

    Raises ValueError where a notebook shows nothing under the heading that a claim names.
    """
    table = pd.read_csv(DATA / "claims.csv", keep_default_na=False)
    table["measured"] = ["\n".join(_found(folder, row)) for row in table.itertuples()]
    return Claims(table)


class Claims:
    """A table of claims: `table` has the columns statement, lesson, heading, measurement, measured and literature."""

    def __init__(self, table: pd.DataFrame):
        self.table = table

    def __repr__(self) -> str:
        return "\n\n".join(
            f"{row.statement}\n  lesson {row.lesson[:2]}, {row.measurement}:\n{row.measured}\n"
            f"  at scale: {row.literature or '–'}"
            for row in self.table.itertuples()
        )

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{name}</th>' for name in ("claim", "what the lesson measured", "at scale"))
        rows = []
        for row in self.table.itertuples():
            lesson = f'<a href="{escape(row.lesson)}.ipynb">lesson {escape(row.lesson[:2])}</a>'
            measured = "<br>".join(map(escape, row.measured.split("\n")))
            rows.append(
                f'<tr><th scope="row" style="text-align:left">{escape(row.statement)}</th>'
                f'<td style="text-align:left">{lesson}, {escape(row.measurement)}:<br>{measured}</td>'
                f'<td style="text-align:left">{escape(row.literature) or "–"}</td></tr>'
            )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _found(folder: Path, row) -> list[str]:
    """The lines of a claim's notebook, below the claim's heading, that its pattern finds."""
    lines = [line for heading, line in _shown(folder / f"{row.lesson}.ipynb") if heading == row.heading]
    found = [match[0].strip() for line in lines if (match := re.search(row.result, line))]
    if not found:
        raise ValueError(
            f"{row.lesson}.ipynb shows nothing like {row.result!r} under the heading {row.heading!r}. Open that "
            f"notebook, run all its cells and save it."
        )
    return found


def _shown(notebook: Path) -> Iterator[tuple[str, str]]:
    """Every line that a notebook's stored outputs say, with the heading it stands under."""
    heading = ""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            for title in re.findall(r"^#+ (.+)$", "".join(cell["source"]), flags=re.MULTILINE):
                heading = title
        for output in cell.get("outputs", []):
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            for line in "".join(text).splitlines():
                yield heading, line
