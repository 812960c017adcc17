"""A slider whose name and value are read aloud, for `ipywidgets.interact` (those of ipywidgets have no name)."""

from collections.abc import Sequence
from pathlib import Path

import anywidget
import traitlets
from ipywidgets import ValueWidget


def round_numbers(first: int, last: int) -> list[float]:
    """Round numbers from 10 to the power `first` up to 10 to the power `last`."""
    steps = (1, 1.5, 2, 3, 4, 5, 7)
    return [*(float(f"{step}e{power}") for power in range(first, last) for step in steps), 10.0**last]


class Slider(anywidget.AnyWidget, ValueWidget):
    """A native slider over `values`; `value` is the one it is at. Raises ValueError where that is none of them."""

    _esm = Path(__file__).with_name("slider.js")
    _css = Path(__file__).with_name("card.css")
    description = traitlets.Unicode().tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    place = traitlets.Int().tag(sync=True)
    value = traitlets.Float()

    def __init__(self, description: str, values: Sequence[float], value: float):
        self._values = list(values)
        labels = [f"{one:,.10g}" for one in self._values]
        super().__init__(description=description, labels=labels, place=self._values.index(value), value=value)

    @traitlets.observe("place")
    def _moved(self, change: dict) -> None:
        self.value = self._values[change["new"]]

    def __repr__(self) -> str:
        return f"{self.description}: {self.labels[self.place]}"
