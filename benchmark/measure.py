"""What is measured of an edit at one strength: every measure is a function and an entry.

Somebody edits codes and lets the images be drawn and judged; what comes of it is a `View`, and a
measure makes a number an image of it. The pure functions stand in `lwedit.metrics`. A measure that
is added to `MEASURES` is in every cell measured from then on, in results.csv and, where its entry
says what it can be, in the table of metrics; cells measured before stay valid.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from benchmark.likeness import in_batches
from benchmark.presets import NEIGHBOURS
from lwedit.domains import EditTask
from lwedit.metrics import (
    METRICS,
    Metric,
    as_wanted,
    fooled,
    gaussian_distance,
    kept,
    nearest_ratio,
    new_class,
    norm_ratio,
)
from lwedit.vocabulary import flatten_codes

__all__ = ["MEASURES", "Measure", "View", "added", "all_metrics", "has_changed", "measured",
           "strictly"]


class View(NamedTuple):
    """An edit of a task's codes at one strength.

    Attributes:
        domain: Generator and judges.
        task: What counts as changed: `EditTask` of digits, `EditSet` of attributes.
        codes: What there was before the edit: `TestCodes` of digits, `Source` of attributes.
        w_edit: Edited codes.
        x_edit: Their images.
        seen: What the judges see in them.
        flipped: Whether the latent classifier's verdict on the target is the wanted one.
        batch: Images seen at a time.
    """

    domain: Any
    task: Any
    codes: Any
    w_edit: Float[Tensor, "n layers dim"]
    x_edit: Float[Tensor, "n channels h w"]
    seen: Any
    flipped: Tensor
    batch: int = 100


class Measure(NamedTuple):
    """One measure.

    Attributes:
        name: As in cells and results.csv.
        function: What it is of a view, a number an image; None where a domain lacks what it needs.
        metric: What it can be and what is best, where `lwedit.metrics.METRICS` does not say so.
    """

    name: str
    function: Callable[[View], Tensor | None]
    metric: Metric | None = None


def strictly(view: View) -> Tensor:
    """Which edits of digits are accepted, see `lwedit.metrics.strict`."""
    seen = view.seen
    sure = as_wanted(seen.count, seen.count_confidence, seen.classes, seen.confidence,
                     view.task.wanted)
    return sure & _kept(view)


def _kept(view: View) -> Tensor:
    return kept(view.codes.before.classes, view.seen.classes, adding=view.task.adds)


def has_changed(count: Tensor, task: EditTask) -> Tensor:
    """Whether an image of so many digits shows the edit: as many as wanted, or beyond."""
    return count >= task.wanted if task.adds else count <= task.wanted


def _target_distance(view: View) -> Tensor:
    targets = flatten_codes(view.codes.targets)
    gaps = torch.cdist(flatten_codes(view.w_edit), targets).min(dim=1).values
    return gaps / view.codes.target_spread


def _alike(view: View, images: Tensor | None) -> Tensor | None:
    def identity(a: Tensor, b: Tensor) -> Tensor:
        return view.domain.identity(a, b, view.domain.identities[-1])

    return None if images is None else in_batches(identity, images, view.x_edit, batch=view.batch)


_DIGITS = (
    Measure("flipped", lambda view: view.flipped),
    Measure("changed", lambda view: has_changed(view.seen.count, view.task)),
    Measure("exact", lambda view: view.seen.count == view.task.wanted),
    Measure("kept", _kept),
    Measure("kept_photo", lambda view: kept(view.codes.photo, view.seen.classes,
                                            adding=view.task.adds)),
    Measure("accepted", strictly),
    Measure("fooled", lambda view: fooled(view.flipped, view.seen.count, view.task.wanted,
                                          adding=view.task.adds)),
    Measure("digit", lambda view: new_class(view.codes.before.classes, view.seen.classes,
                                            strictly(view)).to(torch.int8)),
    Measure("distance", _target_distance),
)
_ATTRIBUTES = (
    Measure("scores", lambda view: view.seen),
    Measure("latent", lambda view: view.flipped),
    Measure("identity", lambda view: _alike(view, view.codes.x)),
    Measure("identity_photo", lambda view: _alike(view, view.codes.photos)),
    Measure("nearest", lambda view: nearest_ratio(view.w_edit, view.task.targets,
                                                  view.codes.spread[0])),
    Measure("knn", lambda view: nearest_ratio(view.w_edit, view.task.targets, view.codes.spread[1],
                                              NEIGHBOURS)),
    Measure("norm", lambda view: norm_ratio(view.w_edit, view.task.targets)),
    Measure("gaussian", lambda view: torch.tensor(gaussian_distance(view.w_edit,
                                                                    view.task.targets))),
)
MEASURES: dict[str, tuple[Measure, ...]] = {"digits": _DIGITS, "attributes": _ATTRIBUTES}
_BUILT_IN = {measure.name for measure in (*_DIGITS, *_ATTRIBUTES)}


def measured(view: View, kind: str) -> dict[str, Tensor]:
    """Every measure of a view.

    Args:
        view: An edit at one strength.
        kind: Kind of run, "digits" or "attributes".
    """
    found = {measure.name: measure.function(view) for measure in MEASURES[kind]}
    return {name: values for name, values in found.items() if values is not None}


def added(kind: str) -> tuple[str, ...]:
    """Names of the measures of a kind that are not the project's own."""
    return tuple(one.name for one in MEASURES[kind] if one.name not in _BUILT_IN)


def all_metrics() -> tuple[Metric, ...]:
    """What every metric can be, those of added measures last."""
    more = {one.name: one.metric for part in MEASURES.values() for one in part if one.metric}
    return (*METRICS, *more.values())
