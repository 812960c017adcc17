"""SQL from a model is untrusted: it can read the made-up databases, for a moment, and do nothing else."""

import re
import sqlite3
from collections import Counter

import pytest

from course_lib import load_task
from course_lib.tasks.builtin import read_jsonl
from course_lib.tasks.sql import SCRIPT, execution_accuracy, run, schema, template

ROWS = read_jsonl("database-questions.jsonl")
TRAINED = ("shop", "library", "clinic", "school")
DATABASES = (*TRAINED, "rowing club", "bus company")
TABLES = [line.partition("(")[0] for database in DATABASES for line in schema(database).splitlines()]


def test_every_written_query_runs_and_finds_something():
    task = load_task("databases")
    assert (len(task.train), len(task.test)) == (160, 120)
    for query in [*task.train["output"], *task.test["output"]]:
        rows = run(query)
        assert rows, query
        assert rows != [(None,)], query
    assert not set(task.train["output"]) & set(task.test["output"])
    for part in (task.train, task.test):
        assert execution_accuracy(part["output"], part["output"]) == 1
        assert execution_accuracy(part["output"], ["SELECT name FROM customers"] * len(part)) < 0.1
        assert execution_accuracy(part["output"], ["no query"] * len(part)) == 0


def test_four_databases_are_trained_on_and_two_are_not():
    assert Counter((row["split"], row["database"]) for row in ROWS) == {
        **{("train", database): 40 for database in TRAINED},
        **{("test", database): 10 for database in TRAINED},
        ("test", "rowing club"): 40,
        ("test", "bus company"): 40,
    }
    learned = {table for row in ROWS if row["split"] == "train" for table in tables_of(row["sql"])}
    others = {table for row in ROWS if row["database"] not in TRAINED for table in tables_of(row["sql"])}
    assert not learned & others


def tables_of(query):
    return set(re.findall(r"\b(?:FROM|JOIN) (\w+)", query))


def test_a_question_comes_with_the_tables_that_its_query_needs():
    task = load_task("databases")
    for row in [*task.train, *task.test]:
        tables, _, question = row["input"].rpartition("\nQuestion: ")
        shown = {line.partition("(")[0] for line in tables.splitlines()}
        assert tables_of(row["output"]) <= shown, question


@pytest.mark.parametrize("database", DATABASES)
def test_the_schema_names_the_tables_and_columns_as_they_are(database):
    lines = schema(database).splitlines()
    assert len(lines) >= 2
    for line in lines:
        table, columns = re.fullmatch(r"(\w+)\((.+)\)", line).groups()
        assert run(f"SELECT {columns} FROM {table} LIMIT 1")
        assert len(run(f"SELECT * FROM {table} LIMIT 1")[0]) == len(columns.split(", "))
    assert schema("shop").splitlines() == [
        "customers(id, name, city, joined)",
        "products(id, name, kind, price, stock)",
        "orders(id, customer_id, product_id, quantity, day)",
    ]


def test_no_two_databases_have_a_table_of_the_same_name_and_every_table_is_shown():
    assert len(set(TABLES)) == len(TABLES)
    assert sorted(TABLES) == sorted(re.findall(r"CREATE TABLE (\w+)", SCRIPT.read_text(encoding="utf-8")))
    with pytest.raises(KeyError):
        schema("bakery")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "SELECT name FROM customers WHERE city = 'Hollin' LIMIT 3",
            "SELECT name FROM customers WHERE city = ? LIMIT ?",
        ),
        ("SELECT a2 FROM t1 WHERE x > 2.5 AND y < 10", "SELECT a2 FROM t1 WHERE x > ? AND y < ?"),
        ("SELECT name FROM t WHERE day LIKE '2025-03%'", "SELECT name FROM t WHERE day LIKE ?"),
        ("SELECT COUNT(*) FROM t WHERE n = ''", "SELECT COUNT(*) FROM t WHERE n = ?"),
        ("SELECT COUNT(*) FROM t", "SELECT COUNT(*) FROM t"),
    ],
)
def test_a_template_is_a_query_without_its_values(query, expected):
    assert template(query) == expected


def without_names(query):
    """The template with every table and column as n."""
    names = {name for database in DATABASES for name in re.findall(r"\w+", schema(database))}
    return re.sub(r"\b[A-Za-z_]\w*", lambda word: "n" if word[0] in names else word[0], template(query))


@pytest.mark.parametrize("form", [template, without_names])
def test_on_the_trained_databases_no_held_out_query_has_a_form_that_was_trained(form):
    learned = {form(row["sql"]) for row in ROWS if row["split"] == "train"}
    held_out = [row["sql"] for row in ROWS if row["split"] == "test" and row["database"] in TRAINED]
    assert len(held_out) == 40
    assert [query for query in held_out if form(query) in learned] == []


def test_on_the_other_databases_no_held_out_query_can_be_copied():
    learned = {template(row["sql"]) for row in ROWS if row["split"] == "train"}
    assert not any(template(row["sql"]) in learned for row in ROWS if row["split"] == "test")


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
def test_an_attack_finds_nothing_and_leaves_the_tables_as_they_were(attack, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = [run(f"SELECT * FROM {table}") for table in TABLES]
    assert execution_accuracy(["SELECT count(*) FROM customers"], [attack]) == 0
    assert [run(f"SELECT * FROM {table}") for table in TABLES] == before
    assert list(tmp_path.iterdir()) == []


def test_only_so_many_rows_are_allowed():
    with pytest.raises(sqlite3.DataError, match="over 1000 rows"):
        run("SELECT 1 FROM orders a, orders b")


def test_a_slow_query_is_stopped():
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        run("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n")
