"""Where the course's files are: beside the package in a checkout. An installed package has only the quizzes."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_CHECKOUT = _PACKAGE.parent
QUIZZES = next((folder for folder in (_PACKAGE / "quizzes", _CHECKOUT / "quizzes") if folder.is_dir()), Path("quizzes"))


def notebooks_are_here() -> bool:
    """Whether the course's notebooks lie beside the package, as they do in a checkout."""
    return (_CHECKOUT / "notebooks" / "00-start-here.ipynb").exists()


def course_folder() -> Path:
    """The folder that holds the notebooks' folder; the current folder where course_lib is installed without them."""
    return _CHECKOUT if notebooks_are_here() else Path.cwd()


def notebooks_folder() -> Path:
    """The folder with the notebooks; the current folder where course_lib is installed without them."""
    return _CHECKOUT / "notebooks" if notebooks_are_here() else Path.cwd()
