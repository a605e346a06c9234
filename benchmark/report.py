"""The report of a digits run, from the files of its folder and from nothing else.

results.csv has a row a (method, task, strategy, seed). table2.json and .csv average the seeds and
carry intervals; table2.md and .tex, and the page, are tables made from it.
"""

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.attributes.sheet import Sheet
from benchmark.differences import Difference, differences
from benchmark.digits_tables import sheets_of
from benchmark.files import read_json, write_json, write_text
from benchmark.methods import SHIPPED
from benchmark.presets import RunConfig
from benchmark.stages import CellKey, load_cell, methods_of, seeds_of, strategies_of
from benchmark.summary import COLUMNS, Cells, ceiling_row, flattened, plain, row_of, shares

__all__ = ["facts_line", "read_facts", "write_report"]


def write_report(config: RunConfig, out: Path) -> list[Sheet]:
    """Write results.csv and table2.{md,csv,json,tex}.

    Returns:
        The tables, in the order of table2.md.

    Raises:
        FileNotFoundError: If a cell is missing.
        ValueError: If a cell is damaged or not finite.
    """
    cells: Cells = {
        (method, task, strategy): [
            load_cell(CellKey(method, task, seed), strategy, out)
            for seed in seeds_of(method, config)
        ]
        for task in config.tasks
        for method in methods_of(config, task)
        for strategy in strategies_of(method, task)
    }
    write_json(out / "shipped.json", _cards(config, out))
    facts = read_facts(out)
    rows = [row_of(method, task, strategy, seeds, config.bootstrap)
            for (method, task, strategy), seeds in cells.items()]
    rows += _ceilings(config, out)
    _write_results(config, cells, out)
    _write_csv(rows, out / "table2.csv")
    plained = [{name: plain(value) for name, value in row.items()} for row in rows]
    write_text(out / "table2.json",
               json.dumps(plained, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    gains: list[Difference] = []
    for method in ("lw_neural", "lw"):
        gains += differences(cells, method, config.bootstrap)
    sheets = sheets_of(plained, gains, config, facts)
    write_text(out / "table2.md", _markdown(sheets, facts_line(config, facts, out)))
    write_text(out / "table2.tex", "\n".join(sheet.latex() for sheet in sheets))
    return sheets


def read_facts(out: Path) -> dict[str, Any]:
    """facts.json, and of editors that were not fitted in the run what stands beside them."""
    shipped = read_json(out / "shipped.json", "shipped.json")
    return read_json(out / "facts.json", "facts.json") | {"shipped": shipped}


def _cards(config: RunConfig, out: Path) -> dict[str, dict[str, Any]]:
    """fit.json of one editor of each method that the repository ships."""
    cards = {}
    for method in SHIPPED:
        if method in config.methods and not config.refit:
            found = sorted((out / "editors").glob(f"{method}_*/fit.json"))
            cards[method] = read_json(found[0], "fit.json") if found else {}
    return cards


def facts_line(config: RunConfig, facts: dict[str, Any], out: Path) -> str:
    """How good the networks are that everything depends on."""
    accuracy = [read_json(out / f"classifier_{seed}.json", "the latent classifier's accuracy")
                for seed in config.seeds]
    latent = ", ".join(f"{name} {min(a[name] for a in accuracy):.3f}" for name in config.tasks)
    return (
        f"Judges on {facts['heldout_images']} held-out real images: count "
        f"{facts['count_judge_real']:.4f}, all classes {facts['classes_judge_real']:.4f}. "
        f"Reconstructions: count kept {facts['reconstruction_count_kept']:.4f}, all classes kept "
        f"{facts['reconstruction_classes_kept']:.4f}, SSIM {facts['reconstruction_ssim']:.3f}. "
        f"Latent classifier, with against without the digit, held-out codes, worst seed: {latent}."
    )


def _ceilings(config: RunConfig, out: Path) -> list[dict[str, Any]]:
    path = out / "ceiling.npz"
    if not path.exists():
        raise FileNotFoundError(f"ceiling must be measured before (stage encode), missing: {path}.")
    with np.load(path, allow_pickle=False) as file:
        read = dict(file)
    return [
        ceiling_row(task, *(read[f"{task.replace('→', 'to')}_{name}"]
                            for name in ("accepted", "exact")), config.bootstrap)
        for task in config.tasks
    ]


def _write_results(config: RunConfig, cells: Cells, out: Path) -> None:
    rows = []
    for (method, task, strategy), seeds in cells.items():
        for seed, cell in zip(seeds_of(method, config), seeds, strict=True):
            row: dict[str, Any] = {"method": method, "task": task, "strategy": strategy,
                                   "seed": seed, "images": len(cell.alpha)}
            for name, (values, among) in shares([cell], strategy).items():
                total = among.sum()
                mean = (values * among).sum() / total if total else math.nan
                row[name] = "" if math.isnan(mean) else f"{mean:.6f}"
            rows.append(row)
    assert set(COLUMNS) <= set(rows[0])
    _write_csv(rows, out / "results.csv")


def _write_csv(rows: Sequence[dict[str, Any]], path: Path) -> None:
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", newline="") as file:
        flat = [flattened(row) for row in rows]
        writer = csv.DictWriter(file, fieldnames=list(flat[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(flat)
    temporary.replace(path)


def _markdown(sheets: Sequence[Sheet], facts: str) -> str:
    parts = ["# Table 2 and the strict reading\n", *(sheet.markdown() for sheet in sheets), facts]
    return "\n".join(parts) + "\n"
