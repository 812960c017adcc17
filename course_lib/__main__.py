"""`python -m course_lib`: fetch what the lessons need, check the quizzes, gather learners' progress."""

import argparse
import sys
from pathlib import Path


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
        pd.concat(tables).to_csv(arguments.to, index=False)
        print(f"{len(tables)} files are in {arguments.to}")
    return faults


def main(words: list[str] | None = None) -> int:
    """Run one subcommand; returns the exit status, 1 where something is to be said on the error stream."""
    parser = argparse.ArgumentParser(prog="python -m course_lib", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    commands.add_parser("fetch", help=fetch.__doc__).set_defaults(run=fetch)
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
    sys.exit(main())
