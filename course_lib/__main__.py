"""`python -m course_lib`: fetch what is needed, compare on your own table, check quizzes, gather progress."""

import argparse
import contextlib
import dataclasses
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tasks import Task


def fetch(_: argparse.Namespace) -> list[str]:
    """Get the model and the data, so that the lessons run offline."""
    from . import fetch, model, tasks

    try:
        print(f"The model is ready. {model.load_model()}")
        fetch.fetch(*tasks.TEXTS.values())
    except fetch.FetchError as error:
        return [str(error)]
    print("The data are ready.")
    return []


def compare(arguments: argparse.Namespace) -> list[str]:
    """Compare prompting, retrieval and fine-tuning on your own table; write what it recommends and why."""
    from . import compare, export, load_model, verdict
    from .estimate import estimate
    from .fetch import FetchError

    main_process = os.environ.get("RANK", "0") == "0"  # a launcher may have started several; one speaks and writes
    try:
        with contextlib.redirect_stdout(sys.stdout if main_process else io.StringIO()):
            path = export.free_path(arguments.report)
            verdict.check_prices(arguments.price_read, arguments.price_written)
            task = _task(arguments)
            model = load_model(arguments.model)
            print(f"{task}\n{estimate(task, model, arguments.seed)} Ctrl+C stops it.\n", flush=True)
            report = compare(task, verdict.approaches_for(task), model, arguments.seed)
            decision = verdict.verdict(report)
            print(f"{report}\n\n{decision}\n", flush=True)
            more = verdict.more_examples(report)
            print(f"Would more examples help? {more.sentence}\n")
            if main_process:
                export.write_report(path, report, decision, more, arguments.price_read, arguments.price_written)
                print(f"The report is in {path}, all predictions are in {export.predictions_path(path)}")
    except KeyboardInterrupt:
        return ["Stopped: no report was written."]
    except (FetchError, MemoryError, OSError, ValueError) as error:
        return [str(error)] if main_process else []
    return []


def _task(arguments: argparse.Namespace) -> "Task":
    """The task in the learner's file. With --words its inputs are cut, before the split, and its source says so."""
    from . import Task
    from .files import guess_columns, read_table

    names = {"input": arguments.input, "output": arguments.output}
    others = {
        "instruction": arguments.instruction,
        "documents": _passages(arguments.documents) if arguments.documents else None,
        "seed": arguments.seed,
        "most": arguments.rows,
    }
    whole = Task.from_csv(arguments.table, **names, **others)
    if not arguments.words:
        return whole
    table = read_table(arguments.table)
    names = dict(zip(names, guess_columns(table, **names), strict=True))
    kept = slice(arguments.words) if arguments.words > 0 else slice(arguments.words, None)
    table[names["input"]] = table[names["input"]].str.split().str[kept].str.join(" ")
    end = f"{'first' if arguments.words > 0 else 'last'} {abs(arguments.words)} words"
    cut = Task.from_csv(table, **names, **others)
    return dataclasses.replace(cut, name=whole.name, source=f"{whole.source}, the {end} of each input")


def _passages(path: Path) -> list[str]:
    try:
        passages = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not a text in UTF-8: save it again as UTF-8, one passage a line.") from error
    if not passages:
        raise ValueError(f"{path.name} is empty: write one passage a line, or leave --documents out.")
    return passages


def quizzes_check(_: argparse.Namespace) -> list[str]:
    """Check every quiz file."""
    from .quizcheck import check

    faults = check()
    if not faults:
        print("The quizzes are sound.")
    return faults


def progress_export(arguments: argparse.Namespace) -> list[str]:
    """Write one table of what learners handed in."""
    import pandas as pd

    from .files import safe_for_spreadsheets
    from .progress import parse
    from .widgets.overview import summary

    tables, faults = [], []
    for path in arguments.files:
        try:
            table = summary(parse(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            faults.append(f"{path}: {error}")
        else:
            tables.append(table.reset_index().assign(file=str(path)))
    if tables:
        try:
            safe_for_spreadsheets(pd.concat(tables)).to_csv(arguments.to, index=False, mode="x")
        except OSError as error:
            said = f"{arguments.to} cannot be written ({error.strerror}), and nothing is overwritten"
            return [*faults, f"{said}: give the table another name or place."]
        print(f"{len(tables)} files are in {arguments.to}")
    return faults


def main(words: list[str] | None = None) -> int:
    """Run one subcommand; returns the exit status, 1 where something is to be said on the error stream."""
    parser = argparse.ArgumentParser(prog="python -m course_lib", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    commands.add_parser("fetch", help=fetch.__doc__).set_defaults(run=fetch)
    comparison = commands.add_parser("compare", help="compare my.csv --report report.html", description=compare.__doc__)
    comparison.add_argument("table", type=Path, help="your rows: .csv, .tsv, .jsonl or .parquet; it is only read")
    comparison.add_argument("--report", type=Path, required=True, metavar="FILE.html", help="the report to write")
    comparison.add_argument("--input", metavar="COLUMN", help="the column to answer from, where its name does not tell")
    comparison.add_argument("--output", metavar="COLUMN", help="the column with the answers, likewise")
    comparison.add_argument("--instruction", default="", metavar="TEXT", help="what the model is asked to do")
    comparison.add_argument(
        "--documents", type=Path, metavar="FILE", help="what to look things up in, a passage a line"
    )
    comparison.add_argument("--model", metavar="NAME", help="a hub id or a folder; else the course's own")
    comparison.add_argument("--seed", type=int, default=0, help="draws rows, split and examples (0)")
    comparison.add_argument("--rows", type=int, default=200, help="take at most so many, drawn at random (200)")
    comparison.add_argument("--words", type=int, metavar="N", help="keep the first N words of an input; -N: the last N")
    comparison.add_argument("--price-read", type=float, metavar="PRICE", help="of a million tokens read")
    comparison.add_argument("--price-written", type=float, metavar="PRICE", help="of a million tokens written")
    comparison.set_defaults(run=compare)
    quizzes = commands.add_parser("quizzes", help="quizzes check: check every quiz file").add_subparsers(required=True)
    quizzes.add_parser("check", help=quizzes_check.__doc__).set_defaults(run=quizzes_check)
    progress = commands.add_parser("progress", help="progress export a.json b.json --to table.csv")
    export = progress.add_subparsers(required=True).add_parser("export", help=progress_export.__doc__)
    export.add_argument("files", type=Path, nargs="+", help="progress files of learners")
    export.add_argument("--to", type=Path, required=True, help="the CSV file to write")
    export.set_defaults(run=progress_export)
    arguments = parser.parse_args(words)
    faults = arguments.run(arguments)
    print(*faults, sep="\n", end="\n" if faults else "", file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # whatever a terminal cannot show
    sys.exit(main())
