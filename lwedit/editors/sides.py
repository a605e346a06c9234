"""Source and target codes of one attribute with their masses, from labelled codes."""

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from lwedit.editors.loss import Sides
from lwedit.latents import LatentSet
from lwedit.transport import WeightMode, sample_weights
from lwedit.vocabulary import flatten_codes

__all__ = ["are_paired", "capped", "sides_of"]

_PAIRS, _NEAR = 200, 0.35  # codes that tell whether sets are paired, and how near pairs are


def sides_of(
    latents: LatentSet, attribute: str, weights: WeightMode, group_by: tuple[str, ...]
) -> Sides:
    """Codes without and with the attribute; equal codes are one with the mass of all.

    Args:
        latents: Codes and labels.
        attribute: Target attribute.
        weights: Masses of the source codes, see `lwedit.transport.weights`.
        group_by: Attributes whose combinations are weighed.
    """
    source, target = latents.pair(attribute)
    has = latents.labels(attribute) == 1
    by = latents.labels_of(group_by)
    a = sample_weights(by[~has], by[has], weights)
    b = torch.full_like(target[:, 0, 0], 1 / len(target))
    source, a = _merged(source, a)
    target, b = _merged(target, b)
    return Sides(source, target, a, b)


def _merged(
    w: Float[Tensor, "n layers dim"], mass: Float[Tensor, " n"]
) -> tuple[Float[Tensor, "m layers dim"], Float[Tensor, " m"]]:
    """Equal codes as one with the mass of all; codes that differ come back as they are.

    A copy would be as good a match as the code itself, which excluding self-matches is to keep
    away.
    """
    axis = torch.randn(w[0].numel(), generator=torch.Generator().manual_seed(0)).to(w).double()
    along = (flatten_codes(w).double() * axis).sum(dim=1)  # the same for equal codes only
    _, group = along.unique(return_inverse=True)
    count = int(group.max()) + 1
    if count == len(w):
        return w, mass
    first = torch.full((count,), len(w), device=w.device).scatter_reduce(
        0, group, torch.arange(len(w), device=w.device), "amin")
    return w[first], mass.new_zeros(count).index_add(0, group, mass)


def capped(latents: LatentSet, attribute: str, cap: int, rng: Generator) -> LatentSet:
    """At most `cap` codes of each label, drawn at random where there are more."""
    y = latents.labels(attribute)
    if max(int((y == label).sum()) for label in (0, 1)) <= cap:
        return latents
    order = torch.randperm(len(latents), generator=rng).to(y.device)
    keep = [order[y[order] == label][:cap] for label in (0, 1)]
    return latents.subset(torch.cat(keep))


def are_paired(x: Float[Tensor, "n points"], y: Float[Tensor, "m points"]) -> bool:
    """Whether target codes lie much nearer to source codes than target codes to each other.

    The mean move is taken off before, once roughly and once between the pairs that it gives. The
    denser cloud has nearer neighbours by chance, as (m / n)^(1 / dimensions).
    """
    some = torch.arange(0, len(y), max(len(y) // _PAIRS, 1), device=y.device)
    centre = y.mean(dim=0)
    x, y = x - centre, y - centre
    own = torch.cdist(y[some], y)
    own[torch.arange(len(some)), some] = torch.inf
    shift = y.mean(dim=0) - x.mean(dim=0)
    nearest = torch.cdist(y[some] - shift, x).argmin(dim=1)
    shift = (y[some] - x[nearest]).median(dim=0).values
    across = torch.cdist(y[some] - shift, x).min(dim=1).values
    chance = min(len(y) / len(x), 1.0) ** (1 / x.shape[1])
    return float((across / own.min(dim=1).values).median()) < _NEAR * chance
