"""SQL from a model is untrusted: it can read the shop's tables, for a moment, and do nothing else."""

import sqlite3

import pytest

from course_lib import load_task
from course_lib.tasks.sql import execution_accuracy, run


def test_every_written_query_runs_and_finds_something():
    task = load_task("shop-questions")
    assert len(task.train) >= 150
    assert len(task.test) >= 60
    for query in [*task.train["output"], *task.test["output"]]:
        rows = run(query)
        assert rows, query
        assert rows != [(None,)], query
    assert not set(task.train["output"]) & set(task.test["output"])
    assert execution_accuracy(task.test["output"], task.test["output"]) == 1
    constant = ["SELECT name FROM customers"] * len(task.test)
    assert execution_accuracy(task.test["output"], constant) < 0.1


def test_rows_count_and_their_order_and_the_wording_do_not():
    truth = "SELECT name FROM customers WHERE id <= 2"
    same = "select name from customers where id in (1, 2) order by name desc;"
    assert (
        execution_accuracy([truth] * 4, [same, "SELECT name FROM customers", "SELECT nme FROM customers", "?"]) == 0.25
    )
    assert execution_accuracy([truth], [f"{truth} UNION ALL {truth}"]) == 0  # the same rows twice


FORBIDDEN = [
    "DROP TABLE customers",
    "DELETE FROM customers",
    "UPDATE products SET price = 0",
    "INSERT INTO customers SELECT id + 1000, name, city, joined FROM customers",
    "CREATE TABLE mine (x)",
    "ATTACH DATABASE 'stolen.db' AS d",
    "VACUUM INTO 'stolen.db'",
    "PRAGMA writable_schema = 1",
    "SELECT load_extension('evil')",
    "SELECT randomblob(1)",
    "SELECT zeroblob(1)",
    "SELECT hex('a')",
    "BEGIN",
]


@pytest.mark.parametrize("attack", FORBIDDEN)
def test_what_is_not_named_is_forbidden(attack):
    with pytest.raises(sqlite3.DatabaseError, match="not authorized|authorization denied|prohibited"):
        run(attack)


@pytest.mark.parametrize(
    "attack",
    [
        *FORBIDDEN,
        "SELECT readfile('/etc/passwd')",
        "SELECT 1; DROP TABLE customers",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n",
        "SELECT * FROM orders a, orders b, orders c, orders d",
        "",
        "SELECT '\x00",
        "\ud800",
    ],
)
def test_an_attack_finds_nothing_and_leaves_the_shop_as_it_was(attack, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = [run(f"SELECT * FROM {table}") for table in ("customers", "products", "orders")]
    assert execution_accuracy(["SELECT count(*) FROM customers"], [attack]) == 0
    assert [run(f"SELECT * FROM {table}") for table in ("customers", "products", "orders")] == before
    assert list(tmp_path.iterdir()) == []


def test_only_so_many_rows_are_allowed():
    with pytest.raises(sqlite3.DataError, match="over 1000 rows"):
        run("SELECT 1 FROM orders a, orders b")


def test_a_slow_query_is_stopped():
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        run("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n")
