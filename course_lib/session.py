"""What a lesson needs of its process: one explicit call, because importing course_lib changes nothing."""

import gc
import os
import sys


def start_session() -> None:
    """Prepare this Python process for the course: call it once, before torch is imported.

    It sets how long the threads of a computation wait before they sleep, limits the memory that oneDNN keeps for
    compiled products, and shows the dollar signs of pandas tables as they are. In the course's notebooks it is the
    first line; in your own code you need not call it.
    """
    # A thread that waits for others spins for some microseconds, which is mostly enough, and then sleeps. Otherwise
    # two notebooks that compute at once slow each other down. GNU's library reads the second line, others the first.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    # oneDNN keeps the code that it compiles for every size of product in bfloat16: without a limit, hundreds of MB.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")
    _import_what_stays()

    import pandas as pd

    pd.options.display.html.use_mathjax = False  # JupyterLab would show "from $5 to $7" in a table as a formula


def _import_what_stays() -> None:
    """Import the large packages with the garbage collector off, then exempt them from it.

    The collector would look through hundreds of thousands of new objects again and again, none of them garbage: a third
    of the time to start.
    """
    if f"{__package__}.approaches" in sys.modules:
        return
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        from . import approaches, comparison  # noqa: F401
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
