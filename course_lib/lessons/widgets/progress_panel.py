"""Course progress: for each lesson what is done, to look at, to download and to restore."""

from pathlib import Path
from typing import Any

import anywidget
import pandas as pd
import traitlets

from ...html import render
from .. import progress
from ..progress_summary import summary


class ProgressPanel(anywidget.AnyWidget):
    """What was done so far as a table, with a button that downloads it and one that restores it.

    Where no kernel runs (a repository page, nbviewer), the stored output is the table alone.
    """

    _esm = Path(__file__).with_name("progress_panel.js")
    _css = Path(__file__).with_name("card.css")
    columns = traitlets.List(traitlets.Unicode()).tag(sync=True)
    rows = traitlets.List(traitlets.List(traitlets.Unicode())).tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self._refresh()
        self.on_msg(lambda _widget, message, _buffers: self._receive(message))

    def restore(self, text: str) -> None:
        """Add the entries in the text of a downloaded progress file."""
        try:
            self.said = f"{progress.restore(text)} entries restored. Run a lesson's cells again to see them there."
        except (ValueError, OSError) as error:
            self.said = str(error)
        self._refresh()

    def _receive(self, message: dict) -> None:
        if "restore" in message:
            self.restore(message["restore"])
        else:
            self.send({"file": progress.as_text(progress.entries())})

    def _refresh(self) -> None:
        table = summary(progress.entries()).reset_index().astype(str)
        self.columns, self.rows = list(table.columns), table.to_numpy().tolist()

    def __repr__(self) -> str:
        return pd.DataFrame(self.rows, columns=self.columns).to_string(index=False)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        page = render("progress.html", columns=self.columns, rows=self.rows)
        return {**data, "text/plain": repr(self), "text/html": page}, metadata
