"""The report of a run: results.csv from the cells, then tables, curves and matrices from it alone.

Beside it only what is no measurement: facts.json says how good the judges are, costs/ what it
cost, and pictures are those in the cells. A missing, damaged or non-finite cell stops the report,
naming the cell.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.attributes.collect import Measured, collect
from benchmark.attributes.curves import draw_curves, draw_matrices
from benchmark.attributes.facts import Facts
from benchmark.attributes.grids import draw_comparison, draw_failure, draw_strengths
from benchmark.attributes.methods import methods_of
from benchmark.attributes.page import write_page
from benchmark.attributes.results import read_results, summaries
from benchmark.attributes.rows import to_csv, write_results
from benchmark.attributes.runs import Key, Run, file_part
from benchmark.attributes.samples import sample_sizes
from benchmark.attributes.seeing import networks_of
from benchmark.attributes.settings import DIRECTIONS
from benchmark.attributes.sheet import Sheet, save_sheet
from benchmark.attributes.tables import all_tables
from benchmark.files import read_json, write_text
from benchmark.times import sentence
from lwedit.domains import AttributeDomain

__all__ = ["remarks", "write_report", "write_tables"]

_STARS = ("lt_star", "lw_star", "lw")


def write_report(run: Run) -> Path:
    """Write everything that a run can say.

    Returns:
        Path of report.md.

    Raises:
        FileNotFoundError: Naming a file that an earlier stage should have left.
        ValueError: Naming a cell that is damaged or not finite.
    """
    measured = collect(run)
    write_results(measured, run)
    sheets, figures = write_tables(run)
    figures += _pictures(run, measured)
    title = f"Attribute editing on {run.domain.name}"
    about = _about(run)
    took = sentence(run.out)
    head = [f"# {title}\n", about + "\n", *([took + "\n"] if took else [])]
    write_text(run.out / "report.md", "\n".join([*head, *(sheet.markdown() for sheet in sheets)]))
    write_page(title, f"{about} {took}", sheets, figures, run.out / "report.html")
    return run.out / "report.md"


def write_tables(run: Run) -> tuple[list[Sheet], list[tuple[str, Path]]]:
    """Write summary.csv, tables, curves and matrices from results.csv.

    Returns:
        The tables, and the figures with their captions.

    Raises:
        FileNotFoundError: Naming a file that an earlier stage should have left.
        ValueError: Naming a cell that is missing from results.csv or not finite.
    """
    results = read_results(run.out / "results.csv", run.keys)
    rows = summaries(results)
    write_text(run.out / "summary.csv", to_csv(rows))
    sheets = all_tables(_facts(run, results, rows))
    for sheet in sheets:
        save_sheet(sheet, run.out / "tables")
    folder, methods = run.out / "figures", methods_of(run.config)
    curves = draw_curves(results, run.attributes, run.domain.identities[-1], folder, methods)
    matrices = draw_matrices(rows, tuple(run.domain.attributes), run.attributes, folder,
                             run.config.methods)
    return sheets, [("Fig. 4: what is kept, at equal target change", curves),
                    ("What else moves", matrices)]


def _about(run: Run) -> str:
    facts = read_json(run.out / "facts.json", "facts.json (stage encode)")
    tests = [entry["test"] for entry in facts["edits"].values()]
    spare = [entry["calibration"] for entry in facts["edits"].values()]
    config = run.config
    learnt = min(config.editor_codes, facts["train_codes"])
    return (
        f"{len(run.attributes)} attributes, added to held-out codes that lack them and removed "
        f"from those that have them: {min(tests)} to {max(tests)} codes an edit, {min(spare)} to "
        f"{max(spare)} others to find d. Seeds {', '.join(map(str, config.seeds))} (floors and "
        f"ceiling: the first). Editors learnt from "
        f"{learnt} codes. Intervals from {config.bootstrap} resamples."
        + "".join(f" {said[0].upper()}{said[1:]}." for said in remarks(run.domain))
    )


def remarks(domain: AttributeDomain) -> list[str]:
    """What a domain has to say of its data: what is not edited, by name, and why."""
    left_out: Mapping[str, str] = getattr(domain, "left_out", {})
    return [*getattr(domain, "notes", ()),
            *(f"not edited is {name!r}: {why}" for name, why in left_out.items())]


def _facts(run: Run, results: list[dict[str, Any]], rows: list[dict[str, Any]]) -> Facts:
    held = read_json(run.out / "facts.json", "facts.json (stage encode)")
    latent = _latent_accuracy(run)
    scoring, auc = (_scoring(held["judges"], tuple(run.domain.attributes), what)
                    for what in ("accuracy", "auc"))
    return Facts(
        rows=rows,
        intervals=Facts.keyed(results),
        methods=methods_of(run.config),
        attributes=run.attributes,
        names=tuple(run.domain.attributes),
        slow=tuple(run.domain.identities[:-1]),
        strangers=held["identity_of_strangers"],
        fast=run.domain.identities[-1],
        judges=_sentence(scoring, auc, latent),
        costs=_costs(run),
        classifier=latent,
        scoring=scoring,
        auc=auc,
        networks=tuple(network.name for network in networks_of(run.domain)),
        samples=sample_sizes(results, rows, run.config, held["edits"]),
    )


def _learned(methods: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in ("lt_star", "lt", "lw_star", "lw") if name in methods)


def _latent_accuracy(run: Run) -> dict[str, float]:
    """Agreement of the latent classifiers with the scoring judge on held-out codes, worst seed."""
    held = [
        read_json(run.classifier_path(seed).with_suffix(".json"), "classifier (stage classify)")
        for seed in run.config.seeds
    ]
    return {name: min(one["heldout"][name] for one in held) for name in run.domain.attributes}


def _scoring(judges: Mapping[str, Any], names: tuple[str, ...], what: str) -> dict[str, float]:
    """Accuracy or AUC of the scoring judge by attribute, as far as the domain states it."""
    rows = judges.get("scoring", {}).get("attributes", {})
    return {name: rows[name][what] for name in names if what in rows.get(name, {})}


def _sentence(
    scoring: Mapping[str, float], auc: Mapping[str, float], latent: Mapping[str, float]
) -> str:
    """How good the judges behind a table are."""
    parts = []
    for who, accuracy in (("Scoring judge", scoring), ("latent classifier, worst seed", latent)):
        if accuracy:
            worst = min(accuracy, key=lambda name: accuracy[name])
            mean = float(np.mean(list(accuracy.values())))
            area = f", AUC {float(np.mean(list(auc.values()))):.3f}" if auc else ""
            parts.append(f"{who}: accuracy {mean:.3f}, least {accuracy[worst]:.3f} ({worst})"
                         + (area if accuracy is scoring else ""))
    return "; ".join(parts) + "."


def _costs(run: Run) -> dict[str, dict[str, float]]:
    """Means a method, and costs.csv; times differ from run to run, so they have their own file."""
    rows = []
    for path in sorted((run.out / "costs").glob("*.json")):
        stage, _, name = path.stem.partition("_")
        rows.append({"stage": stage, "name": name} | read_json(path, "costs"))
    columns = ("stage", "name", "seconds", "parameters", "ms_an_edit")
    full = [{column: row.get(column, float("nan")) for column in columns} for row in rows]
    if full:
        write_text(run.out / "costs.csv", to_csv(full))
    costs: dict[str, dict[str, float]] = {}
    for method in methods_of(run.config):
        mine = [row for row in rows if _is_of(row["name"], method, run)]
        fits = [row for row in mine if row["stage"] == "fit"]
        scored = [row for row in mine if row["stage"] == "score"]
        costs[method] = {
            column: float(np.mean([row[column] for row in part]))
            for part, column in ((fits, "seconds"), (fits, "parameters"), (scored, "ms_an_edit"))
            if part
        }
    return costs


def _is_of(name: str, method: str, run: Run) -> bool:
    return any(name.startswith(f"{method}_{file_part(attribute)}_") for attribute in run.attributes)


def _pictures(run: Run, measured: Mapping[Key, Measured]) -> list[tuple[str, Path]]:
    """Grids of edited images, of the first seed."""
    folder, seed = run.out / "figures", run.config.seeds[0]
    methods = methods_of(run.config)
    shown = tuple(name for name in methods if name not in ("none", "random"))
    edits = [(name, direction) for name in run.attributes for direction in DIRECTIONS]
    stars = [name for name in _STARS if name in methods]
    figures = []
    if stars:
        figures.append(("Fig. 5: without and with what preserves",
                        draw_comparison(measured, edits[:8], seed, stars, folder)))
        figures.append(("Fig. 2: strength without measure",
                        draw_failure(measured, edits[:4:2], seed, _learned(methods), folder)))
    figures += [(f"Fig. 3: {name}, {direction}",
                 draw_strengths(measured, name, direction, seed, shown, folder))
                for name, direction in edits]
    return [(caption, path) for caption, path in figures if path is not None]
