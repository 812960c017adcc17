"""A learner's own table: read from a file and never written to, every cell as the text that stands there."""

import codecs
import csv
import io
import json
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from datasets import ClassLabel, Dataset

INPUTS = ("input", "text", "question", "prompt", "sentence", "review", "message", "query", "instruction", "comment")
OUTPUTS = ("output", "label", "answer", "completion", "response", "sentiment", "category", "class", "topic", "target")
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet may take for the beginning of one


def read_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The table in a file (.csv, .tsv, .jsonl or .parquet) as text, cell by cell; its index is the row in the file.

    Text is UTF-8, or UTF-16 with its mark. Blank rows are passed over. A .csv whose first row holds no comma may be
    separated by semicolons or tabs. Raises FileNotFoundError or ValueError with file, row and remedy.
    """
    path = Path(path)
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"There is no file {path.name} in {path.absolute().parent}. Check the name, or put the file there."
        )
    if os.path.isdir(path):
        raise ValueError(f"{path} is a folder. Give the path of a file in it.")
    if path.suffix.lower() not in READERS:
        raise ValueError(
            f"{path.name}: a table is read from a file that ends in {', '.join(READERS)}. Save it as one of these, "
            f"from a spreadsheet as CSV UTF-8."
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read ({error.strerror}). Put a copy where you may read it.") from error
    return READERS[path.suffix.lower()](data, path.name)


def name_of(path: Path) -> str:
    """A file's name as readable text, also where the system's encoding is not the one that it was given in."""
    return os.fsencode(path.name).decode("utf-8", "replace")


def as_text(data: pd.DataFrame | Dataset) -> pd.DataFrame:
    """A table held in memory as text; its index counts the rows from 1.

    What is missing becomes an empty text, a class label its name. Raises ValueError where it is no table.
    """
    if isinstance(data, Dataset):
        table = data.to_pandas()
        for column, feature in data.features.items():
            if isinstance(feature, ClassLabel):
                table[column] = table[column].map(dict(enumerate(feature.names)))
    elif isinstance(data, pd.DataFrame):
        table = data
    else:
        raise ValueError(
            f"No table was given, but a value of type {type(data).__name__}. Give the path of a file, a pandas "
            f"DataFrame or a datasets.Dataset (of a DatasetDict one part: data['train'])."
        )
    try:
        cells = table.astype(object).where(table.notna(), "").map(_cell).astype(str)
        return cells.set_axis(table.columns.map(str), axis=1).set_axis(pd.RangeIndex(1, len(table) + 1))
    except UnicodeEncodeError as error:
        raise ValueError(f"your data: the text {error.object[:40]!r} holds half a character. Remove it.") from error


def guess_columns(table: pd.DataFrame, input: str | None = None, output: str | None = None) -> tuple[str, str]:
    """The names of the columns that hold input and output; either may be given.

    They are those called so, else the one pair with names known for it (text and label, question and answer, …), else
    the only two columns. Raises ValueError with the columns there are where that does not tell.
    """
    names = [name for name in table.columns if str(name).strip()]
    there = ", ".join(map(repr, names[:12])) + (", …" if len(names) > 12 else "") or "none"
    yours = "Name yours: Task.from_csv(..., input=…, output=…)."
    for given in (input, output):
        if given is not None and given not in names:
            raise ValueError(f"there is no column {given!r}, only {there}. {yours}")
        if names.count(given) > 1:
            raise ValueError(f"there are {names.count(given)} columns {given!r}. Give each a name of its own.")
    for known in (1, None):  # first input and output themselves, then every name in the lists
        inputs = [input] if input is not None else _called(names, INPUTS[:known])
        outputs = [output] if output is not None else _called(names, OUTPUTS[:known])
        if len(inputs) == len(outputs) == 1:
            return inputs[0], outputs[0]
    if len(names) != 2 or names[0] == names[1]:
        raise ValueError(f"which column is the input and which the output is not clear (columns: {there}). {yours}")
    first, second = reversed(names) if inputs == names[1:] or outputs == names[:1] else names
    if second in set(table[second]):
        raise ValueError(
            f"the first row, {there}, looks like an example. Put a row with the names above: input,output."
        )
    return first, second


def safe_for_spreadsheets(table: pd.DataFrame) -> pd.DataFrame:
    """The table, to be exported as CSV, with an apostrophe before each text that a spreadsheet could run as a formula.

    OWASP, "CSV Injection": a text that begins with = + - @, tab or carriage return. Numbers stay numbers.
    """

    def safe(cell: Any) -> Any:
        return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell

    return table.map(safe).rename(columns=safe)


def _called(names: Iterable[Any], wanted: Iterable[str]) -> list[Any]:
    return [name for name in names if str(name).strip().casefold() in wanted]


def _cell(value: Any) -> str:
    if isinstance(value, (dict, list, np.ndarray)):
        return json.dumps(value, ensure_ascii=False, default=lambda v: v.tolist() if hasattr(v, "tolist") else str(v))
    return str(value)


def _decoded(data: bytes, name: str) -> str:
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    if "\0" in data.decode(encoding, "ignore"):
        raise ValueError(
            f"{name} is not a text file, whatever its name says. Open it in the program it comes from and save it as "
            f"CSV UTF-8."
        )
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].decode(encoding, "ignore").count("\n") + 1
        raise ValueError(
            f"{name}, line {line}: the file is not in UTF-8. Save it again in UTF-8 (as CSV UTF-8 in a spreadsheet's "
            f"save dialogue)."
        ) from error


def _read_csv(data: bytes, name: str, separators: str = "".join(SEPARATORS)) -> pd.DataFrame:
    text = _decoded(data, name)
    header = io.StringIO(text.lstrip(), newline="").readline()
    separator = next((sign for sign in separators if sign in header), separators[0])
    rows: list[list[str]] = []
    try:
        rows.extend(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise ValueError(
            f"{name}, row {len(rows) + 1}: a quotation mark is not closed, or one within quotes is not doubled "
            f"({error}). Correct the row, or save the table as CSV again from a spreadsheet."
        ) from error
    filled = [(number, row) for number, row in enumerate(rows, start=1) if any(map(str.strip, row))]
    if not filled:
        raise ValueError(f"{name} is empty. Give a first row with the names of the columns, then a row an example.")
    (first, names), *examples = filled
    for number, row in examples:
        if any(map(str.strip, row[len(names) :])):
            raise ValueError(
                f"{name}, row {number}: it has more cells than row {first} has names. Put quotes around a text that "
                f"holds a {SEPARATORS[separator]}."
            )
    return pd.DataFrame(
        [row[: len(names)] + [""] * (len(names) - len(row)) for _, row in examples],  # a row may end early
        index=[number for number, _ in examples],
        columns=[each.strip() for each in names],
        dtype=str,
    )


def _read_jsonl(data: bytes, name: str) -> pd.DataFrame:
    rows = {}
    for number, line in enumerate(_decoded(data, name).split("\n"), start=1):
        if line.strip():
            try:
                rows[number] = _json_row(line)
            except UnicodeEncodeError as error:
                raise ValueError(f"{name}, line {number}: a text holds half a character. Remove it.") from error
            except (ValueError, RecursionError) as error:
                raise ValueError(
                    f'{name}, line {number}: it is not one JSON object, such as {{"input": "…", "output": "…"}}. '
                    f"Correct or remove the line."
                ) from error
    if not rows:
        raise ValueError(f"{name} is empty. Give a JSON object an example, each in a line of its own.")
    return pd.DataFrame(list(rows.values()), index=list(rows), dtype=object).fillna("").astype(str)


def _json_row(line: str) -> dict[str, str]:
    row = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)  # numbers as they are written
    if not isinstance(row, dict):
        raise ValueError("not an object")
    for key, value in row.items():
        if not isinstance(value, str):
            row[key] = "" if value is None else json.dumps(json.loads(line)[key], ensure_ascii=False)
    "".join([*row, *row.values()]).encode()
    return row


def _read_parquet(data: bytes, name: str) -> pd.DataFrame:
    try:
        return as_text(pd.read_parquet(io.BytesIO(data), dtype_backend="pyarrow"))
    except Exception as error:  # a damaged file makes the readers stumble in many ways
        raise ValueError(f"{name} is not a whole Parquet file. Write or download it again.") from error


READERS: dict[str, Callable[[bytes, str], pd.DataFrame]] = {
    ".csv": _read_csv,
    ".tsv": partial(_read_csv, separators="\t"),
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
