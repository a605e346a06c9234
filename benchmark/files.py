"""Files of a run: written aside and renamed, so that no half-written file is ever read."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["read_json", "read_list", "to_csv", "write_json", "write_npz", "write_text"]


def write_text(path: Path, text: str) -> None:
    """Write a text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text)
    temporary.replace(path)


def write_json(path: Path, values: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write values that JSON can hold; NaN is not one of them.

    Raises:
        ValueError: If a number is not finite.
    """
    write_text(path, json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Read what `write_json` wrote.

    Args:
        path: The file.
        what: What the file is, for the message.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is damaged.
    """
    values = _read(path, what)
    if not isinstance(values, dict):
        raise ValueError(f"{what} must be a JSON object, remove {path} and run again.")
    return values


def read_list(path: Path, what: str) -> list[dict[str, Any]]:
    """Read a JSON file that holds a list of rows; arguments and errors as of `read_json`."""
    values = _read(path, what)
    if not isinstance(values, list):
        raise ValueError(f"{what} must be a JSON list, remove {path} and run again.")
    return values


def _read(path: Path, what: str) -> Any:
    if not path.exists():
        raise FileNotFoundError(f"{what} must be there before this stage, missing: {path}.")
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{what} must be JSON, remove {path} and run again: {error}") from error


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays, compressed; the same arrays give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        np.savez_compressed(file, **dict[str, Any](arrays))
    temporary.replace(path)


def to_csv(rows: Sequence[Mapping[str, Any]], form: str = ".6f") -> str:
    """Rows as CSV, with every column that one has; what is missing, None or NaN as nothing.

    Args:
        rows: Values by column.
        form: How numbers are written; empty for all their digits.
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_plain(row.get(column), form) for column in columns] for row in rows)
    return buffer.getvalue()


def _plain(value: Any, form: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return "" if np.isnan(value) else f"{value:{form}}" if form else str(value)
