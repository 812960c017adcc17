"""A bar for whatever takes longer than a moment: how far it is and how long it still takes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from tqdm import tqdm
from transformers.utils import is_in_notebook
from transformers.utils.notebook import NotebookProgressBar


@contextmanager
def progress_bar(total: int, label: str) -> Iterator[Callable[..., None]]:
    """Show a bar of `total` steps; call what it yields after each, with a comment if you like.

    A native `<progress>` element in a notebook, tqdm in a terminal, nothing where the output is not a screen. It
    disappears at the end.
    """
    if is_in_notebook():
        notebook = NotebookProgressBar(total, prefix=label)
        notebook.update(0)
        steps = count(1)

        def advance(comment: str = "") -> None:
            notebook.update(next(steps), comment=comment)

        close = notebook.close
    else:
        terminal = tqdm(total=total, desc=label, leave=False, disable=None)

        def advance(comment: str = "") -> None:
            terminal.set_postfix_str(comment, refresh=False)
            terminal.update()

        close = terminal.close
    try:
        yield advance
    finally:
        close()
