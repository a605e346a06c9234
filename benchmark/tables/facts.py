"""What the tables of a run are made from: results.csv read back, judges' accuracy, costs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmark.attributes import AttributeRun, remarks
from benchmark.bootstrap import Interval
from benchmark.compare import Edit
from benchmark.files import read_json, to_csv, write_text
from benchmark.likeness import networks_of
from benchmark.methods import methods_of
from benchmark.presets import DIRECTIONS
from benchmark.rows import ALL, HERO
from benchmark.runs import file_part
from benchmark.tables.samples import sample_sizes

__all__ = ["Facts", "about_run", "facts_of", "mean_of"]

Rows = Sequence[Mapping[str, Any]]
OVER_ALL = Edit(ALL, "both")


class Facts(NamedTuple):
    """What tables are made from.

    Attributes:
        rows: Of summary.csv.
        intervals: Rows of results.csv in which seeds are averaged, by method, edit and level.
        methods: In the order of the tables.
        attributes: Targets.
        names: Everything the judges see.
        slow: Names of slow identity measures.
        impostors: Mean identity of different images, by measure.
        fast: Name of the fast identity measure.
        judges: A sentence on the accuracy of judges and latent classifiers.
        costs: Fit seconds, parameters and ms an edit, by method.
        classifier: Held-out accuracy of the latent classifiers, by attribute.
        scoring: Accuracy of the scoring judge, by attribute, as far as known.
        auc: Its area under the ROC curve, likewise.
        networks: Networks that compare images, by name.
        samples: How many images, codes and resamples are behind the numbers, in words.
    """

    rows: Rows
    intervals: Mapping[tuple[str, Edit, str], Mapping[str, Any]]
    methods: tuple[str, ...]
    attributes: tuple[str, ...]
    names: tuple[str, ...]
    slow: tuple[str, ...]
    impostors: Mapping[str, float]
    fast: str
    judges: str
    costs: Mapping[str, Mapping[str, float]]
    classifier: Mapping[str, float]
    scoring: Mapping[str, float]
    auc: Mapping[str, float]
    networks: tuple[str, ...]
    samples: Mapping[str, str]

    @property
    def edits(self) -> list[Edit]:
        """Attributes in both directions."""
        return [Edit(name, direction) for name in self.attributes for direction in DIRECTIONS]

    @staticmethod
    def keyed(rows: Rows) -> dict[tuple[str, Edit, str], Mapping[str, Any]]:
        """Rows in which seeds are averaged, as `intervals` holds them."""
        return {
            (row["method"], Edit(row["attribute"], row["direction"]), row["level"]): row
            for row in rows if row["seed"] == ALL
        }

    def at(self, method: str, level: str, name: str, edit: Edit = OVER_ALL) -> Interval | None:
        """A quantity or a gain with its interval; None where it was not reached."""
        row = self.intervals.get((method, edit, level), {})
        found = [row.get(f"{name}_{part}", np.nan) for part in ("mean", "low", "high")]
        return Interval(*found) if np.isfinite(found).all() else None

    def edits_of(self, method: str, level: str, name: str) -> int:
        """How many edits are behind a mean over edits."""
        return int(self.intervals[method, OVER_ALL, level][name])

    @property
    def alone(self) -> bool:
        """Whether there is no attribute besides the target that could be kept."""
        return len(self.names) == 1

    @property
    def rival(self) -> str | None:
        """Whose gains over the others are shown: LW if it ran, else the first learned method."""
        return HERO if HERO in self.methods else None

    def of(self, method: str, **where: str) -> list[Mapping[str, Any]]:
        """Rows of a method."""
        found = [row for row in self.rows if row["method"] == method]
        return [row for row in found if all(row[name] == value for name, value in where.items())]


def mean_of(rows: Iterable[Mapping[str, Any]], name: str) -> float:
    """Mean of a column over the rows in which it was reached; NaN where in none."""
    found = [row.get(name, float("nan")) for row in rows]
    values = [value for value in found if value == value]
    return float(np.mean(values)) if values else float("nan")


def facts_of(
    run: AttributeRun, results: list[dict[str, Any]], rows: list[dict[str, Any]]
) -> Facts:
    """What the tables of a run are made from.

    Args:
        run: Finished.
        results: Of results.csv.
        rows: Of summary.csv.
    """
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
        impostors=held["identity_of_impostors"],
        fast=run.domain.identities[-1],
        judges=_sentence(scoring, auc, latent),
        costs=_costs(run),
        classifier=latent,
        scoring=scoring,
        auc=auc,
        networks=tuple(network.name for network in networks_of(run.domain)),
        samples=sample_sizes(results, rows, run.config, held["edits"]),
    )


def about_run(run: AttributeRun) -> str:
    """How many codes, seeds and resamples a run has, in words."""
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


def _latent_accuracy(run: AttributeRun) -> dict[str, float]:
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


def _costs(run: AttributeRun) -> dict[str, dict[str, float]]:
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


def _is_of(name: str, method: str, run: AttributeRun) -> bool:
    return any(name.startswith(f"{method}_{file_part(attribute)}_") for attribute in run.attributes)
