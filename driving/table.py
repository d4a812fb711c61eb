"""Files of numbers by name: CSV with any separator, JSON, and lines of JSON, as one kind of table."""

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import InputError

NAMES_SHOWN = 6  # of the columns, where a message says what was seen
# How programs write that there is no number.
NO_NUMBER = {"", "nan", "-nan", "nan(ind)", "-nan(ind)", "null", "none", "n/a", "na", "inf", "-inf"}
WORDS = {"true": 1.0, "false": 0.0}

# Eyes and faces are recorded at 5 to 500 Hz, so the usual step of times tells their unit: seconds in a unit, and the
# least and most that a step may be in it.
STEPS = ((1.0, 0.002, 0.2), (1e-3, 2, 200), (1e-6, 2e3, 2e5), (1e-9, 2e6, 2e8))
SINCE_1970 = (1e9, 1e10)  # seconds, 2001 to 2286: a time in between is taken to count from 1970


@dataclass(frozen=True)
class Table:
    """Named columns of a file. name: the file's. columns: names as written. rows: values as written, None where a row
    has none. decimal_comma: 0,5 is a half in this file."""

    name: str
    columns: list[str]
    rows: list[list[Any]]
    decimal_comma: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, column: str) -> bool:
        return self._place(column) is not None

    def numbers(self, column: str) -> np.ndarray:
        """(N,) float64 of a column, whatever the case of its name; NaN where a row has no number.

        Raises InputError where there is no such column, or something else than a number in it.
        """
        place = self._place(column)
        if place is None:
            raise InputError(f"{self.name} has no column {column}, only {self.described()}; it was changed or cut.")
        return np.array([self._number(row[place], column, index) for index, row in enumerate(self.rows)])

    def texts(self, column: str) -> list[str]:
        """A column as written."""
        return [str(row[self._place(column)]) for row in self.rows]

    def require(self, *columns: str) -> None:
        """Raise InputError unless all of these columns are there."""
        if missing := [column for column in columns if column not in self]:
            raise InputError(
                f"{self.name} lacks the column{'s' * (len(missing) > 1)} {_some(missing)}; it has {self.described()}; "
                "export it again with all columns."
            )

    def described(self) -> str:
        """The first columns, in words."""
        return f"{len(self.columns)} columns ({_some(self.columns)})"

    def _place(self, column: str) -> int | None:
        wanted = column.lower()
        return next((i for i, name in enumerate(self.columns) if name.lower() == wanted), None)

    def _number(self, value: Any, column: str, row: int) -> float:
        if value is None:
            return np.nan
        text = str(value).strip().lower()
        if text in NO_NUMBER:
            return np.nan
        if text in WORDS:
            return WORDS[text]
        try:
            return float(text.replace(",", ".") if self.decimal_comma else text)
        except ValueError:
            comma = ": numbers with a decimal comma are not expected here" if "," in text else ""
            raise InputError(
                f"{self.name} holds '{value}' instead of a number in column {column}, row {row + 1}{comma}; export it "
                "again."
            ) from None


def read_table(content: bytes, name: str) -> Table:
    """The table that a file's content is. Raises InputError where it is none, or not whole."""
    text = _text(content, name)
    if not text.strip():
        raise InputError(f"{name} is empty; record or export it again.")
    return _from_json(text, name) if text.lstrip()[0] in "{[" else _from_csv(text, name)


def _text(content: bytes, name: str) -> str:
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise InputError(
                f"{name} cannot be unpacked ({error}): it is cut off or damaged; copy it again."
            ) from error
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    if b"\0" in content[:1024]:
        raise InputError(f"{name} is no text but binary; expected a CSV or JSON file of eye or face tracking.")
    return content.decode("utf-8-sig", errors="replace")


def _from_csv(text: str, name: str) -> Table:
    lines = text.lstrip("\r\n").splitlines()
    separator = max(";\t,", key=lines[0].count)
    try:
        header, *rows = csv.reader(io.StringIO("\n".join(lines)), delimiter=separator)
    except csv.Error as error:
        raise InputError(f"{name} is no whole CSV ({error}): it is damaged; export it again.") from error
    columns = [column.strip() for column in header]
    if len(columns) < 2:
        raise InputError(f"{name} starts with '{lines[0][:60]}', which names no columns; expected a CSV or JSON file.")
    rows = [row for row in rows if any(value.strip() for value in row)]
    if not rows:
        raise InputError(f"{name} has {len(columns)} columns but no rows; nothing was recorded.")
    for number, row in enumerate(rows, 1):
        if len(row) == len(columns) + 1 and not row[-1].strip():
            row.pop()  # a separator at the end of the line
        if len(row) == 2 and row[1].strip() == "0":
            row += [""] * (len(columns) - 2)  # a phone that sees no face: time, and a count of 0 values
        if len(row) != len(columns):
            why = _why(row, columns, number == len(rows))
            raise InputError(f"{name} has {len(row)} values in row {number}, for {len(columns)} columns{why}.")
    # Where the comma does not separate, it can be nothing but a decimal comma.
    return Table(name, columns, rows, decimal_comma=separator != ",")


def _why(row: list[str], columns: list[str], last: bool) -> str:
    if len(row) > 1.5 * len(columns):
        return ": its numbers have a decimal comma, which also separates them; export it with points"
    if len(row) < len(columns) and last:
        return ": it is cut off; export it again, or delete that row"
    return "; export it again"


def _from_json(text: str, name: str) -> Table:
    try:
        frames = _frames(json.loads(text))
    except json.JSONDecodeError as whole:
        try:
            frames = [json.loads(line) for line in text.splitlines() if line.strip()]
        except json.JSONDecodeError:
            raise InputError(
                f"{name} is no whole JSON ({whole.msg} in line {whole.lineno}): it is cut off or damaged; export it "
                "again."
            ) from None
    rows = [dict(_values(frame)) for frame in frames]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    if not columns:
        raise InputError(f"{name} is JSON without a single frame of values; nothing was recorded.")
    return Table(name, columns, [[row.get(column) for column in columns] for row in rows])


def _frames(content: Any) -> list[Any]:
    """What of JSON is one frame after the other: the list that it is, or the longest list in it."""
    if isinstance(content, dict):
        lists = [value for value in content.values() if isinstance(value, list)]
        return max(lists, key=len) if lists and not _pairs(max(lists, key=len)) else [content]
    return [content] if _pairs(content) else content


def _pairs(content: Any) -> bool:
    """Whether it lists names with their values, as MediaPipe and VTube Studio do."""
    return (
        isinstance(content, list) and bool(content) and isinstance(content[0], dict) and _pair(content[0]) is not None
    )


def _pair(entry: dict[str, Any]) -> tuple[str, Any] | None:
    for key, value in (("categoryName", "score"), ("category_name", "score"), ("k", "v")):
        if key in entry and value in entry:
            return str(entry[key]), entry[value]
    return None


def _values(content: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Everything that is a value in one frame, by its dotted path; the names of pairs stand for themselves."""
    if isinstance(content, dict):
        if (pair := _pair(content)) is not None:
            yield pair
            return
        for key, value in content.items():
            yield from _values(value, f"{path}.{key}" if path else key)
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from _values(value, f"{path}.{index}" if path else str(index))
    else:
        yield path, content


def timed(table: Table, *columns: str) -> tuple[Table, np.ndarray, float | None]:
    """The rows of a table whose time is later than all before, their times (N,) in seconds since the first of them, and
    when that was in seconds since 1970, where the times count from then.

    columns: names that the column of times may have, without what is no letter; its unit is told by the values. Raises
    InputError where there is none, or its values are no times.
    """
    named = {re.sub("[^a-z]", "", column.rpartition(".")[2].lower()): column for column in table.columns}
    column = next((named[column] for column in columns if column in named), None)
    if column is None:
        raise InputError(
            f"{table.name} says no times: expected a column {_some(list(columns))} beside {table.described()}; export "
            "it with times."
        )
    table, raw = rising(table, table.numbers(column))
    step = float(np.median(np.diff(raw)))
    unit = next((unit for unit, least, most in STEPS if least <= step < most), None)
    if unit is None:
        raise InputError(
            f"The times in {table.name} are {step:.6g} apart, which is no usual step in s, ms, us or ns; expected "
            "5 to 500 rows a second."
        )
    start = float(raw[0] * unit)
    return table, (raw - raw[0]) * unit, start if SINCE_1970[0] < start < SINCE_1970[1] else None


def rising(table: Table, times: np.ndarray) -> tuple[Table, np.ndarray]:
    """The rows of a table, and their times, which are later than all before. times: (N,).

    Raises InputError where that is less than nine in ten: such times are no times.
    """
    known = np.where(np.isfinite(times), times, -np.inf)
    kept = np.flatnonzero(known > np.maximum.accumulate(np.concatenate([[-np.inf], known[:-1]])))
    if len(kept) < 2 or len(kept) < 0.9 * len(times):
        raise InputError(
            f"{table.name} has {len(kept)} rows, of {len(times)}, whose time is later than all before; expected at "
            "least two, and nearly all."
        )
    return replace(table, rows=[table.rows[row] for row in kept]), times[kept]


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMES_SHOWN]) + (", ..." if len(names) > NAMES_SHOWN else "")
