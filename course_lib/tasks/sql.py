"""Running SQL that a model wrote: in memory, read-only, and with limits of time and rows.

What a model writes is untrusted. It runs on a copy of the database in memory, where SQLite's authorizer lets it read
the tables and do nothing else.
"""

import functools
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

SCRIPT = Path(__file__).parent / "data" / "databases.sql"
MOST_SECONDS, MOST_ROWS = 1.0, 1000
READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
FUNCTIONS = {
    "abs", "avg", "coalesce", "count", "date", "glob", "ifnull", "instr", "julianday", "length", "like", "lower", "max",
    "min", "nullif", "round", "strftime", "substr", "sum", "total", "trim", "upper",
}  # fmt: skip


def run(query: str) -> list[tuple]:
    """The rows that one SELECT finds; the tables of all the databases lie side by side.

    Raises sqlite3.Error if the query is wrong, forbidden, takes longer than MOST_SECONDS or finds more than MOST_ROWS
    rows.

    >>> run("SELECT count(*) > 0 FROM customers")
    [(1,)]
    """
    tables = _tables()
    until = time.monotonic() + MOST_SECONDS
    tables.set_progress_handler(lambda: time.monotonic() > until, 10_000)
    rows = tables.execute(query).fetchmany(MOST_ROWS + 1)
    if len(rows) > MOST_ROWS:
        raise sqlite3.DataError(f"the query finds over {MOST_ROWS} rows")
    return rows


def execution_accuracy(y_true: Sequence[str], y_pred: Sequence[str]) -> float:
    """The share of queries that find the same rows as the true ones, in any order.

    The usual measure of text to SQL: Yu et al. 2018, "Spider", arXiv:1809.08887.
    """
    return float(np.mean([_finds_the_same(truth, query) for truth, query in zip(y_true, y_pred, strict=True)]))


def _finds_the_same(truth: str, query: str) -> bool:
    wanted = Counter(run(truth))
    try:
        return Counter(run(query)) == wanted
    except (sqlite3.Error, sqlite3.Warning, ValueError):  # a text that is no query, is forbidden or too slow is wrong
        return False


@functools.cache
def schema(database: str) -> str:
    """The tables of one database with their columns, as a prompt shows them.

    >>> schema("shop").splitlines()[0]
    'customers(id, name, city, joined)'
    """
    script = SCRIPT.read_text(encoding="utf-8")
    parts = re.split(r"^-- ([a-z ]+): .*$", script, flags=re.MULTILINE)[1:]
    own = dict(zip(parts[::2], parts[1::2], strict=True))[database]
    with sqlite3.connect(":memory:") as connection:
        connection.executescript(own)
        tables = re.findall(r"CREATE TABLE (\w+)", own)
        columns = [[name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")] for table in tables]
    return "\n".join(f"{table}({', '.join(names)})" for table, names in zip(tables, columns, strict=True))


def template(query: str) -> str:
    """A query with its values replaced by question marks: two queries alike but for their values have the same.

    >>> template("SELECT name FROM customers WHERE city = 'Hollin' LIMIT 3")
    'SELECT name FROM customers WHERE city = ? LIMIT ?'
    """
    return re.sub(r"'[^']*'|\b\d+(\.\d+)?\b", "?", query)


@functools.cache
def _tables() -> sqlite3.Connection:
    tables = sqlite3.connect(":memory:")
    tables.executescript(SCRIPT.read_text(encoding="utf-8"))
    tables.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 100_000)  # bytes of any text or row
    tables.set_authorizer(_allow)
    return tables


def _allow(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    allowed = action in READING or (action == sqlite3.SQLITE_FUNCTION and second in FUNCTIONS)
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY
