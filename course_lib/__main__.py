"""`python -m course_lib fetch`: get the model and the data that the lessons use, so that they run offline."""

import argparse
import sys

from .fetch import FetchError, fetch
from .model import embedded_model
from .tasks import IMDB


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m course_lib", description="Helpers for the course.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("fetch", help="download and convert the model, and download the data (once)")
    parser.parse_args(arguments)
    try:
        print(f"The model is ready in {embedded_model()}")
        fetch(IMDB)
    except FetchError as error:
        print(error, file=sys.stderr)
        return 1
    print("The data are ready.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
