"""How many images, codes or pairs are behind each metric of a cell, in words for the report."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmark.measure import all_metrics
from benchmark.presets import AttributeConfig

__all__ = ["sample_sizes"]


def sample_sizes(
    results: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    config: AttributeConfig,
    edits: Mapping[str, Mapping[str, Any]],
) -> dict[str, str]:
    """By metric; one that was not measured in this run is left out.

    Args:
        results: Of results.csv.
        rows: Of summary.csv.
        config: How many strengths and real images there are.
        edits: Of facts.json: how many codes each edit has.
    """
    measured = {name for row in results for name, value in row.items() if value == value}
    tested = _span(row["images"] for row in rows)
    targets = [edit["targets"] for edit in edits.values()]
    real = _span(min(config.real_images, n) for n in targets)
    found = {"real": f"{real} real images"}
    for metric in all_metrics():
        if not any(name == metric.name or name.startswith(f"{metric.name}_") for name in measured):
            continue
        size = f"{tested} {metric.counted}"
        if metric.name in ("nearest", "knn", "gaussian", "norm"):
            size += f", {_span(targets)} real codes"
        elif metric.name in ("fid", "kid"):
            size += f", {real} real images"
        elif metric.name in ("monotone", "linearity"):
            size += f", {config.alphas} strengths"
        found[metric.name] = size
    return found


def _span(values: Iterable[float]) -> str:
    held = sorted({int(value) for value in values})
    return str(held[0]) if len(held) == 1 else f"{held[0]} to {held[-1]}"
