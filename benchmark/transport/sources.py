"""Codes for the measurements of transport: two Gaussians, whose optimal map is a formula."""

import torch
from torch import Generator

from lwedit.classifier import LatentClassifier
from lwedit.editors import FitData
from lwedit.latents import LatentSet, Space
from lwedit.transport import GaussianMap, Moments, gaussian_map

__all__ = ["gaussian_data", "unasked"]


def gaussian_data(n: int, dim: int, layers: int = 1) -> tuple[FitData, GaussianMap]:
    """n codes of each of two Gaussians, and the optimal map between them (for one layer).

    Args:
        n: Codes a side; a tenth as many validate, 500 at least.
        dim: Dimensions of a code, over all layers.
        layers: Into how many layers they fall.
    """
    truth = Generator().manual_seed(99)
    roots = torch.randn(2, dim, dim, generator=truth) / dim**0.5
    before = torch.eye(dim) + 0.5 * roots[0] @ roots[0].T
    after = 0.6 * torch.eye(dim) + 0.8 * roots[1] @ roots[1].T
    mean = 1.5 * torch.randn(dim, generator=truth) / max(dim / 16, 1) ** 0.5
    factors = [torch.linalg.cholesky(part).T for part in (before, after)]
    space = Space("gaussian", "W+", layers, dim // layers)

    def draw(count: int, seed: int) -> LatentSet:
        rng = Generator().manual_seed(seed)
        x = torch.randn(count, dim, generator=rng) @ factors[0]
        y = torch.randn(count, dim, generator=rng) @ factors[1] + mean
        labels = torch.cat([torch.zeros(count), torch.ones(count)]).long()[:, None]
        return LatentSet(torch.cat([x, y]).reshape(-1, layers, dim // layers), labels, ("k",),
                         space)

    train, zero = draw(n, 0), torch.zeros(dim).double()
    data = FitData(train, draw(max(n // 10, 500), 1), unasked(train), "k", 0)
    sides = Moments(zero, before.double()), Moments(mean.double(), after.double())
    return data, gaussian_map(*sides)


def unasked(latents: LatentSet) -> LatentClassifier:
    """A classifier for fits that never ask it, those with lambda = 0."""
    return LatentClassifier(latents.attributes, latents.space, (4,))
