"""Labels that people bring: tables as spreadsheets, pandas and CelebA write them, or arrays.

A table has a row of names above the values. Commas, semicolons, tabs or runs of blanks part the
cells; a byte-order mark, blanks around cells and blank lines at the end mean nothing. CelebA's own
list_attr_celeba.txt, with a count above the names, is such a table. The first column may say which
image a row is of: a file's name, or a running number, which is not a label. Any text that is not
empty and has no comma is a name. What counts as a label:

    1, 1.0, True, yes     has the attribute
    0, 0.0, False, no     lacks it
    -1                    lacks it, in a column of -1 and 1

Everything else is refused by row and column. An array holds the values alone, (n, attributes).
"""

import csv
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from lwedit.data.arrays import read_array, says_text

__all__ = ["Labels", "read_labels"]

_WORDS = {"true": 1, "t": 1, "yes": 1, "y": 1, "false": 0, "f": 0, "no": 0, "n": 0}
_FILES = {"image_id", "image", "images", "img", "image_name", "img_name", "file", "files",
          "filename", "file_name", "path", "file_path", "photo", "picture", "name"}
_NUMBERS = {"", "index", "idx", "id", "row", "unnamed: 0", "#"}
_FILE = re.compile(r".+\.[A-Za-z]\w{1,4}$")
_MOST_QUOTED = 30


class Labels(NamedTuple):
    """Labels, the names of their columns, and which image each row is of.

    Attributes:
        y: In {0, 1}.
        names: Different from each other.
        files: Name of a file, or number, of each row, where the table says so.
    """

    y: Int64[Tensor, "n attributes"]
    names: tuple[str, ...]
    files: tuple[str, ...] | None = None


class _Table(NamedTuple):
    names: list[str]
    rows: list[list[str]]
    lines: list[int]  # of the file, for messages
    comma: bool  # whether commas part cells; else one may stand for the decimal point


def read_labels(path: Path) -> Labels:
    """Labels from a table of text, or from an array (named attribute_0, ...).

    Args:
        path: The file, whatever its suffix.

    Raises:
        ValueError: In one line, if the file is no table of labels, naming row and column.
    """
    path = Path(path)
    if says_text(path, "labels"):
        return _of_table(_table(_text(path), path.name), path.name)
    array = read_array(path, "labels")
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or 0 in array.shape or array.dtype.kind not in "biuf":
        raise ValueError(f"labels must be numbers of shape (n, attributes), got {array.dtype} "
                         f"{array.shape} in {path.name!r}.")
    names = tuple(f"attribute_{i}" for i in range(array.shape[1]))
    return Labels(_zeros_and_ones(np.array(array, np.float64), names, path.name), names)


def _text(path: Path) -> str:
    data = path.read_bytes()
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"labels must be text in UTF-8, {path.name!r} is not from byte "
                         f"{error.start} on; save it as CSV (UTF-8).") from error
    if "\0" in text:
        raise ValueError(f"labels must be text, {path.name!r} holds bytes that are none.")
    return text


def _table(text: str, file: str) -> _Table:
    """Names and cells, whatever parts them."""
    lines = [(number, line) for number, line in
             enumerate(re.split(r"\r\n|\r|\n", text), start=1) if line.strip()]
    if not lines:
        raise ValueError(f"labels must be a table, {file!r} holds blank lines only.")
    count = None
    if len(lines) > 1 and re.fullmatch(r"\s*\d+\s*", lines[0][1]) and not _all_labels(lines[1][1]):
        count = int(lines[0][1])  # CelebA's: how many rows there are
        lines = lines[1:]
    rows, comma = _cells([line for _, line in lines], file)
    numbers = [number for number, _ in lines]
    while len(rows) > 1 and not any(rows[-1]):
        rows.pop()  # a spreadsheet's empty rows
    names, rows, numbers = rows[0], rows[1:], numbers[1 : len(rows)]
    if not rows:
        raise ValueError(f"labels must be rows of values below a row of names, {file!r} has one "
                         "row only.")
    if count is not None and count != len(rows):
        raise ValueError(f"labels must be whole, {file!r} announces {count} rows and holds "
                         f"{len(rows)}.")
    width = len(names)
    if names[-1] == "" and width > 1 and all(len(row) == width and not row[-1] for row in rows):
        names, rows = names[:-1], [row[:-1] for row in rows]  # a comma at the end of each line
        width -= 1
    if all(len(row) == width + 1 for row in rows):
        names, width = ["", *names], width + 1  # as CelebA and R name them: labels alone
    for row, line in zip(rows, numbers, strict=True):
        if len(row) != width:
            raise ValueError(f"labels must have a value for each of {width} columns, line {line} "
                             f"of {file!r} has {len(row)}.")
    return _Table(names, rows, numbers, comma)


def _cells(lines: Sequence[str], file: str) -> tuple[list[list[str]], bool]:
    """Cells without the blanks around them, and whether commas part them."""
    head = lines[0]
    if not any(mark in head for mark in ",;\t"):
        if len(lines) > 1 and len(lines[1].split()) > 1:
            return [line.split() for line in lines], False
        mark = ";"  # one column
    elif "\t" in head:
        mark = "\t"
    else:
        mark = ";" if head.count(";") > head.count(",") else ","
    try:
        reader = csv.reader(lines, delimiter=mark, skipinitialspace=True, strict=True)
        return [[cell.strip() for cell in row] for row in reader], mark == ","
    except csv.Error as error:
        raise ValueError(f"labels must be a table of cells, {file!r} is none: {error}.") from error


def _all_labels(line: str) -> bool:
    return all(_value(cell) is not None for cell in re.split(r"[,;\s]+", line.strip()))


@lru_cache(maxsize=4096)
def _value(cell: str) -> int | None:
    """0, 1 or -1; None for anything else."""
    word = _WORDS.get(cell.casefold())
    if word is not None:
        return word
    try:
        number = float(cell)
    except ValueError:
        return None
    return int(number) if number in (0.0, 1.0, -1.0) else None


def _of_table(table: _Table, file: str) -> Labels:
    names, rows = table.names, table.rows
    files = None
    first = [row[0] for row in rows]
    if _says_which(names[0], first):
        numbered = names[0].casefold() in _NUMBERS and all(cell.isdecimal() for cell in first)
        files = None if numbered else tuple(first)
        names, rows = names[1:], [row[1:] for row in rows]
    named = _names(names, file)
    values = np.zeros((len(rows), len(named)))
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            value = _value(cell if table.comma else cell.replace(",", "."))
            if value is None:
                raise _wrong(cell, i, named[j], file, table.lines[i])
            values[i, j] = value
    y = _zeros_and_ones(values, named, file, table.lines)
    return Labels(y, named, files)


def _says_which(name: str, cells: Sequence[str]) -> bool:
    """Whether the first column names images rather than an attribute."""
    distinct = len(set(cells)) == len(cells)
    if distinct and all(_FILE.match(cell) and _value(cell) is None for cell in cells):
        return True
    if name.casefold() not in _FILES | _NUMBERS:
        return False
    return distinct or any(_value(cell) is None for cell in cells)


def _names(cells: Sequence[str], file: str) -> tuple[str, ...]:
    names = tuple(" ".join(cell.split()) for cell in cells)
    if not names:
        raise ValueError(f"labels must have a column of values, {file!r} has none.")
    for name in names:
        if not name or "," in name or not name.isprintable():
            raise ValueError(f"labels must have names that are not empty and hold no comma, "
                             f"{file!r} has {_quoted(name)}.")
        if names.count(name) > 1:
            raise ValueError(f"labels must have different names in their first row, "
                             f"{_quoted(name)} stands twice in that of {file!r}.")
    return names


def _zeros_and_ones(
    values: np.ndarray, names: Sequence[str], file: str, lines: Sequence[int] | None = None
) -> Int64[Tensor, "n attributes"]:
    """Labels of every column; -1 and 1 become 0 and 1."""
    for j, name in enumerate(names):
        column = values[:, j]
        signed = (column == -1).any()
        wrong = ~np.isin(column, (-1, 1) if signed else (0, 1))
        if wrong.any():
            i = int(wrong.argmax())
            shown = f"{column[i]:g}" + (" beside -1" if signed and column[i] == 0 else "")
            raise _wrong(shown, i, name, file, None if lines is None else lines[i])
    return torch.from_numpy((values > 0).astype(np.int64))


def _wrong(cell: str, row: int, name: str, file: str, line: int | None) -> ValueError:
    where = f"row {row}" + ("" if line is None else f" (line {line} of the file)")
    held = _quoted(cell) if cell else "nothing"
    return ValueError(f"labels must be 0 or 1, -1 or 1, yes or no, True or False: {where}, column "
                      f"{_quoted(name)} of {file!r} holds {held}.")


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _MOST_QUOTED else text[:_MOST_QUOTED] + "…")
