"""Tables of learners: what gets in, unchanged, and the sentence where something does not."""

import csv
import io
import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib import Task
from course_lib.tasks.tables import READERS, guess_columns, read_table, safe_for_spreadsheets

FORMULA = "=cmd|' /C calc'!A0"
HTML = '<script>alert("hello")</script><b>fine</b> &amp; so on'


def pairs(count, classes=2):
    return [(f"text number {n}", f"class {n % classes}") for n in range(count)]


def as_csv(rows, header=("input", "output"), delimiter=","):
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows([header, *rows])
    return file.getvalue().encode()


def as_jsonl(rows, header=("input", "output")):
    return "".join(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in rows).encode()


def as_parquet(rows, header=("input", "output")):
    file = io.BytesIO()
    pd.DataFrame(rows, columns=list(header)).to_parquet(file)
    return file.getvalue()


def kept(task):
    """All rows of a task, however it split them."""
    return Counter((row["input"], row["output"]) for part in (task.train, task.test) for row in part)


def same(text):
    return " ".join(text.casefold().split())


@pytest.fixture
def write(tmp_path):
    def write(data, name="mine.csv"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


TEN = as_csv(pairs(10))
ENCODING = (
    "the file is not in UTF-8. Save it again in UTF-8 (as CSV UTF-8 in a spreadsheet's save dialogue).",
    "is not a text file, whatever its name says. Open it in the program it comes from and save it as CSV UTF-8.",
)
NOT_JSON = 'it is not one JSON object, such as {"input": "…", "output": "…"}. Correct or remove the line.'
TOO_FEW = "are too few to learn from and to be judged by. Give at least 10, better a hundred."
QUOTE = (
    "a quotation mark is not closed, or one within quotes is not doubled ({}). Correct the row, or save the table as "
    "CSV again from a spreadsheet."
)
CASES = {
    "three rows": ("mine.csv", as_csv(pairs(3)), f"mine.csv: 3 different inputs {TOO_FEW}"),
    "one input ten times": (
        "mine.csv",
        as_csv([("Is it?", "yes"), (" is  IT? ", "no")] * 5),
        f"mine.csv: 1 different inputs {TOO_FEW}",
    ),
    "one class": (
        "mine.csv",
        as_csv(pairs(12, classes=1)),
        "mine.csv, rows 2 to 13: every output is 'class 0', so there is nothing to learn. Add rows with other answers, "
        "or pick another column: output=…",
    ),
    "an empty input": (
        "mine.csv",
        TEN + b",yes\n",
        "mine.csv, row 12: the input is empty. Fill it in or remove the row.",
    ),
    "an empty output": (
        "mine.csv",
        as_csv([("a text\nin two lines", "yes"), ("", ""), ("text", " ")]),
        "mine.csv, row 4: the output is empty. Fill it in or remove the row.",
    ),
    "mixed encodings": ("mine.csv", TEN + "café,nein\n".encode("latin-1"), f"mine.csv, line 12: {ENCODING[0]}"),
    "UTF-16 cut short": ("mine.csv", TEN.decode().encode("utf-16")[:-1], f"mine.csv, line 11: {ENCODING[0]}"),
    "UTF-16 unmarked": ("mine.csv", TEN.decode().encode("utf-16-le"), f"mine.csv {ENCODING[1]}"),
    "a binary file": ("mine.csv", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", f"mine.csv {ENCODING[1]}"),
    "a quote never closed": (
        "mine.csv",
        TEN + b'"so it began,yes\nand went on,no\n',
        f"mine.csv, row 12: {QUOTE.format('unexpected end of data')}",
    ),
    "a quote not doubled": (
        "mine.tsv",
        as_csv(pairs(10), delimiter="\t") + b'"the "best" film"\tyes\n',
        f"mine.tsv, row 12: {QUOTE.format(chr(39) + chr(9) + chr(39) + ' expected after ' + repr(chr(34)))}",
    ),
    "a quote closed much later": (
        "mine.csv",
        TEN + b'"so it began,yes\n' + b"and went on,no\n" * 9_000,
        f"mine.csv, row 12: {QUOTE.format('field larger than field limit (131072)')}",
    ),
    "a comma without quotes": (
        "mine.csv",
        TEN + b"well, well,yes\n",
        "mine.csv, row 12: it has more cells than row 1 has names. Put quotes around a text that holds a comma.",
    ),
    "an empty CSV": (
        "mine.csv",
        b"\xef\xbb\xbf\n,\n",
        "mine.csv is empty. Give a first row with the names of the columns, then one row per example.",
    ),
    "an empty JSONL": (
        "mine.jsonl",
        b"\n\n",
        "mine.jsonl is empty. Give one JSON object per example, each on a line of its own.",
    ),
    "names only": ("mine.tsv", b"input\toutput\n", "mine.tsv: there are no rows. Give at least a few examples."),
    "no names": (
        "mine.csv",
        as_csv(pairs(10), header=("text number x", "class 1")),
        "mine.csv: the first row, 'text number x', 'class 1', looks like an example. Put a row with the names above: "
        "input,output.",
    ),
    "three columns": (
        "mine.csv",
        as_csv([(*pair, "?") for pair in pairs(10)], header=("first", "second", "third")),
        "mine.csv: which column is the input and which the output is not clear (columns: 'first', 'second', 'third'). "
        "Name yours: Task.from_table(..., input=…, output=…).",
    ),
    "a broken line": ("mine.jsonl", as_jsonl(pairs(4)) + b'{"input": "a", \n' + as_jsonl(pairs(9)), "line 5"),
    "a list": ("mine.jsonl", b'["a", "b"]\n', "line 1"),
    "a line without end": ("mine.jsonl", b"\n" + b"[" * 100_000, "line 2"),
    "half a character": (
        "mine.jsonl",
        as_jsonl([("a", "b"), ("\ud83d", "b")]),
        "mine.jsonl, line 2: a text holds half a character. Remove it.",
    ),
    "a row cut short": (
        "mine.csv",
        TEN + b"text\n",
        "mine.csv, row 12: the output is empty. Fill it in or remove the row.",
    ),
    "a missing key": (
        "mine.jsonl",
        as_jsonl(pairs(4)) + b'\n{"input": "a", "topic": "x"}\n',
        "mine.jsonl, row 6: the output is empty. Fill it in or remove the row.",
    ),
    "no Parquet": (
        "mine.parquet",
        as_parquet(pairs(10))[:-1],
        "mine.parquet is not a whole Parquet file. Write or download it again.",
    ),
    "a wrong suffix": (
        "mine.xlsx",
        TEN,
        "mine.xlsx: a table is read from a file that ends in .csv, .tsv, .jsonl, .parquet. Save it as one "
        "of these, from a spreadsheet as CSV UTF-8.",
    ),
}


@pytest.mark.parametrize(("name", "data", "said"), CASES.values(), ids=CASES)
def test_a_file_that_cannot_be_used_gets_one_exact_sentence(write, name, data, said):
    path = write(data, name)
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole sentence is compared
        Task.from_table(path)
    assert str(error.value) == (f"{name}, {said}: {NOT_JSON}" if said.startswith("line") else said)
    assert path.read_bytes() == data


def test_no_file_a_folder_and_no_table_are_named(tmp_path):
    with pytest.raises(FileNotFoundError) as missing:
        Task.from_table(tmp_path / "mine.csv")
    assert str(missing.value) == f"There is no file mine.csv in {tmp_path}. Check the name, or put the file there."
    with pytest.raises(ValueError, match=f"^{tmp_path} is a folder. Give the path of a file in it.$"):
        Task.from_table(str(tmp_path))
    with pytest.raises(
        ValueError, match=r"^No table was given, but a value of type DatasetDict. .*data\['train'\]\).$"
    ):
        Task.from_table(DatasetDict())
    with pytest.raises(ValueError, match="^your data, row 2: the output is empty"):
        Task.from_table(pd.DataFrame({"text": ["a", "b"], "label": [1, None]}))


@pytest.mark.parametrize("suffix", READERS)
def test_every_kind_of_file_gives_the_same_task(write, suffix):
    rows = [*pairs(10), (FORMULA, "class 1"), (HTML, "class 0"), ('a "quote", a comma;\r\na line', "=1+1")]
    write_as = {".csv": as_csv, ".tsv": lambda rows: as_csv(rows, delimiter="\t"), ".parquet": as_parquet}
    data = write_as.get(suffix, as_jsonl)(rows)
    path = write(data, f"Mine{suffix.upper()}")
    task = Task.from_table(path)
    assert kept(task) == Counter(rows)
    assert (task.name, task.source) == ("Mine", path.name)
    assert path.read_bytes() == data


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_what_spreadsheets_save_is_read(write, encoding, separator):
    rows = [("Straße; 東京, “no”", "ja"), ("नमस्ते 🍵\n\ttwo lines", "=no"), *pairs(10)]
    path = write(as_csv(rows, (" Text ", "LABEL"), separator).decode().encode(encoding))
    assert read_table(path).to_numpy().tolist() == [list(row) for row in rows]
    assert kept(Task.from_table(path)) == Counter(rows)


def test_rows_keep_their_numbers_and_their_spaces(write):
    table = read_table(write(b'text,label,\r\n\r\n a ,1\r\n ,,\r\n"b\r\nc",3.50,\r\n'))
    assert table.reset_index().to_numpy().tolist() == [[3, " a ", "1", ""], [5, "b\r\nc", "3.50", ""]]


def test_numbers_stay_as_they_are_written(write):
    numbers = ["1", "3.50", "-0", "1e3", "007", "NaN", "12345678901234567890", "true", '{"to": ["a", 1]}', "null"]
    rows = [(f"text {n}", number) for n, number in enumerate(numbers)]
    assert read_table(write(as_csv(rows)))["output"].tolist() == numbers
    lines = "".join(f'{{"input": "{text}", "output": {number}}}\n' for text, number in rows if number != "007")
    jsonl = read_table(write(lines.encode(), "mine.jsonl"))
    assert jsonl["output"].tolist() == [*numbers[:4], *numbers[5:-1], ""]
    task = Task.from_table(write(as_csv((f"text {n}", n % 2) for n in range(20))), choices=[0, 1])
    assert task.prompt.choices == ("0", "1")


def test_integer_labels_of_parquet_and_of_tables_in_memory_are_text(write):
    table = pd.DataFrame({"id": 7.5, "review": [f"text {n}" for n in range(20)], "label": [n % 2 for n in range(20)]})
    table.loc[20] = [None, "the last", 1]
    before = table.copy()
    file = io.BytesIO()
    table.astype({"label": "Int64"})[5:].to_parquet(file)
    parquet = Task.from_table(write(file.getvalue(), "mine.parquet"))
    assert parquet.prompt.choices == ("0", "1")
    assert kept(parquet)["text 7", "1"] == 1
    frame = Task.from_table(table.astype({"label": int}))
    assert kept(frame)["the last", "1"] == 1
    assert repr(frame) == "your data: 10 training and 11 held-out cases, 2 choices"
    pd.testing.assert_frame_equal(table, before)
    rows = {"text": table["review"][:20].tolist(), "class": [n % 2 for n in range(20)]}
    named = Dataset.from_dict(rows, Features({"text": Value("string"), "class": ClassLabel(names=["bad", "good"])}))
    assert kept(Task.from_table(named)) == kept(
        Task.from_table(pd.DataFrame({"a": rows["text"], "b": np.array(["bad", "good"] * 10)}))
    )


def test_a_missing_number_does_not_change_the_others(tmp_path):
    Dataset.from_dict({"text": ["a", None], "label": [1, None]}).to_parquet(tmp_path / "mine.parquet")
    assert read_table(tmp_path / "mine.parquet").to_numpy().tolist() == [["a", "1"], ["", ""]]


def test_nested_values_are_written_as_json(write):
    file = io.BytesIO()
    pd.DataFrame({"text": ["a"], "label": [[{"of": [1, 2]}]]}).to_parquet(file)
    assert read_table(write(file.getvalue(), "mine.parquet")).loc[1, "label"] == '[{"of": [1, 2]}]'
    assert read_table(write(b'{"text": "a", "label": [{"of": [1, 2]}]}', "mine.jsonl"))["label"].tolist() == [
        '[{"of": [1, 2]}]'
    ]


def test_200_classes_are_free_text_or_choices_as_you_say(write):
    path = write(as_csv(pairs(1000, classes=200)))
    assert Task.from_table(path).prompt.choices is None
    task = Task.from_table(path, choices=[f"class {n}" for n in range(200)], test_size=0.2)
    assert Counter(task.test["output"]) == {f"class {n}": 1 for n in range(200)}
    fewer = Task.from_table(path, choices=[f"class {n}" for n in range(200)], test_size=0.1)
    assert len(fewer.test) == 100  # too few to hold one out of each


def test_duplicates_stand_on_one_side_even_where_they_disagree(write):
    rows = [*pairs(40), *((f"  TEXT number\t{n}", f"class {(n + 1) % 2}") for n in range(40))]
    task = Task.from_table(write(as_csv(rows)))
    assert not {same(text) for text in task.train["input"]} & {same(text) for text in task.test["input"]}
    assert kept(task) == Counter((text.strip(), output) for text, output in rows)
    assert len(task.test) == len(task.train) == 40


def test_100_000_rows_load_and_can_be_fewer(write):
    rows = [(f"text number {n}, with a few more words in it", f"class {min(n % 10, 3)}") for n in range(100_000)]
    task = Task.from_table(write(as_csv(rows)))
    assert len(task.train) == len(task.test) == 50_000
    rows = rows[:20_000]
    path = write(as_csv(rows))
    task = Task.from_table(path, most=400)
    assert task.source == "400 of 20,000 rows of mine.csv, drawn at random"
    assert Counter(task.train["output"]) == {"class 0": 20, "class 1": 20, "class 2": 20, "class 3": 140}
    assert Counter(task.train["output"]) == Counter(task.test["output"])
    assert not kept(task) - Counter(rows)
    assert kept(Task.from_table(path, most=400)) == kept(task) != kept(Task.from_table(path, most=400, seed=1))
    large = read_table(path)
    assert Task.from_table(large, most=400).source == "400 of 20,000 rows of your data, drawn at random"
    assert Task.from_table(large[:400], most=400).source == "your data"
    with pytest.raises(
        ValueError, match=f"^20 of 1,000 rows of your data, drawn at random: . different inputs {TOO_FEW}"
    ):
        Task.from_table(pd.DataFrame({"text": ["a", "b"] * 500, "label": range(1000)}), most=20)
    with pytest.raises(
        ValueError, match="^most=4 rows are too few to learn from and to be judged by. Take at least 10"
    ):
        Task.from_table(path, most=4)


@pytest.mark.parametrize(
    ("columns", "named", "found"),
    [
        ("input output text label", {}, ("input", "output")),
        ("id TEXT Label", {}, ("TEXT", "Label")),
        ("title question answer", {}, ("question", "answer")),
        ("this that", {}, ("this", "that")),
        ("label tweet", {}, ("tweet", "label")),
        ("mood sentence", {}, ("sentence", "mood")),
        ("text label output", {"input": "text"}, ("text", "output")),
        ("this that output", {"input": "that"}, ("that", "output")),
        ("this that", {"output": "this"}, ("that", "this")),
        (
            "text label answer",
            {},
            "which column is the input and which the output is not clear \\(columns: 'text', 'label', 'an",
        ),
        ("this that", {"input": "text"}, "there is no column 'text', only 'this', 'that'. Name yours: Task.from_table"),
        ("text label text", {"input": "text"}, "there are 2 columns 'text'. Give each a name of its own."),
        (
            "text text",
            {},
            "which column is the input and which the output is not clear \\(columns: 'text', 'text'\\). Name",
        ),
    ],
)
def test_the_two_columns_are_recognised_or_asked_for(columns, named, found):
    table = pd.DataFrame([["a"] * len(columns.split())], columns=columns.split())
    if isinstance(found, tuple):
        assert guess_columns(table, **named) == guess_columns(table.assign(**{" ": ""}), **named) == found
    else:
        with pytest.raises(ValueError, match=f"^{found}"):
            guess_columns(table, **named)


def test_an_export_holds_no_formula_and_says_so_with_an_apostrophe():
    dangerous = [FORMULA, "+1", "-1", "@SUM(A1)", "\tx", "\rx"]
    harmless = ["a=1", " =1", HTML, "", "'=1", "ümlaut"]
    table = pd.DataFrame({"=name": [*dangerous, *harmless], "score": -0.5, "missing": None})
    safe = safe_for_spreadsheets(table)
    assert safe["'=name"].tolist() == [*(f"'{text}" for text in dangerous), *harmless]
    assert safe["score"].tolist() == table["score"].tolist()
    assert safe["missing"].isna().all()
    assert table["=name"].tolist() == [*dangerous, *harmless]
    pd.testing.assert_frame_equal(safe_for_spreadsheets(safe), safe)


text = st.one_of(
    st.text(max_size=12),
    st.text("\",;\t\r\n\\'=+-@<>& aA\u00a0\ufeff\u2028ß", max_size=8),
    st.sampled_from([FORMULA, HTML, "", "yes", "no", "1", "3.50", "null"]),
)
tables = st.lists(st.tuples(text, st.one_of(text, st.sampled_from(["yes", "no"]))), max_size=40)


def a_task_or_a_sentence(path, data, **settings):
    """The task, or None where the sentence was right in form; nothing else may happen, to the file neither."""
    try:
        return Task.from_table(path, **settings)
    except (ValueError, FileNotFoundError) as error:
        said = str(error)
        assert said.startswith((path.name, "your data")) or f"of {path.name}, drawn at random" in said
        assert said.endswith((".", "…"))
        assert "\n" not in said
        return None
    finally:
        assert path.read_bytes() == data


@settings(max_examples=100, deadline=None)
@given(
    tables,
    st.booleans(),
    st.sampled_from([("input", "output"), ("Question", "answer"), ("one", "two"), ("output", "input")]),
    st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet"]),
    st.integers(0, 3),
    st.one_of(st.none(), st.integers(10, 30)),
)
def test_any_table_gives_its_own_rows_or_a_sentence(tmp_path_factory, rows, many, header, suffix, seed, most):
    if many:  # enough different inputs that most of the time there is something to judge by
        rows = [*rows, *((f"{first}{n}", second or "no") for n, (first, second) in enumerate(rows))]
        rows = [(first, second) for first, second in rows if first.strip() and second.strip()]
    write_as = {".tsv": lambda rows, header: as_csv(rows, header, "\t"), ".jsonl": as_jsonl, ".parquet": as_parquet}
    data = write_as.get(suffix, as_csv)(rows, header)
    path = tmp_path_factory.mktemp("any") / f"any{suffix}"
    path.write_bytes(data)
    task = a_task_or_a_sentence(path, data, seed=seed, most=most)
    if task is None:
        return
    if header == ("output", "input"):
        rows = [row[::-1] for row in rows]
    whole = Counter((first.strip(), second.strip()) for first, second in rows if first.strip() or second.strip())
    assert not kept(task) - whole
    assert kept(task).total() == min(most or whole.total(), whole.total())
    assert not {same(text) for text in task.train["input"]} & {same(text) for text in task.test["input"]}
    assert len(task.train)
    assert len(task.test)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 200), st.booleans(), st.sampled_from(list(READERS)))
def test_any_bytes_give_a_task_or_a_sentence(tmp_path_factory, noise, place, whole, suffix):
    rows = pairs(12)
    good = {".jsonl": as_jsonl, ".parquet": as_parquet}.get(suffix, as_csv)(rows) if whole else b""
    data = good[:place] + noise + good[place:]
    path = tmp_path_factory.mktemp("any") / f"any{suffix}"
    path.write_bytes(data)
    a_task_or_a_sentence(path, data)
