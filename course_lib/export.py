"""A comparison to keep and to hand on: one HTML file that needs nothing else, and the predictions beside it as CSV.

No script, no address, nothing to load: whoever opens it, offline or in ten years, sees the same. Whatever comes from
the data is shown as text.
"""

import datetime
from html import escape
from os import PathLike
from pathlib import Path
from string import Template

import pandas as pd

from .approaches import Approach
from .files import name_of, safe_for_spreadsheets
from .plots import Picture
from .report import Report
from .verdict import Decision, MoreExamples, cost_per_1000, failures

SHOWN = 600  # characters of a text in the list of failures


def free_path(path: str | PathLike[str]) -> Path:
    """The path of a report that can be written without overwriting anything.

    Raises FileExistsError or ValueError with the remedy.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"A report is an HTML file: give it a name that ends in .html, not {path.name!r}.")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"There is no folder {str(path.parent)!r} for the report: make it, or give another name.")
    for one in (path, predictions_path(path)):
        if one.exists():
            raise FileExistsError(f"{one} is there already, and nothing is overwritten: give the report another name.")
    return path


def predictions_path(path: Path) -> Path:
    """Where the predictions of a report lie: beside it."""
    return path.with_name(f"{path.stem}-predictions.csv")


def write_report(
    path: str | PathLike[str],
    report: Report,
    decision: Decision,
    more: MoreExamples | None = None,
    price_read: float | None = None,
    price_written: float | None = None,
) -> Path:
    """Write a report as one HTML file, and all predictions as `<stem>-predictions.csv` beside it; returns the path.

    Raises FileExistsError where one of the two is there already, ValueError where the path is of no use, and OSError
    with the remedy where there is no room or no right to write.
    """
    path = free_path(path)
    page = _page(report, decision, more, cost_per_1000(report, price_read, price_written), predictions_path(path))
    predictions = report.predictions.assign(case=report.predictions["case"] + 1)  # counted as on the page
    # With its mark at the beginning, spreadsheets too read it as UTF-8.
    table = safe_for_spreadsheets(predictions).to_csv(index=False).encode("utf-8-sig")
    begun: list[Path] = []
    try:
        for one, content in ((path, page.encode()), (predictions_path(path), table)):
            with one.open("xb") as file:
                begun.append(one)
                file.write(content)
    except OSError as error:
        for one in begun:  # half a report would be in the way of the next try
            one.unlink()
        raise OSError(
            f"The report cannot be written to {path} ({error.strerror}). Make room or allow writing there, then try "
            f"again."
        ) from error
    return path


def _page(
    report: Report,
    decision: Decision,
    more: MoreExamples | None,
    costs: pd.DataFrame,
    predictions: Path,
) -> str:
    shown = decision.recommendation or decision.best
    wrong = failures(report, shown)
    sections = {
        "Recommendation": decision._repr_html_(),
        "What was measured": _table(report._readable(), str(report.task)) + _figure(report.plot()),
        f"Differences to {shown}": _table(
            _differences(report, shown), f"How much higher {shown} scores on the same cases (below zero: lower)"
        ),
        "Would more examples help?": more and _figure(more.plot()) + _paragraph(more.sentence),
        "What 1,000 requests cost": _table(_costs(costs), "Computing on this computer, requests in batches")
        + ("" if "price" in costs else _paragraph("Prices were not given, so there is no sum of money here.")),
        "Cases to look at": _table(wrong.map(_shortened), f"Held-out cases that {shown} got wrong, by number")
        + _paragraph(f"Texts are cut after {SHOWN} characters here. All cases in full: {name_of(predictions)}.")
        if len(wrong)
        else _paragraph(f"{shown} got no held-out case wrong."),
        "How it was measured": _list(_circumstances(report)),
    }
    body = "\n".join(
        f"<section><h2>{escape(heading)}</h2>\n{content}</section>" for heading, content in sections.items() if content
    )
    return PAGE.substitute(title=escape(f"Which approach for {report.task.name}?"), body=body)


def _differences(report: Report, shown: str) -> pd.DataFrame:
    rows = {}
    for name in report.table.index.drop(shown):
        gap = report.difference(shown, name)
        rows[f"than {name}"] = {
            "higher by": f"{gap.mean:+.2f}",
            "95 % interval": f"{gap.low:+.2f} to {gap.high:+.2f}",
            "p": "< 0.001" if gap.p_value < 0.001 else f"{gap.p_value:.3f}",
            "in words": "they are not told apart" if gap.low <= 0 <= gap.high else "the interval excludes zero",
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
        "Instruction": task.prompt.spelled_out() or "none",
        "Metric": f"{getattr(task.metric, '__name__', 'your own').replace('_', ' ')}, from 0 to 1",
        "Model": "; ".join(sorted(models)) or "none",
        "Seed": str(report.seed),
        "Date": datetime.date.today().isoformat(),
        "Intervals": "95 %, over held-out cases: they say nothing of other seeds, models or kinds of cases",
    }


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _figure(picture: Picture) -> str:
    return f"<figure>{picture._repr_html_()}</figure>"


def _list(entries: dict[str, str]) -> str:
    return f"<dl>{''.join(f'<dt>{escape(term)}</dt><dd>{escape(text)}</dd>' for term, text in entries.items())}</dl>"


def _table(table: pd.DataFrame, caption: str) -> str:
    """A table of texts with a caption, its index as row headers; it scrolls by itself where the page is narrow."""
    names = [table.index.name or "", *table.columns]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    rows = [
        f'<tr><th scope="row">{escape(str(name))}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in table.itertuples(name=None)
    ]
    return (
        f'<div class="wide" role="region" aria-label="{escape(caption)}" tabindex="0"><table><caption>{escape(caption)}'
        f"</caption><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
:root { color-scheme: light dark; --text: #1a1a1a; --page: #fff; --line: #bbb; --band: #f2f5f8; --accent: #0060a8; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e8e8e8; --page: #16181b; --line: #555; --band: #22262b; --accent: #7dbdf0; }
}
body { font: 16px/1.55 system-ui, sans-serif; color: var(--text); background: var(--page); max-width: 52rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.7rem; line-height: 1.25; }
h2 { font-size: 1.25rem; margin-top: 2.2rem; border-bottom: 2px solid var(--accent); padding-bottom: 0.2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.92rem; }
caption { text-align: left; padding: 0.4rem 0; font-style: italic; }
th, td { text-align: left; vertical-align: top; padding: 0.4rem 0.7rem 0.4rem 0; border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
thead th { background: var(--band); }
td { white-space: pre-line; }
figure { margin: 1rem 0; background: #fff; padding: 0.5rem; }
dt { font-weight: 600; }
dd { margin: 0 0 0.5rem; overflow-wrap: anywhere; }
</style>
</head>
<body>
<main>
<h1>$title</h1>
<p>This page holds some of your data: look through it before you hand it on.</p>
$body
</main>
</body>
</html>
""")  # noqa: E501
