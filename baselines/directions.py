"""Which of many unnamed directions belongs to an attribute; GANSpace and SeFa share it.

Both methods find directions without labels and leave it to a person to look what each one does.
Here the latent classifier F looks, on validation codes:

    e_cl = mean over w of (F_l(w + v_c) - F_l(w - v_c)) / (2 std F_l(w))

A direction is named by the attribute that it changes most. An attribute gets the direction of its
name that changes it most, or, where none bears its name, the one that changes it most of all; the
sign is such that alpha > 0 adds it. What comes in are candidates as moves of a code, each as long
as the codes themselves spread along it.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from lwedit.editors import AffineMap, FitData

__all__ = ["choose", "effects", "layer_groups", "on_layers"]

_MOST_CODES = 200  # every candidate is tried on each of them, both ways
_GROUPS = ((0, 4), (4, 8), (8, 99))  # coarse, middle, fine: to 8, 32, 1024 pixels (StyleGAN, 3.1)


def layer_groups(data: FitData) -> list[tuple[int, ...]]:
    """All layers that may be edited, and the coarse, middle and fine ones where not all."""
    layers = range(data.train.space.layers) if data.layers is None else data.layers
    groups = [tuple(i for i in layers if first <= i < last) for first, last in _GROUPS]
    return [tuple(layers), *(group for group in groups if 0 < len(group) < len(layers))]


def on_layers(
    steps: Float[Tensor, "m dim"], group: tuple[int, ...], layers: int
) -> Float[Tensor, "m layers dim"]:
    """Moves of whole codes that take the same step in every layer of a group."""
    chosen = torch.tensor([float(i in group) for i in range(layers)]).to(steps)
    return chosen[:, None] * steps[:, None]


@torch.no_grad()
def effects(
    moves: Float[Tensor, "m layers dim"], data: FitData
) -> Float[Tensor, "m attributes"]:
    """e_cl: change of every attribute's logit by every move, in its standard deviations.

    Args:
        moves: The candidates v_c.
        data: Gives the validation codes and F.
    """
    w, classifier = data.validation.w[:_MOST_CODES], data.classifier
    spread = classifier(w).std(dim=0).clamp(min=1e-12)
    found = [(classifier(w + move) - classifier(w - move)).mean(dim=0) for move in moves]
    return torch.stack(found) / (2 * spread)


def choose(moves: Float[Tensor, "m layers dim"], data: FitData) -> AffineMap:
    """The move that the attribute of `data` gets, as H.

    Args:
        moves: The candidates v_c.
        data: Gives the attribute, the validation codes and F.
    """
    k = data.classifier.attributes.index(data.attribute)
    effect = effects(moves, data)
    named = effect.abs().argmax(dim=1) == k
    size = effect[:, k].abs()
    best = int(torch.where(named, size, 0 * size if named.any() else size).argmax())
    return AffineMap(None, moves[best] * effect[best, k].sign())
