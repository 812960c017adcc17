"""What a comparison showed: as a table, a picture, a difference with its interval, and case by case."""

from dataclasses import dataclass, field, replace

import pandas as pd
from sklearn.base import BaseEstimator

from . import plots
from .metrics import Difference, difference
from .tasks import Task


@dataclass(frozen=True, repr=False)
class Report:
    """The result of `compare`.

    `table`: a row an approach, with score, low and high (the 95 % interval), fit_seconds, tokens_per_request (read
    and written), ms_per_request (in batches) and trained_parameters. `predictions`: a row for each held-out case and
    approach. `approaches`: the fitted estimators by name (one that was frozen, without its wrapper).
    """

    task: Task
    table: pd.DataFrame
    predictions: pd.DataFrame
    approaches: dict[str, BaseEstimator] = field(default_factory=dict)
    seed: int = 0

    def difference(self, a: str, b: str) -> Difference:
        """How much better `a` scored than `b`, both named as in the table; its text is a sentence.

        Raises ValueError where the table has no such name.
        """
        first, second = ((name, self._of(name)["prediction"].tolist()) for name in (a, b))
        return difference(self.task.metric, self._of(a)["output"].tolist(), first, second, self.seed)

    def join(self, other: "Report") -> "Report":
        """Both reports in one: an approach that is added later costs no second run of the others.

        Raises ValueError where the held-out cases are not the same, or where both have an approach of one name.
        """
        cases = [report.task.test.to_pandas() for report in (self, other)]
        if not cases[0].equals(cases[1]):
            raise ValueError("These reports are on different held-out cases: compare all approaches on one task.")
        if both := sorted(set(self.table.index) & set(other.table.index)):
            raise ValueError(f"Both reports have {both[0]!r}: give one another name, compare(task, {{'name': …}}).")
        return replace(
            self,
            table=pd.concat([self.table, other.table]),
            predictions=pd.concat([self.predictions, other.predictions], ignore_index=True),
            approaches={**self.approaches, **other.approaches},
        )

    def plot(self) -> plots.Picture:
        """The scores with their intervals as a picture."""
        return plots.scores(self.table, f"{self.task.name}: {len(self.task.test)} held-out cases")

    def _of(self, name: str) -> pd.DataFrame:
        if name not in self.table.index:
            raise ValueError(f"This report has no approach {name!r}. It has: {', '.join(self.table.index)}.")
        return self.predictions[self.predictions["approach"] == name]

    def _readable(self) -> pd.DataFrame:
        number = "{:,.0f}".format
        columns = {
            "score": self.table["score"].map("{:.2f}".format),
            "95 % interval": [f"{low:.2f} – {high:.2f}" for low, high in self.table[["low", "high"]].to_numpy()],
            "seconds to fit": self.table["fit_seconds"].map(lambda n: "–" if pd.isna(n) else f"{n:.1f}"),
            "tokens per request": self.table["tokens_per_request"].map(number),
            "ms per request": self.table["ms_per_request"].map(number),
            "trained parameters": self.table["trained_parameters"].map(lambda n: "–" if pd.isna(n) else number(n)),
        }
        return pd.DataFrame(columns, index=self.table.index)

    def __repr__(self) -> str:
        return f"{self.task}\n{self._readable().to_string()}"

    def _repr_html_(self) -> str:
        return f"<p>{plots.escape(str(self.task))}</p>{self._readable().rename_axis(None).to_html(border=0)}"
