"""What a comparison showed: as a table, a picture, differences with their intervals, costs, and case by case."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from . import plots
from .html import render
from .intervals import Difference, difference
from .prices import check_prices, price_per_request
from .tasks.task import Task
from .text import contains_words


@dataclass(frozen=True, repr=False)
class Report:
    """The result of `compare`.

    `table`: a row per approach, with score, low and high (its 95 % interval), fit_seconds, tokens_per_request (read
    and written), tokens_written, ms_per_request (in batches) and trained_parameters. `predictions`: a row per held-out
    case (counted from 0) and approach. `approaches`: the fitted estimators by name (one that was frozen, without its
    wrapper).

    Every method that takes a name raises ValueError where the table has no such name.
    """

    task: Task
    table: pd.DataFrame
    predictions: pd.DataFrame
    approaches: dict[str, BaseEstimator] = field(default_factory=dict)
    seed: int = 0

    def difference(self, a: str, b: str) -> Difference:
        """How much better `a` scored than `b`, both named as in the table; as text it is a sentence."""
        first, second = ((name, self.predictions_of(name)) for name in (a, b))
        return difference(self.task.metric, self.cases_of(a)["output"].tolist(), first, second, self.seed)

    def cases_of(self, name: str) -> pd.DataFrame:
        """The held-out cases of one approach: input, output, prediction and score of each."""
        if name not in self.table.index:
            raise ValueError(f"This report has no approach {name!r}. It has: {', '.join(self.table.index)}.")
        return self.predictions[self.predictions["approach"] == name]

    def predictions_of(self, name: str) -> list[str]:
        """The answers of one approach to the held-out cases, in their order."""
        return self.cases_of(name)["prediction"].tolist()

    def failures(self, name: str, most: int = 5) -> pd.DataFrame:
        """Up to `most` held-out cases that an approach got wrong, the worst first: input, expected and given.

        Cases are counted from 1, as in the exported CSV.
        """
        cases = self.cases_of(name)
        wrong = cases[cases["score"] < 1].sort_values("score", kind="stable").head(most)
        return wrong.set_index(wrong["case"] + 1)[["input", "output", "prediction"]].set_axis(
            ["input", "expected", "given"], axis=1
        )

    def cost_per_1000(self, price_read: float | None = None, price_written: float | None = None) -> pd.DataFrame:
        """What 1,000 requests cost: tokens, seconds of computing here and, at prices per million tokens, money.

        Raises ValueError where only one of the two prices is given, or one is below 0.
        """
        check_prices(price_read, price_written)
        tokens, written = self.table["tokens_per_request"], self.table["tokens_written"]
        seconds = self.table["ms_per_request"]  # milliseconds for one are seconds for a thousand
        costs = pd.DataFrame({"tokens": tokens * 1000, "seconds": seconds})
        if price_read is not None and price_written is not None:
            costs["price"] = 1000 * price_per_request(tokens - written, written, price_read, price_written)
        return costs

    def hit_rate(self, name: str = "retrieval") -> float:
        """The share of held-out cases for which a passage that retrieval found contains the true answer."""
        cases, approach = self.cases_of(name), self.approaches[name]
        approach = getattr(approach, "best_estimator_", approach)  # of a search, what it chose
        if not hasattr(approach, "search"):
            raise ValueError(f"{name!r} does not search, so it has no hit rate: name a retrieval approach.")
        found = approach.search(cases["input"])
        hits = [
            any(contains_words(passage, truth) for passage in passages)
            for truth, passages in zip(cases["output"], found, strict=True)
        ]
        return float(np.mean(hits))

    def join(self, other: "Report") -> "Report":
        """Both reports in one, so that an approach can be added without running the others again.

        Raises ValueError where the held-out cases are not the same, or where both have an approach of the same name.
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

    def readable_table(self) -> pd.DataFrame:
        """The table as texts, rounded, with readable column names (tokens written are part of tokens per request)."""
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
        return f"{self.task}\n{self.readable_table().to_string()}"

    def _repr_html_(self) -> str:
        return render("report.html", task=str(self.task), table=self.readable_table())
