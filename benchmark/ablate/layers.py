"""Which layers draw the edit, and which convince the latent classifier.

Held-out codes that lack the attribute get some layers of the nearest real code that has it, and
keep the others. Where judges of the image then see the edit, these layers draw it; where only the
latent classifier does, they tell it something that the generator does not draw, and any editor
free to move them is adversarial: it convinces without changing the image.
"""

from typing import Any

import torch

from baselines import METHODS
from benchmark.runs import Run

__all__ = ["groups_of", "layer_roles"]


def groups_of(layers: int) -> list[tuple[int, ...]]:
    """The groups to look at: every layer but the first together, each half, single early layers.

    Args:
        layers: How many there are; one layer has no groups.
    """
    if layers < 2:
        return []
    half = layers // 2
    groups = [(0,), (1,), tuple(range(1, layers)), tuple(range(half)), tuple(range(half, layers)),
              tuple(range(layers))]
    return list(dict.fromkeys(groups))


@torch.no_grad()
def layer_roles(run: Run, edit: str) -> list[dict[str, Any]]:
    """One row a group: latent change and actual change."""
    trial = run.trial(run.key("nearest", edit, 0))
    data, source = trial.data, trial.source
    other = METHODS["nearest"].fit(data).edit(source, 1.0)
    k = data.classifier.attributes.index(data.attribute)
    rows = []
    for group in groups_of(source.shape[1]):
        mixed = source.clone()
        mixed[:, list(group)] = other[:, list(group)]
        rows.append({
            "edit": edit, "layers": list(group),
            "flipped": float((data.classifier(mixed)[:, k] > 0).float().mean()),
            "changed": float(trial.judge(source, mixed).changed.mean()),
        })
    return rows
