"""From cells to numbers: a row a strength (results.csv) and a row a cell (summary.csv).

Everything in a row is made from one cell file, so that the tables can be made again at any time
and the same cells give the same bytes.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmark.attributes.cells import Cell, load_cell
from benchmark.attributes.settings import LEVELS
from benchmark.attributes.stages import Key, Run
from benchmark.files import write_text
from lwedit.metrics import (
    adversarial_gap,
    area_under,
    at_change,
    changed,
    kept_share,
    linearity,
    monotone,
    rescoring,
    worst_kept,
)

__all__ = ["Measured", "collect", "curve", "summary_row", "to_csv", "write_results"]


class Measured(NamedTuple):
    """A cell with what its attribute and direction make of it; arrays are float64.

    Attributes:
        key: Which cell.
        cell: Its measurements.
        changed: Target change of each image at each strength.
        kept: Share of the other attributes that each image keeps.
        worst: Share of images that keep the attribute disturbed most, at each strength.
        worst_attribute: Which attribute that is.
    """

    key: Key
    cell: Cell
    changed: np.ndarray
    kept: np.ndarray
    worst: np.ndarray
    worst_attribute: tuple[str, ...]


def collect(run: Run) -> dict[Key, Measured]:
    """Every cell of a run.

    Raises:
        FileNotFoundError: Naming the first cell that is missing.
        ValueError: Naming the first that is damaged or not finite.
    """
    names = run.domain.attributes
    measured = {}
    for key in run.keys:
        cell = load_cell(run.cell_path(key))
        k = names.index(key.attribute)
        before, after = torch.from_numpy(cell.present_before), torch.from_numpy(cell.present)
        worst = worst_kept(before, after, k)
        measured[key] = Measured(
            key,
            cell,
            changed(after, k, wanted=key.direction == "add").double().numpy(),
            kept_share(before, after, k).double().numpy(),
            worst.share.double().numpy(),
            tuple(names[i] for i in worst.attribute.tolist()),
        )
    return measured


def curve(values: np.ndarray, start: float) -> torch.Tensor:
    """A quantity over strengths 0, alpha_1, ...; `start` is its value before any edit.

    Args:
        values: Of each strength, or of each strength and image (averaged over images).
        start: 1 for what is kept, 0 for change.
    """
    means = values.mean(axis=-1) if values.ndim > 1 else values
    return torch.from_numpy(np.concatenate([[start], means.astype(np.float64)]))


def summary_row(
    measured: Measured, names: tuple[str, ...], slow: tuple[str, ...]
) -> dict[str, Any]:
    """What one cell says, at equal change and over [d, 2 d].

    Args:
        measured: The cell.
        names: All attributes, in the order of the judges.
        slow: Names of the slow identity measures.

    Returns:
        A row of summary.csv; empty where a level is not reached.
    """
    key, cell = measured.key, measured.cell
    change = curve(measured.changed, 0.0)
    gap = adversarial_gap(
        torch.from_numpy(cell.latent), torch.from_numpy(measured.changed > 0)
    ).double().numpy()
    k, sign = names.index(key.attribute), 1 if key.direction == "add" else -1
    score = torch.from_numpy(cell.scores[:, :, k].astype(np.float32))
    wanted = score if sign > 0 else 1 - score
    size = torch.from_numpy(np.abs(cell.alpha))
    inside = cell.in_range
    moved = rescoring(
        torch.from_numpy(cell.scores_before.astype(np.float32)),
        torch.from_numpy(cell.scores.astype(np.float32)),
    ).numpy()
    start_gap = float(cell.latent_before.mean())
    quantities = {
        "alpha": curve(np.abs(cell.alpha), 0.0),
        "preservation": curve(measured.kept, 1.0),
        "worst": curve(measured.worst, 1.0),
        "identity": curve(cell.identity, 1.0),
        "gap": curve(gap, start_gap),
        "nearest": curve(cell.nearest, float(cell.nearest[0].mean())),
        "norm": curve(cell.norm, float(cell.norm[0].mean())),
        "gaussian": curve(cell.gaussian, float(cell.gaussian[0])),
        **{f"moved_{name}": curve(moved[:, i], 0.0) for i, name in enumerate(names)},
    }
    row: dict[str, Any] = {
        **key._asdict(), "images": len(cell.index), "d": float(cell.d),
        "reached": bool(cell.reached), "most_change": float(change.max()),
    }
    for level in LEVELS:
        for name, values in quantities.items():
            if name.startswith("moved_") and level != LEVELS[-1]:
                continue
            row[f"{name}_{round(100 * level)}"] = at_change(change, values, level).item()
    for name in ("preservation", "identity"):
        row[f"area_{name}"] = area_under(change, quantities[name], LEVELS[-1]).item()
    row |= {
        "range_change": float(measured.changed[inside].mean()),
        "range_preservation": float(measured.kept[inside].mean()),
        "range_identity": float(cell.identity[inside].astype(np.float64).mean()),
        "range_gap": float(gap[inside].mean()),
        "monotone": monotone(wanted[torch.from_numpy(inside)]).mean().item(),
        "linearity": linearity(wanted[torch.from_numpy(inside)], size[inside]).mean().item(),
        "round_trip": float(cell.round_trip.mean()),
    }
    for i, name in enumerate(slow):
        found = cell.slow_identity
        row[f"{name} identity_90"] = float(found[0, i].mean()) if len(found) else float("nan")
    return row


def write_results(measured: Mapping[Key, Measured], run: Run) -> list[dict[str, Any]]:
    """Write results.csv, summary.csv and costs.csv.

    Args:
        measured: All cells.
        run: Where they lie.

    Returns:
        The rows of summary.csv.
    """
    names, slow = tuple(run.domain.attributes), tuple(run.domain.identities[:-1])
    rows = [row for one in measured.values() for row in _strength_rows(one)]
    summary = [summary_row(one, names, slow) for one in measured.values()]
    write_text(run.out / "results.csv", to_csv(rows))
    write_text(run.out / "summary.csv", to_csv(summary))
    return summary


def _strength_rows(measured: Measured) -> Iterable[dict[str, Any]]:
    cell = measured.cell
    for i, alpha in enumerate(cell.alpha.tolist()):
        yield {
            **measured.key._asdict(),
            "alpha": alpha,
            "in_range": bool(cell.in_range[i]),
            "d": float(cell.d),
            "reached": bool(cell.reached),
            "images": len(cell.index),
            "target_change": float(measured.changed[i].mean()),
            "latent_change": float(cell.latent[i].mean()),
            "preservation": float(measured.kept[i].mean()),
            "worst": float(measured.worst[i]),
            "worst_attribute": measured.worst_attribute[i],
            "identity": float(cell.identity[i].astype(np.float64).mean()),
            "nearest": float(cell.nearest[i].astype(np.float64).mean()),
            "norm": float(cell.norm[i].astype(np.float64).mean()),
            "gaussian": float(cell.gaussian[i]),
        }


def to_csv(rows: list[dict[str, Any]]) -> str:
    """Rows as CSV, numbers with six decimals, NaN ("not reached") as nothing."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows([_plain(value) for value in row.values()] for row in rows)
    return buffer.getvalue()


def _plain(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return "" if np.isnan(value) else f"{value:.6f}"
