"""A comparison to keep and to share: one HTML file that needs nothing else, with the predictions beside it as CSV.

The page has no script and no address and loads nothing: whoever opens it, offline or in ten years, sees the same.
Whatever comes from the data is shown as text.
"""

import datetime
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import pandas as pd

from ..approaches import Approach
from ..html import render
from ..report import Report
from ..tasks.tables import name_of, safe_for_spreadsheets
from .learning_curve import LearningCurve
from .rule import Recommendation

SHOWN = 600  # characters of a text in the list of failures


def write_report(
    path: str | PathLike[str],
    report: Report,
    recommendation: Recommendation,
    curve: LearningCurve | None = None,
    price_read: float | None = None,
    price_written: float | None = None,
) -> Path:
    """Write a report as one HTML file, and all predictions as `<stem>-predictions.csv` beside it; returns the path.

    The prices are for a million tokens. Raises FileExistsError if one of the two files exists already, ValueError if
    the path or the prices cannot be used, and OSError with the remedy if the files cannot be written.
    """
    path = free_report_path(path)
    costs = report.cost_per_1000(price_read, price_written)
    page = _page(report, recommendation, curve, costs, predictions_path(path))
    _write_new({path: page.encode(), predictions_path(path): _predictions_csv(report)})
    return path


def free_report_path(path: str | PathLike[str]) -> Path:
    """The path as one to which a report can be written without overwriting anything.

    Raises FileExistsError or ValueError with the remedy.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"A report is an HTML file. Give it a name that ends in .html, not {path.name!r}.")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"There is no folder {str(path.parent)!r} for the report. Make it, or give another name.")
    for one in (path, predictions_path(path)):
        if one.exists():
            raise FileExistsError(f"{one} exists already, and nothing is overwritten. Give the report another name.")
    return path


def predictions_path(path: Path) -> Path:
    """Where the predictions of a report are: beside it."""
    return path.with_name(f"{path.stem}-predictions.csv")


def _predictions_csv(report: Report) -> bytes:
    predictions = report.predictions.assign(case=report.predictions["case"] + 1)  # counted as on the page
    # With a byte order mark, spreadsheets too read it as UTF-8.
    return safe_for_spreadsheets(predictions).to_csv(index=False).encode("utf-8-sig")


def _write_new(contents: Mapping[Path, bytes]) -> None:
    """Write all these files, or none: half a report would be in the way of the next try."""
    begun: list[Path] = []
    try:
        for path, content in contents.items():
            with path.open("xb") as file:
                begun.append(path)
                file.write(content)
    except OSError as error:
        for path in begun:
            path.unlink()
        raise OSError(
            f"The report cannot be written to {next(iter(contents))} ({error.strerror}). Make room or allow writing "
            f"there, then try again."
        ) from error


def _page(
    report: Report,
    recommendation: Recommendation,
    curve: LearningCurve | None,
    costs: pd.DataFrame,
    predictions: Path,
) -> str:
    shown = recommendation.name or recommendation.best
    page = render(
        "report_page.html",
        title=f"Which approach for {report.task.name}?",
        task=report.task,
        recommendation=recommendation,
        shown=shown,
        scores=report.readable_table(),
        picture=report.plot()._repr_html_(),
        differences=_differences(report, shown),
        curve=curve,
        curve_picture=curve and curve.plot()._repr_html_(),
        costs=_costs(costs),
        has_prices="price" in costs,
        failures=report.failures(shown).map(_shortened),
        most_characters=SHOWN,
        predictions=name_of(predictions),
        circumstances=_circumstances(report),
    )
    return f"{page}\n"


def _differences(report: Report, shown: str) -> pd.DataFrame:
    rows = {}
    for name in report.table.index.drop(shown):
        gap = report.difference(shown, name)
        rows[f"than {name}"] = {
            "higher by": f"{gap.mean:+.2f}",
            "95 % interval": f"{gap.low:+.2f} to {gap.high:+.2f}",
            "p": "< 0.001" if gap.p_value < 0.001 else f"{gap.p_value:.3f}",
            "in words": "they are not told apart" if gap.is_undecided else gap.conclusion,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("approach")


def _costs(costs: pd.DataFrame) -> pd.DataFrame:
    readable = {
        "tokens read and written": costs["tokens"].map("{:,.0f}".format),
        "seconds": costs["seconds"].map("{:,.1f}".format),
    }
    if "price" in costs:
        readable["price, by what you gave"] = costs["price"].map("{:,.4f}".format)
    return pd.DataFrame(readable)


def _circumstances(report: Report) -> dict[str, str]:
    """What somebody needs to know to judge the figures or to measure them again."""
    task = report.task
    models = {repr(one._model) for one in report.approaches.values() if isinstance(one, Approach)}
    return {
        "Data": f"{task.source}; licence: {task.licence}",
        "Split": f"{len(task.train)} cases to learn from and {len(task.test)} others held out; no input is in both",
        "Instruction": task.prompt.with_choices_named() or "none",
        "Metric": f"{getattr(task.metric, '__name__', 'your own').replace('_', ' ')}, from 0 to 1",
        "Model": "; ".join(sorted(models)) or "none",
        "Seed": str(report.seed),
        "Date": datetime.date.today().isoformat(),
        "Intervals": "95 %, over held-out cases: they say nothing about other seeds, models or kinds of cases",
    }


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
