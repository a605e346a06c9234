"""results.csv read back, and a row a cell of it (summary.csv), which the tables are made from.

A cell that is missing or holds something else than a finite number stops the reading, by name.
"""

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmark.presets import LEVELS
from benchmark.rows import ALL, AREA, RANGE, level_name
from benchmark.runs import Key

__all__ = ["read_results", "summaries"]

Row = dict[str, Any]
_WORDS = ("method", "attribute", "direction", "seed", "level", "worst_attribute")
_MEASURED = ("alpha", "target_change", "latent_change", "preservation", "worst", "identity",
             "nearest", "knn", "norm", "gaussian")
_OF_OTHERS = {"preservation", "worst"}  # not there where the judges see one attribute only


def read_results(path: Path, keys: Iterable[Key]) -> list[Row]:
    """Rows with numbers as numbers; NaN where nothing stands because nothing was reached.

    Args:
        path: results.csv.
        keys: The cells that must be there.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, lacks a cell, or holds a number that is not finite.
    """
    if not path.exists():
        raise FileNotFoundError(f"results must be written before the report, missing: {path}.")
    try:
        with path.open(newline="") as file:
            rows = [_parsed(row) for row in csv.DictReader(file, strict=True)]
    except (csv.Error, UnicodeDecodeError, TypeError, KeyError) as error:
        raise ValueError(f"results must be a run's, {path} is damaged: {error}") from error
    held: dict[tuple[str, ...], list[Row]] = {}
    others = sum(name.startswith("moved_") for name in rows[0]) > 1 if rows else False
    for row in rows:
        held.setdefault(tuple(row[name] for name in _WORDS[:4]), []).append(row)
    for key in keys:
        strengths = [row for row in held.get(tuple(map(str, key)), []) if not row["level"]]
        if not strengths:
            raise ValueError(f"results must hold every cell, {path} lacks {key.stem}.")
        for row in strengths:
            for name in _MEASURED if others else set(_MEASURED) - _OF_OTHERS:
                if not math.isfinite(row.get(name, math.nan)):
                    raise ValueError(f"results must be finite, {name} of {key.stem} is not at "
                                     f"alpha = {row.get('alpha')} in {path}.")
    return rows


def _parsed(row: dict[str, str]) -> Row:
    return {name: text if name in _WORDS else _value(name, text, row)
            for name, text in row.items()}


def _value(name: str, text: str, row: dict[str, str]) -> Any:
    if text in ("True", "False"):
        return text == "True"
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        cell = "_".join(row[word] for word in _WORDS[:4])
        raise ValueError(f"results must be finite, {name} of {cell} is {text!r}.")
    return value


def summaries(rows: Sequence[Row]) -> list[Row]:
    """One row a cell: what it says at equal change and over [d, 2 d]; NaN where not reached."""
    cells: dict[tuple[str, ...], dict[str, Row]] = {}
    for one in rows:
        if one["level"] and one["seed"] != ALL:
            cells.setdefault(tuple(one[name] for name in _WORDS[:4]), {})[one["level"]] = one
    levels = [level_name(level) for level in LEVELS]
    found = []
    for key, at in cells.items():
        behaviour, area = at[RANGE], at[AREA]
        row: Row = dict(zip(_WORDS[:4], key, strict=True))
        row |= {"images": int(behaviour["images"])}
        row |= {name: behaviour[name] for name in ("d", "reached", "most_change")}
        for level in levels:
            row |= {f"{name}_{level}": value for name, value in at[level].items()
                    if _is_measured(name)
                    and (level == levels[-1] or not name.startswith("moved_"))}
        row |= {f"area_{name}": area[f"{name}_mean"] for name in ("preservation", "identity")
                if f"{name}_mean" in area}
        row |= {f"range_{name.removesuffix('_mean')}": value for name, value in behaviour.items()
                if name.endswith("_mean") and value == value}
        row["range_gap"] = row["range_latent_change"] - row["range_target_change"]
        row["range_change"] = row.pop("range_target_change")
        row |= {name: behaviour[name]
                for name in ("monotone", "linearity", "round_trip", "commutator")
                if name in behaviour}
        found.append(row)
    return found


def _is_measured(name: str) -> bool:
    fixed = (*_WORDS, "images", "d", "reached", "in_range", "target_change", "edits", "edits_both",
             "most_change", "monotone", "linearity", "round_trip", "commutator")
    if name.startswith("moved_"):  # an attribute's name may end like those below
        return True
    return name not in fixed and not name.endswith(("_mean", "_low", "_high"))
