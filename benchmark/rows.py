"""results.csv: every number of a run in one table, from which all tables and curves are made.

    level   seed    what the row holds
    (none)  a seed  one strength of one cell, as measured
    50..90  a seed  the same cell where it reaches that target change, between its strengths;
                    likeness of images is measured right there
    area    a seed  means over target changes from 0 to 90 %
    range   a seed  means over [d, 2 d], and how the edit behaves there
    50..90  all     seeds averaged, with 95 % intervals, and the gain of LW over the method, paired;
                    for LT(*) also the gain of LW(*), its like: neither has a preservation term
    area    all     the same for the area

Rows whose attribute is "all" average the edits. What was not reached is empty.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmark.attributes import AttributeRun as Run
from benchmark.collect import Measured, curve
from benchmark.compare import (
    QUANTITIES,
    Edit,
    Sampled,
    Samples,
    difference,
    interval,
    mean_over,
    resample,
)
from benchmark.files import to_csv, write_text
from benchmark.likeness import networks_of
from benchmark.measure import added
from benchmark.presets import LEVELS
from benchmark.runs import Key
from lwedit.metrics import (
    adversarial_gap,
    area_under,
    at_change,
    linearity,
    monotone,
    rescoring,
)

__all__ = ["ALL", "AREA", "HERO", "LIKE", "RANGE", "level_name", "write_results"]

ALL, AREA, RANGE = "all", "area", "range"
HERO = "lw"  # whose gains over the others are shown
LIKE = {"lt_star": "lw_star"}  # by method, whose gain over it is shown as well
Row = dict[str, Any]


def level_name(level: float) -> str:
    """0.9 -> "90"."""
    return str(round(100 * level))


def write_results(measured: Mapping[Key, Measured], run: Run) -> Path:
    """Write results.csv.

    Args:
        measured: All cells.
        run: Where they lie.
    """
    names, slow = tuple(run.domain.attributes), tuple(run.domain.identities[:-1])
    networks = tuple(network.name for network in networks_of(run.domain))
    rows: list[Row] = []
    for one in measured.values():
        at = _quantities(one, names)
        rows += _strength_rows(one, at)
        rows += _level_rows(one, at, networks, slow)
        rows += [_area_row(one, at), _range_row(one, at, names)]
    rows += _interval_rows(resample(measured, run.config.bootstrap), one_each(measured))
    path = run.out / "results.csv"
    write_text(path, to_csv(rows))
    return path


def one_each(measured: Mapping[Key, Measured]) -> dict[tuple[str, Edit], int]:
    """Images of each method and edit."""
    return {(key.method, Edit(key.attribute, key.direction)): len(one.cell.index)
            for key, one in measured.items()}


def _quantities(measured: Measured, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Means over images at each strength."""
    cell = measured.cell
    moved = rescoring(
        torch.from_numpy(cell.scores_before.astype(np.float32)),
        torch.from_numpy(cell.scores.astype(np.float32)),
    ).numpy()
    gap = adversarial_gap(torch.from_numpy(cell.latent), torch.from_numpy(measured.changed > 0))
    found = {
        "target_change": measured.changed, "latent_change": cell.latent, "gap": gap.numpy(),
        "preservation": measured.kept, "worst": measured.worst, "identity": cell.identity,
        "identity_photo": cell.identity_photo, "nearest": cell.nearest, "knn": cell.knn,
        "norm": cell.norm, "gaussian": cell.gaussian,
        **{f"moved_{name}": moved[:, i] for i, name in enumerate(names)},
        **{name: cell[name] for name in added("attributes") if name in cell},
    }
    return {
        name: (values.mean(axis=-1, dtype=np.float64) if values.ndim > 1 else values)
        for name, values in found.items() if len(values)
    }


def _key(measured: Measured, level: str) -> Row:
    cell = measured.cell
    return {**measured.key._asdict(), "level": level, "d": float(cell.d),
            "reached": bool(cell.reached), "images": len(cell.index)}


def _strength_rows(measured: Measured, at: Mapping[str, np.ndarray]) -> Iterable[Row]:
    for i, alpha in enumerate(measured.cell.alpha.tolist()):
        yield _key(measured, "") | {
            "alpha": alpha, "in_range": bool(measured.cell.in_range[i]),
            "worst_attribute": measured.worst_attribute[i] if measured.worst_attribute else "",
            **{name: float(values[i]) for name, values in at.items()},
        }


def _before(measured: Measured, name: str, values: np.ndarray) -> float:
    """A quantity where nothing was edited: 1 for what is kept, 0 for change."""
    if name in ("preservation", "worst", "identity"):
        return 1.0
    if name in ("latent_change", "gap"):
        return float(measured.cell.latent_before.mean())
    return 0.0 if name == "target_change" or name.startswith("moved_") else float(values[0])


def _level_rows(
    measured: Measured, at: Mapping[str, np.ndarray], networks: Sequence[str], slow: Sequence[str]
) -> Iterable[Row]:
    """Where the cell reaches the agreed target changes."""
    cell, change = measured.cell, curve(measured.changed, 0.0)
    alphas = dict(zip(LEVELS, cell.level_alpha.tolist(), strict=False))
    for i, level in enumerate(LEVELS):
        row = _key(measured, level_name(level)) | {"alpha": alphas.get(level, float("nan"))}
        for name, values in at.items():
            heights = curve(values, _before(measured, name, values))
            row[name] = at_change(change, heights, level).item()
        if i < len(cell.ssim):
            row |= {"ssim": float(cell.ssim[i].mean()),
                    "perceptual": float(cell.perceptual[i].mean())}
            for j, network in enumerate(networks):
                row |= {f"fid_{network}": float(cell.fid[i, j]),
                        f"kid_{network}": float(cell.kid[i, j]),
                        f"fid_{network}_real": float(cell.fid_real[j]),
                        f"kid_{network}_real": float(cell.kid_real[j])}
        if level == LEVELS[-1] and len(cell.slow_identity):
            row |= {f"{name} identity": float(cell.slow_identity[0, j].mean())
                    for j, name in enumerate(slow)}
        yield row


def _area_row(measured: Measured, at: Mapping[str, np.ndarray]) -> Row:
    change = curve(measured.changed, 0.0)
    return _key(measured, AREA) | {
        f"{name}_mean": area_under(change, curve(at[name], 1.0), LEVELS[-1]).item()
        for name in QUANTITIES if name in at
    }


def _range_row(measured: Measured, at: Mapping[str, np.ndarray], names: Sequence[str]) -> Row:
    """Means over [d, 2 d], and the edit as a control."""
    key, cell = measured.key, measured.cell
    inside = cell.in_range
    score = torch.from_numpy(cell.scores[inside][:, :, names.index(key.attribute)]).float()
    wanted = score if key.direction == "add" else 1 - score
    size = torch.from_numpy(np.abs(cell.alpha[inside]))
    kept = ("target_change", "latent_change", *QUANTITIES, "identity_photo")
    row = _key(measured, RANGE) | {
        f"{name}_mean": float(at[name][inside].mean()) for name in kept if name in at
    }
    row |= {
        "most_change": float(at["target_change"].max()),
        "monotone": monotone(wanted).mean().item(),
        "linearity": linearity(wanted, size).mean().item(),
        "round_trip": float(cell.round_trip.mean()),
    }
    return row | ({"commutator": float(cell.commutator.mean())} if len(cell.commutator) else {})


def _interval_rows(
    samples: Samples, images: Mapping[tuple[str, Edit], int]
) -> Iterable[Row]:
    """Seeds averaged, with intervals: every edit, then the mean over edits."""
    edits = list(dict.fromkeys(edit for _, edit in images))
    for method in dict.fromkeys(method for method, _ in images):
        for level in (*map(level_name, LEVELS), AREA):
            leads = {"": method, "_gain": HERO, "_like": LIKE.get(method, method)}
            found: dict[str, list[Sampled]] = {
                name + kind: [] for name in QUANTITIES for kind in leads
            }
            for edit in edits:
                if (method, edit) not in images:
                    continue
                row: Row = {"method": method, **edit._asdict(), "seed": ALL, "level": level,
                            "images": images[method, edit]}
                for name in QUANTITIES:
                    own = samples.get((method, edit, level, name))
                    if own is None:  # nothing else to be kept
                        continue
                    for kind, leader in leads.items():
                        lead = samples.get((leader, edit, level, name))
                        if kind and (lead is None or leader == method):
                            continue
                        one = difference(lead, own) if kind and lead else own
                        row |= _interval(name + kind, one)
                        found[name + kind] += [one] if np.isfinite(one.point) else []
                yield row
            yield {"method": method, "attribute": ALL, "direction": "both", "seed": ALL,
                   "level": level, "edits": len(found[QUANTITIES[1]]),
                   "edits_both": len(found[f"{QUANTITIES[1]}_gain"]),
                   "edits_like": len(found[f"{QUANTITIES[1]}_like"]),
                   **{column: value for name, samples_of in found.items()
                      for column, value in _interval(name, mean_over(samples_of)).items()}}


def _interval(name: str, sampled: Sampled | None) -> Row:
    if sampled is None or not np.isfinite(sampled.point):
        return {}
    mean, low, high = interval(sampled)
    return {f"{name}_mean": mean, f"{name}_low": low, f"{name}_high": high}
