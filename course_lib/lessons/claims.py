"""What the source text claims, beside what the lessons measured: read from the saved notebooks, not typed."""

from pathlib import Path

import pandas as pd

from ..html import render
from .places import notebooks_folder
from .results import read_results

CLAIMS = Path(__file__).with_name("data") / "claims.csv"


class Claims:
    """The claims of data/claims.csv with what the notebooks in a folder, as last saved, recorded about them.

    `table` has a row for each claim, with the columns statement, lesson, heading, measurement, result (the names of the
    recorded results, separated by "; "), literature, and measured (their texts, one per line).
    """

    def __init__(self, folder: Path | None = None):
        """`folder` holds the notebooks: those of the course, if it is None."""
        folder = folder or notebooks_folder()
        self.table = pd.read_csv(CLAIMS, keep_default_na=False)
        results = {lesson: _read_if_there(folder / f"{lesson}.ipynb") for lesson in self.table["lesson"].unique()}
        self.table["measured"] = [
            _measured(row.lesson, row.result.split("; "), results[row.lesson]) for row in self.table.itertuples()
        ]

    def __repr__(self) -> str:
        return "\n\n".join(
            f"{row.statement}\n  lesson {row.lesson[:2]}, {row.measurement}:\n{row.measured}\n"
            f"  at scale: {row.literature or '–'}"
            for row in self.table.itertuples()
        )

    def _repr_html_(self) -> str:
        return render("claims.html", claims=self.table.to_dict("records"))


def _read_if_there(notebook: Path) -> dict[str, str]:
    return read_results(notebook) if notebook.exists() else {}


def _measured(lesson: str, names: list[str], results: dict[str, str]) -> str:
    """The texts of the named results, one per line; where one was not recorded, a line that says what to do."""
    missing = f"not measured here: run all cells of {lesson}.ipynb and save it"
    return "\n".join(dict.fromkeys(results.get(name, missing) for name in names))
