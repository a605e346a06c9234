"""Rows where a strength was chosen: cells averaged over images and seeds, with intervals.

results.csv has a row a (method, task, strategy, seed); table2.json and .csv average the seeds and
carry intervals; gains.json has the paired differences. Every interval has a generator of its own,
seeded by what it is of, so that another method in the run moves none of the others.

What a method gains over another is paired by image. Per image and seed the outcome is 1 if the edit
was accepted, or, in the paper's two ways, if the latent verdict flipped and the judge counts a
digit more; for clean changes, if it counts exactly as many as wanted and the other digits were left
alone; else it is 0. The difference of two methods' outcomes, seeds averaged, is averaged over
images, and resampling whole images keeps the pairing. Single intervals that overlap say little
about a difference: the paper's gaps are .01 to .02 on 1,000 images.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool

from benchmark.bootstrap import Interval, bootstrap_mean
from benchmark.cells import Cell, read_arrays
from benchmark.digits import TASKS, DigitsRun, strategies_of
from benchmark.files import to_csv, write_json, write_text
from benchmark.measure import added
from benchmark.methods import methods_of, seeds_of
from benchmark.presets import DigitsConfig
from benchmark.strengths import CHOSEN, PAPERS, STRICT

__all__ = ["CEILING", "COLUMNS", "Cells", "Difference", "ceiling_row", "counted", "differences",
           "flattened", "plain", "read_difference", "row_of", "shares", "write_shares"]

Cells = dict[tuple[str, str, str], list[Cell]]  # (method, task, strategy) -> seeds
COLUMNS = ("accepted", "clean", "exact", "kept", "fooled", "actual", "latent", "alpha", "distance",
           "kept_photo")
CEILING = "ceiling"  # in place of a method: real images of as many digits as wanted
_NOTHING = Interval(math.nan, math.nan, math.nan)
_LOWEST_IS_WORST = {"accepted": True, "clean": True, "fooled": False}


def write_shares(run: DigitsRun) -> None:
    """Write results.csv, table2.{json,csv} and gains.json, from the cells.

    Raises:
        FileNotFoundError: If a cell is missing.
        ValueError: If a cell is damaged or not finite.
    """
    config, out = run.config, run.out
    cells: Cells = {
        (method, name, strategy): [
            run.cell(run.key(method, name, seed), strategy) for seed in seeds_of(method, config)
        ]
        for name in config.tasks
        for method in methods_of(config, adds=TASKS[name].adds)
        for strategy in strategies_of(method, TASKS[name])
    }
    rows = [row_of(method, task, strategy, seeds, config.bootstrap)
            for (method, task, strategy), seeds in cells.items()]
    rows += _ceilings(run)
    gains = [gain for hero in ("lw_neural", "lw")
             for gain in differences(cells, hero, config.bootstrap)]
    write_text(out / "results.csv", to_csv(list(_by_seed(config, cells))))
    write_text(out / "table2.csv", to_csv([flattened(row) for row in rows], form=""))
    for name, found in (("table2", rows), ("gains", [gain._asdict() for gain in gains])):
        plained = [{key: plain(value) for key, value in row.items()} for row in found]
        write_json(out / f"{name}.json", plained)


def _ceilings(run: DigitsRun) -> list[dict[str, Any]]:
    path = run.out / "ceiling.npz"
    if not path.exists():
        raise FileNotFoundError(f"ceiling must be measured before (stage encode), missing: {path}.")
    read = read_arrays(path, "ceiling")
    return [
        ceiling_row(name, read[f"{TASKS[name].stem}_accepted"], read[f"{TASKS[name].stem}_exact"],
                    run.config.bootstrap)
        for name in run.config.tasks
    ]


def _by_seed(config: DigitsConfig, cells: Cells) -> Iterator[dict[str, Any]]:
    for (method, task, strategy), seeds in cells.items():
        for seed, cell in zip(seeds_of(method, config), seeds, strict=True):
            row: dict[str, Any] = {"method": method, "task": task, "strategy": strategy,
                                   "seed": seed, "images": len(cell.alpha)}
            for name, (values, among) in shares([cell], strategy).items():
                total = among.sum()
                row[name] = float((values * among).sum() / total) if total else None
            assert set(COLUMNS) <= set(row)
            yield row


def counted(cell: Cell, strategy: str) -> Bool[np.ndarray, " n"]:
    """The images that the shares under one strategy are shares of.

    Args:
        cell: Measurements under that strategy.
        strategy: One of `STRICT` or `PAPERS`.

    Returns:
        Every image, or, in the paper's two ways, where the latent verdict flipped.

    Raises:
        ValueError: If there is no such strategy.
    """
    if strategy not in (*STRICT, *PAPERS):
        raise ValueError(f"strategy must be one of {(*STRICT, *PAPERS)}, got {strategy!r}.")
    return cell.flipped if strategy in PAPERS else np.ones_like(cell.flipped)


def generator_of(*what: str) -> np.random.Generator:
    """The source of the resamples behind one number, seeded by what the number is."""
    digest = hashlib.sha256("|".join(what).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def shares(cells: list[Cell], strategy: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What is averaged for each of `COLUMNS`, and among which images; (images, seeds) each.

    In the paper's two ways only codes whose latent verdict flipped are counted, and digits are
    kept among images that changed.

    Args:
        cells: One a seed.
        strategy: How the strength was chosen.
    """

    def stack(name: str) -> np.ndarray:
        return np.stack([cell[name] for cell in cells], axis=1).astype(np.float64)

    changed, exact, kept = stack("changed"), stack("exact"), stack("kept")
    among = np.stack([counted(cell, strategy) for cell in cells], axis=1).astype(np.float64)
    every = np.ones_like(among)
    among_kept = among * changed if strategy in PAPERS else every
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
        **{name: (stack(name), every) for name in added("digits")
           if all(name in cell for cell in cells)},
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
    for name, values in measured.items():
        rng = generator_of(method, task, strategy, name)
        row[name] = bootstrap_mean(*values, resamples, rng)
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


class Difference(NamedTuple):
    """Gains of `method` over `other` on the same images.

    Attributes:
        strategy: How alpha was chosen.
        task: The edit.
        method: Whose gains they are.
        other: Over which method.
        gain: In the share of accepted edits, or of images that changed.
        clean: In the share of images with exactly as many digits as wanted, the others left alone.
    """

    strategy: str
    task: str
    method: str
    other: str
    gain: Interval
    clean: Interval


def differences(cells: Cells, method: str, resamples: int) -> list[Difference]:
    """`method` against every other one, a row a strategy, task and rival.

    Args:
        cells: Cells of all seeds by (method, task, strategy).
        method: Whose gain is measured; without cells of its own there are no rows.
        resamples: Bootstrap samples.
    """
    return [
        Difference(
            strategy, task, method, other,
            *(_gain(outcome(mine, strategy) - outcome(theirs, strategy), resamples,
                    generator_of(method, other, task, strategy, outcome.__name__))
              for outcome in (_gained, _clean)),
        )
        for (name, task, strategy), mine in cells.items()
        if name == method
        for (other, same_task, same_strategy), theirs in cells.items()
        if (same_task, same_strategy) == (task, strategy) and other != method
    ]


def read_difference(held: Mapping[str, Any]) -> Difference:
    """A difference from its entry in gains.json."""
    gain, clean = (Interval(**held[name]) for name in ("gain", "clean"))
    return Difference(**{**held, "gain": gain, "clean": clean})


def _gain(gap: np.ndarray, resamples: int, rng: np.random.Generator) -> Interval:
    return bootstrap_mean(gap[:, None], np.ones((len(gap), 1)), resamples, rng)


def _gained(cells: list[Cell], strategy: str) -> np.ndarray:
    hits = [counted(cell, strategy) & cell.changed if strategy in PAPERS else cell.accepted
            for cell in cells]
    return np.stack(hits).mean(axis=0)


def _clean(cells: list[Cell], strategy: str) -> np.ndarray:
    hits = [counted(cell, strategy) & cell.exact & cell.kept for cell in cells]
    return np.stack(hits).mean(axis=0)
