"""Results of a notebook by name: a cell records one, and whoever reads the saved notebook finds it under its name."""

import json
from pathlib import Path
from typing import Any

from IPython import get_ipython
from IPython.display import display

KEY = "course_result"  # in the metadata of a cell's output, where Jupyter saves it


def record(name: str, result: Any, text: str | None = None) -> None:
    """Show a result as the output of a notebook's cell, and save its text under a name in that output's metadata.

    `text` is the sentence that matters; without it, it is the result as text. Outside IPython the text is printed.

    >>> record("tuned-over-zero-shot", "fine-tuned scores 0.67 higher than zero-shot")
    fine-tuned scores 0.67 higher than zero-shot
    """
    said = str(result) if text is None else text
    if get_ipython() is None:
        print(said)
        return
    metadata = {KEY: {"name": name, "text": said}}
    if isinstance(result, str):  # IPython would show it in quotation marks
        display({"text/plain": result}, raw=True, metadata=metadata)
    else:
        display(result, metadata=metadata)


def read_results(notebook: Path) -> dict[str, str]:
    """The texts that a saved notebook's cells recorded, by name; raises ValueError where a name was used twice."""
    results: dict[str, str] = {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            recorded = output.get("metadata", {}).get(KEY)
            if recorded is None:
                continue
            if recorded["name"] in results:
                raise ValueError(
                    f"{notebook.name} records the result {recorded['name']!r} twice. Give each result a name of its "
                    f"own, run all cells and save the notebook."
                )
            results[recorded["name"]] = recorded["text"]
    return results
