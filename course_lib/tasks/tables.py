"""A learner's own table: read from a file and never written to, every cell as text, just as it was written."""

import codecs
import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from datasets import ClassLabel, Dataset

INPUTS = ("input", "text", "question", "prompt", "sentence", "review", "message", "query", "instruction", "comment")
OUTPUTS = ("output", "label", "answer", "completion", "response", "sentiment", "category", "class", "topic", "target")
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
NAME_YOURS = "Name yours: Task.from_table(..., input=…, output=…)."
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with these a spreadsheet formula may begin


def load_table(data: str | os.PathLike[str] | pd.DataFrame | Dataset) -> tuple[str, pd.DataFrame]:
    """What messages call a table, and the table as text: from a file, or from a table in memory.

    Raises FileNotFoundError or ValueError as `read_table` and `as_text` do.
    """
    if isinstance(data, str | os.PathLike):
        return name_of(Path(data)), read_table(data)
    return "your data", as_text(data)


def read_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The table in a file (.csv, .tsv, .jsonl or .parquet) as text, cell by cell; its index is the row in the file.

    Text is UTF-8, or UTF-16 with a byte order mark. Blank rows are ignored. The cells of a .csv are separated by
    commas or, if its first row has none, by semicolons or tabs. Raises FileNotFoundError or ValueError with file, row
    and remedy.
    """
    path = Path(path)
    _check_file(path)
    if path.suffix.lower() not in READERS:
        raise ValueError(
            f"{path.name}: a table is read from a file that ends in {', '.join(READERS)}. Save it as one of these, "
            f"from a spreadsheet as CSV UTF-8."
        )
    return READERS[path.suffix.lower()](_read_bytes(path), path.name)


def read_passages(path: str | os.PathLike[str]) -> list[str]:
    """The passages in a text file in UTF-8, one per line, without the spaces around them; blank lines are ignored.

    Raises FileNotFoundError or ValueError with the remedy.
    """
    path = Path(path)
    _check_file(path)
    try:
        text = _read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path.name} is not a text in UTF-8. Save it again as UTF-8, with one passage per line."
        ) from error
    passages = [line.strip() for line in text.splitlines() if line.strip()]
    if not passages:
        raise ValueError(f"{path.name} is empty. Write one passage per line, or leave --documents out.")
    return passages


def name_of(path: Path) -> str:
    """A file's name as readable text, even if it was written in another encoding than the system's."""
    return os.fsencode(path.name).decode("utf-8", "replace")


def as_text(data: pd.DataFrame | Dataset) -> pd.DataFrame:
    """A table in memory as text; its index counts the rows from 1.

    A missing value becomes an empty text, a class label its name. Raises ValueError if `data` is no table.
    """
    table = _data_frame(data)
    try:
        cells = table.astype(object).where(table.notna(), "").map(_cell).astype(str)
        return cells.set_axis(table.columns.map(str), axis=1).set_axis(pd.RangeIndex(1, len(table) + 1))
    except UnicodeEncodeError as error:
        raise ValueError(f"your data: the text {error.object[:40]!r} holds half a character. Remove it.") from error


def guess_columns(table: pd.DataFrame, input: str | None = None, output: str | None = None) -> tuple[str, str]:
    """The names of the columns with the inputs and the outputs; you may give either.

    They are the columns called input and output; else the one pair with usual names (text and label, question and
    answer, …); else the only two columns. Raises ValueError with the columns that there are if that does not decide.
    """
    names = [name for name in table.columns if str(name).strip()]
    for given in (input, output):
        check_given(names, given)
    for known in (1, None):  # first only "input" and "output", then all usual names
        inputs = _called(names, INPUTS[:known]) if input is None else [input]
        outputs = _called(names, OUTPUTS[:known]) if output is None else [output]
        if len(inputs) == len(outputs) == 1:
            return inputs[0], outputs[0]
    if len(names) != 2 or names[0] == names[1]:
        raise ValueError(
            f"which column is the input and which the output is not clear (columns: {_listed(names)}). {NAME_YOURS}"
        )
    first, second = reversed(names) if inputs == names[1:] or outputs == names[:1] else names
    if second in set(table[second]):
        raise ValueError(
            f"the first row, {_listed(names)}, looks like an example. Put a row with the names above: input,output."
        )
    return first, second


def safe_for_spreadsheets(table: pd.DataFrame) -> pd.DataFrame:
    """The table, to be exported as CSV, with an apostrophe before each text that a spreadsheet could run as a formula.

    OWASP, "CSV Injection": a text that begins with = + - @, tab or carriage return. Numbers stay numbers.
    """

    def safe(cell: Any) -> Any:
        return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell

    return table.map(safe).rename(columns=safe)


def _check_file(path: Path) -> None:
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"There is no file {path.name} in {path.absolute().parent}. Check the name, or put the file there."
        )
    if os.path.isdir(path):
        raise ValueError(f"{path} is a folder. Give the path of a file in it.")


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read ({error.strerror}). Put a copy where you may read it.") from error


def _data_frame(data: pd.DataFrame | Dataset) -> pd.DataFrame:
    if isinstance(data, pd.DataFrame):
        return data
    if not isinstance(data, Dataset):
        raise ValueError(
            f"No table was given, but a value of type {type(data).__name__}. Give the path of a file, a pandas "
            f"DataFrame or a datasets.Dataset (of a DatasetDict one part: data['train'])."
        )
    table = data.to_pandas()
    for column, feature in data.features.items():
        if isinstance(feature, ClassLabel):
            table[column] = table[column].map(dict(enumerate(feature.names)))
    return table


def _cell(value: Any) -> str:
    if isinstance(value, (dict, list, np.ndarray)):
        return json.dumps(value, ensure_ascii=False, default=lambda v: v.tolist() if hasattr(v, "tolist") else str(v))
    return str(value)


def check_given(names: list[Any], given: str | None) -> None:
    """Raise ValueError, with the columns that there are, if the one that is named is not among them or is not alone."""
    if given is None:
        return
    if given not in names:
        raise ValueError(f"there is no column {given!r}, only {_listed(names)}. {NAME_YOURS}")
    if names.count(given) > 1:
        raise ValueError(f"there are {names.count(given)} columns {given!r}. Give each a name of its own.")


def _called(names: Iterable[Any], wanted: Iterable[str]) -> list[Any]:
    return [name for name in names if str(name).strip().casefold() in wanted]


def _listed(names: list[Any]) -> str:
    return ", ".join(map(repr, names[:12])) + (", …" if len(names) > 12 else "") or "none"


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
    separator = _separator_of(text, separators)
    numbered = enumerate(_split_cells(text, separator, name), start=1)
    filled = {number: cells for number, cells in numbered if any(map(str.strip, cells))}
    if not filled:
        raise ValueError(f"{name} is empty. Give a first row with the names of the columns, then one row per example.")
    first, *numbers = filled
    names, examples = filled[first], [filled[number] for number in numbers]
    for number in numbers:
        if any(map(str.strip, filled[number][len(names) :])):
            raise ValueError(
                f"{name}, row {number}: it has more cells than row {first} has names. Put quotes around a text that "
                f"holds a {SEPARATORS[separator]}."
            )
    return pd.DataFrame(
        [cells[: len(names)] + [""] * (len(names) - len(cells)) for cells in examples],  # a row may end early
        index=numbers,
        columns=[each.strip() for each in names],
        dtype=str,
    )


def _separator_of(text: str, separators: Sequence[str]) -> str:
    header = io.StringIO(text.lstrip(), newline="").readline()
    return next((sign for sign in separators if sign in header), separators[0])


def _split_cells(text: str, separator: str, name: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:  # what is read before an error stays in `rows`, so its length says where
        rows.extend(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise ValueError(
            f"{name}, row {len(rows) + 1}: a quotation mark is not closed, or one within quotes is not doubled "
            f"({error}). Correct the row, or save the table as CSV again from a spreadsheet."
        ) from error
    return rows


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
        raise ValueError(f"{name} is empty. Give one JSON object per example, each on a line of its own.")
    return pd.DataFrame(list(rows.values()), index=list(rows), dtype=object).fillna("").astype(str)


def _json_row(line: str) -> dict[str, str]:
    """One line as texts, numbers as they are written.

    Raises UnicodeEncodeError if a text holds half a character, ValueError if the line is no JSON object.
    """
    row = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
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
    except Exception as error:  # a damaged file raises many kinds of errors
        raise ValueError(f"{name} is not a whole Parquet file. Write or download it again.") from error


READERS: dict[str, Callable[[bytes, str], pd.DataFrame]] = {
    ".csv": _read_csv,
    ".tsv": partial(_read_csv, separators="\t"),
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
