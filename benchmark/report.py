"""Table 2 from the cells of a run folder, and from nothing else.

results.csv has a row a (method, task, reading, seed); table2.md, .csv and .json average the
seeds and carry 95 % intervals from a bootstrap over images. The paper's numbers stand in a
column of their own.
"""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.bootstrap import Interval, bootstrap_mean
from benchmark.differences import Difference, differences, to_markdown
from benchmark.measure import BY_JUDGE, READINGS, Cell, counted
from benchmark.paper import TABLE_2
from benchmark.presets import RunConfig
from benchmark.stages import CellKey, load_cell, methods_of, seeds_of

__all__ = ["LABELS", "write_report"]

LABELS = {
    "none": "no edit",
    "random": "random direction",
    "centroids": "class centroids",
    "gaussian_ot": "Gaussian OT",
    "lt_star": "LT(*)",
    "lt": "LT",
    "lw_star": "LW(*)",
    "lw": "LW",
    "nearest": "nearest real target",
}
_COLUMNS = ("actual", "exact", "kept", "clean", "latent", "alpha", "distance", "kept_photo")


def write_report(config: RunConfig, out: Path) -> Path:
    """Write results.csv and table2.{md,csv,json}.

    Returns:
        Path of the Markdown table.

    Raises:
        FileNotFoundError: If a cell is missing.
        ValueError: If a cell is damaged or not finite.
    """
    cells = {
        (method, task, reading): [
            load_cell(CellKey(method, task, seed), reading, out)
            for seed in seeds_of(method, config)
        ]
        for reading in READINGS
        for task in config.tasks
        for method in methods_of(config)
    }
    _write_results(config, cells, out)
    rng = np.random.default_rng(0)
    rows = [
        {"reading": reading, "task": task, "method": method}
        | _summary(seeds, reading, config.bootstrap, rng)
        | {"paper": None if reading == BY_JUDGE else TABLE_2.get(method, {}).get(task)}
        for (method, task, reading), seeds in cells.items()
    ]
    plain = [{name: _plain(value) for name, value in row.items()} for row in rows]
    text = json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False)
    _replace(out / "table2.json", text + "\n")
    with (out / "table2.csv.tmp").open("w", newline="") as file:
        flat = [_flatten(row) for row in rows]
        writer = csv.DictWriter(file, fieldnames=list(flat[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(flat)
    (out / "table2.csv.tmp").replace(out / "table2.csv")
    path = out / "table2.md"
    gains = differences(cells, "lw", config.bootstrap, rng)
    _replace(path, _markdown(config, rows, gains, out))
    return path


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text)
    temporary.replace(path)


def _summary(
    seeds: list[Cell], reading: str, resamples: int, rng: np.random.Generator
) -> dict[str, Interval | int]:
    """Means over images and seeds; see the legend in `_markdown`."""

    def stack(name: str) -> np.ndarray:
        return np.stack([getattr(cell, name) for cell in seeds], axis=1).astype(np.float64)

    more, exact, kept = stack("more"), stack("exact"), stack("kept")
    among = np.stack([counted(cell, reading) for cell in seeds], axis=1).astype(np.float64)
    every = np.ones_like(among)
    measured = {
        "actual": (more, among),
        "exact": (exact, among),
        "kept": (kept, among * more),
        "clean": (exact * kept, among),
        "latent": (stack("flipped"), every),
        "alpha": (stack("alpha"), every),
        "distance": (stack("distance"), every),
        "kept_photo": (stack("kept_photo"), among * more),
    }
    summary: dict[str, Interval | int] = {
        name: bootstrap_mean(values, weights, resamples, rng)
        for name, (values, weights) in measured.items()
    }
    return summary | {"images": len(among), "seeds": len(seeds)}


def _write_results(
    config: RunConfig, cells: dict[tuple[str, str, str], list[Cell]], out: Path
) -> None:
    with (out / "results.csv.tmp").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["method", "task", "reading", "seed", "images", *_COLUMNS])
        for (method, task, reading), seeds in cells.items():
            for seed, cell in zip(seeds_of(method, config), seeds, strict=True):
                one = _summary([cell], reading, 1, np.random.default_rng(0))
                means = [one[name].mean for name in _COLUMNS]
                values = ["" if math.isnan(mean) else f"{mean:.6f}" for mean in means]
                writer.writerow([method, task, reading, seed, len(cell.alpha), *values])
    (out / "results.csv.tmp").replace(out / "results.csv")


def _plain(value: Any) -> Any:
    """An interval as what JSON and CSV can hold: where nothing was counted there is no number."""
    if not isinstance(value, Interval):
        return value
    return {name: None if math.isnan(x) else x for name, x in value._asdict().items()}


def _flatten(row: dict[str, Any]) -> dict[str, Any]:
    flat = {}
    for name, value in row.items():
        if isinstance(value, Interval):
            mean, low, high = _plain(value).values()
            flat |= {name: mean, f"{name}_low": low, f"{name}_high": high}
        else:
            flat[name] = value
    return flat


def _markdown(
    config: RunConfig, rows: list[dict], gains: list[Difference], out: Path
) -> str:
    facts = json.loads((out / "facts.json").read_text())
    accuracy = [
        json.loads((out / f"classifier_{seed}.json").read_text()) for seed in config.seeds
    ]
    text = ["# Table 2: adding a digit", ""]
    for reading in READINGS:
        text += [f"## alpha: {reading}", ""]
        text += [
            "| edit | method | actual change | exactly n+1 | digits kept "
            "| exactly n+1 and all kept | latent change "
            "| alpha | distance to targets | digits of the photo kept | paper |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        ]
        for row in (row for row in rows if row["reading"] == reading):
            paper = "" if row["paper"] is None else f"{row['paper']:.2f}"
            text.append(
                f"| {row['task']} | {LABELS.get(row['method'], row['method'])} "
                f"| {_show(row['actual'])} | {_show(row['exact'])} | {_show(row['kept'])} "
                f"| {_show(row['clean'])} | {row['latent'].mean:.3f} | {row['alpha'].mean:.2f} "
                f"| {row['distance'].mean:.2f} | {_share(row['kept_photo'])} | {paper} |"
            )
        text.append("")
    if gains:
        text += ["## LW against the others, image by image", "", *to_markdown(gains, LABELS), ""]
    images = ", ".join(
        f"{name}: {facts['measured'][name]} images ({facts['left_out'][name]} left out)"
        for name in config.tasks
    )
    latent = ", ".join(
        f"{name} {min(a[name] for a in accuracy):.3f}" for name in config.tasks
    )
    text += ["## How to read it", ""]
    text += [
        f"Seeds {', '.join(map(str, config.seeds))} (floors and ceiling: the first); brackets are "
        f"95 % bootstrap intervals over images ({config.bootstrap} resamples, seeds averaged). "
        f"{images}; left out are held-out "
        "images whose reconstruction the count judge already miscounts.",
        "",
        "alpha: one strength for all or the least one per image that convinces the latent "
        "classifier, or the least one per image at which the count judge itself sees n + 1 digits. "
        "Actual change: the count judge sees n + 1 digits or more, among codes whose latent "
        "verdict flipped; with alpha by the judge, among all. Digits kept: every digit of the "
        "reconstruction is still there by the classes judge, among images that changed; exactly "
        "n+1 and all kept: both at once, among those counted for the actual change; of the photo: "
        "every digit of the image that was encoded, which the encoder may have lost. Distance: to "
        "the nearest held-out target code, 1 is that of a real target code.",
        "",
        f"Judges on {facts['heldout_images']} held-out real images: count "
        f"{facts['count_judge_real']:.4f}, all classes {facts['classes_judge_real']:.4f}. "
        f"Reconstructions: count kept {facts['reconstruction_count_kept']:.4f}, all classes kept "
        f"{facts['reconstruction_classes_kept']:.4f}, SSIM {facts['reconstruction_ssim']:.3f}. "
        f"Latent classifier, n against n + 1 on held-out codes, worst seed: {latent}.",
        "",
    ]
    return "\n".join(text)


def _share(interval: Interval) -> str:
    return f"{interval.mean:.3f}" if np.isfinite(interval.mean) else "no image"


def _show(interval: Interval) -> str:
    if not np.isfinite(interval.mean):
        return "no image"
    return f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
