"""The numbers of a digits run: cells averaged over images and seeds, with intervals.

A row is a method, a task and a strategy. Every interval has a generator of its own, seeded by what
it is of, so that another method in the run moves none of the others.
"""

import hashlib
import math
from typing import Any

import numpy as np

from benchmark.bootstrap import Interval, bootstrap_mean
from benchmark.measure import CHOSEN, READINGS, Cell, counted

__all__ = ["CEILING", "COLUMNS", "Cells", "ceiling_row", "flattened", "generator_of", "plain",
           "row_of", "shares"]

Cells = dict[tuple[str, str, str], list[Cell]]  # (method, task, strategy) -> seeds
COLUMNS = ("accepted", "clean", "exact", "kept", "fooled", "actual", "latent", "alpha", "distance",
           "kept_photo")
CEILING = "ceiling"  # in place of a method: real images of as many digits as wanted
_NOTHING = Interval(math.nan, math.nan, math.nan)
_LOWEST_IS_WORST = {"accepted": True, "clean": True, "fooled": False}


def generator_of(*what: str) -> np.random.Generator:
    """The source of the resamples behind one number, seeded by what the number is."""
    digest = hashlib.sha256("|".join(what).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def shares(cells: list[Cell], strategy: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What is averaged for each of `COLUMNS`, and among which images; (images, seeds) each.

    Under the paper's readings only codes whose latent verdict flipped are counted, and digits are
    kept among images that changed.

    Args:
        cells: One a seed.
        strategy: How the strength was chosen.
    """

    def stack(name: str) -> np.ndarray:
        return np.stack([getattr(cell, name) for cell in cells], axis=1).astype(np.float64)

    changed, exact, kept = stack("changed"), stack("exact"), stack("kept")
    among = np.stack([counted(cell, strategy) for cell in cells], axis=1).astype(np.float64)
    every = np.ones_like(among)
    among_kept = among * changed if strategy in READINGS else every
    return {
        "accepted": (stack("accepted"), among),
        "clean": (exact * kept, among),
        "exact": (exact, among),
        "kept": (kept, among_kept),
        "fooled": (stack("fooled"), among),
        "actual": (changed, among),
        "latent": (stack("flipped"), every),
        "alpha": (stack("alpha"), every),
        "distance": (stack("distance"), every),
        "kept_photo": (stack("kept_photo"), among_kept),
    }


def row_of(
    method: str, task: str, strategy: str, cells: list[Cell], resamples: int
) -> dict[str, Any]:
    """One row: an interval a column, the worst seed, and which classes were added or removed.

    Args:
        method: Its name.
        task: Name of the edit.
        strategy: How the strength was chosen.
        cells: One a seed.
        resamples: Bootstrap samples behind each interval.
    """
    measured = shares(cells, strategy)
    row: dict[str, Any] = {"strategy": strategy, "task": task, "method": method}
    for name in COLUMNS:
        rng = generator_of(method, task, strategy, name)
        row[name] = bootstrap_mean(*measured[name], resamples, rng)
    row["worst"] = {name: _worst(*measured[name], lowest=lowest)
                    for name, lowest in _LOWEST_IS_WORST.items()}
    digits = np.concatenate([cell.digit[cell.accepted] for cell in cells])
    row["digits"] = None
    if len(digits):
        row["digits"] = [round(float((digits == c).mean()), 6) for c in range(10)]
    return row | {"images": len(cells[0].alpha), "seeds": len(cells)}


def ceiling_row(
    task: str, accepted: np.ndarray, exact: np.ndarray, resamples: int
) -> dict[str, Any]:
    """The row of real images of as many digits as wanted, reconstructed and read alike.

    Args:
        task: Name of the edit.
        accepted: Which the judges are sure of.
        exact: Which the count judge counts right.
        resamples: Bootstrap samples.
    """
    row: dict[str, Any] = {"strategy": CHOSEN, "task": task, "method": CEILING}
    row |= dict.fromkeys(COLUMNS, _NOTHING)
    for name, hits in (("accepted", accepted), ("exact", exact)):
        values = hits[:, None].astype(np.float64)
        row[name] = bootstrap_mean(values, np.ones_like(values), resamples,
                                   generator_of(CEILING, task, name))
    return row | {"worst": dict.fromkeys(_LOWEST_IS_WORST), "digits": None,
                  "images": len(accepted), "seeds": 1}


def plain(value: Any) -> Any:
    """An interval as what JSON can hold: where nothing was counted there is no number."""
    if not isinstance(value, Interval):
        return value
    return {name: None if math.isnan(x) else x for name, x in value._asdict().items()}


def flattened(row: dict[str, Any]) -> dict[str, Any]:
    """A row of plain values for a CSV file."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Interval):
            mean, low, high = plain(value).values()
            flat |= {name: mean, f"{name}_low": low, f"{name}_high": high}
        elif name == "worst":
            flat |= {f"{column}_worst_seed": worst for column, worst in value.items()}
        elif name == "digits":
            flat |= {f"digit_{c}": None if value is None else value[c] for c in range(10)}
        else:
            flat[name] = value
    return flat


def _worst(values: np.ndarray, among: np.ndarray, *, lowest: bool) -> float | None:
    """The share of the worst seed, None where one has nothing to count."""
    counts = among.sum(axis=0)
    if not counts.all():
        return None
    found = (values * among).sum(axis=0) / counts
    return float(found.min() if lowest else found.max())
