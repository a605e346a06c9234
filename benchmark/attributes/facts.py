"""What the tables of a run are made from: results.csv read back, judges' accuracy, costs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmark.attributes.compare import Edit
from benchmark.attributes.rows import ALL, HERO
from benchmark.attributes.settings import DIRECTIONS
from benchmark.bootstrap import Interval

__all__ = ["Facts", "mean_of"]

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
        strangers: Mean identity of different images, by measure.
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
    strangers: Mapping[str, float]
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

    def count(self, method: str, level: str, name: str) -> int:
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
