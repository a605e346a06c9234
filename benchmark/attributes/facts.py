"""What the tables of a run are made from, read once from its files."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmark.attributes.compare import Edit, Samples
from benchmark.attributes.settings import DIRECTIONS

__all__ = ["HERO", "Facts", "mean_of"]

Rows = Sequence[Mapping[str, Any]]
HERO = "lw"


class Facts(NamedTuple):
    """What tables are made from.

    Attributes:
        rows: Of summary.csv.
        samples: From `resample`.
        methods: In the order of the tables.
        attributes: Targets.
        names: Everything the judges see.
        slow: Names of slow identity measures.
        strangers: Mean identity of different images, by measure.
        fast: Name of the fast identity measure.
        judges: A sentence on the accuracy of judges and latent classifiers.
        costs: Fit seconds, parameters and ms an edit, by method.
        classifier: Held-out accuracy of the latent classifiers, by attribute.
        scoring: Accuracy of the scoring judge, by attribute, as far as known.
        auc: Its area under the ROC curve, likewise.
    """

    rows: Rows
    samples: Samples
    methods: tuple[str, ...]
    attributes: tuple[str, ...]
    names: tuple[str, ...]
    slow: tuple[str, ...]
    strangers: Mapping[str, float]
    fast: str
    judges: str
    costs: Mapping[str, Mapping[str, float]]
    classifier: Mapping[str, float]
    scoring: Mapping[str, float]
    auc: Mapping[str, float]

    @property
    def edits(self) -> list[Edit]:
        """Attributes in both directions."""
        return [Edit(name, direction) for name in self.attributes for direction in DIRECTIONS]

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
    values = [row[name] for row in rows if row[name] == row[name]]
    return float(np.mean(values)) if values else float("nan")
