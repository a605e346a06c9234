"""Codes for the measurements of transport: Gaussians, digits, attributes of other domains.

Everything that decides is drawn from a seed or taken in order, so two solvers see the same codes.
"""

import torch
from jaxtyping import Bool
from torch import Generator, Tensor

from benchmark.attributes.settings import AttributeConfig
from lwedit.classifier import ClassifierConfig, LatentClassifier
from lwedit.domains import AttributeDomain, DigitsDomain
from lwedit.editors import FitData
from lwedit.latents import LatentSet, Space
from lwedit.transport import GaussianMap, Moments, gaussian_map

__all__ = ["attribute_data", "classifier_of", "digits_data", "gaussian_data", "of_count",
           "unasked"]


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


def of_count(latents: LatentSet, *counts: int) -> Bool[Tensor, " n"]:
    """Mask of the codes whose image really has one of these numbers of digits."""
    n = 1 + sum(latents.labels(f"at_least_{k}") for k in (2, 3, 4))
    return torch.isin(n, torch.tensor(counts))


def unasked(latents: LatentSet) -> LatentClassifier:
    """A classifier for fits that never ask it, those with lambda = 0."""
    return LatentClassifier(latents.attributes, latents.space, (4,))


def classifier_of(
    train: LatentSet, settings: ClassifierConfig | None = None
) -> LatentClassifier:
    """The benchmark's latent classifier, for lambda > 0 and for the choice of strengths.

    It learns as long, from as many codes, as that of a run: one that stops early has not learnt
    that rare attributes exist, says no to every code, and no strength convinces it.
    """
    first = train.subset(torch.arange(int(0.9 * len(train))))
    settings = settings or ClassifierConfig(hidden=AttributeConfig.classifier_hidden)
    return LatentClassifier.fit(first, settings, Generator().manual_seed(0))


def digits_data(
    domain: DigitsDomain, count: int, classifier: LatentClassifier, *, seed: int = 0
) -> FitData:
    """Codes of n and n + 1 digits: the first nine tenths train, the last validates."""
    latents = domain.latents("train")
    cut = int(0.9 * len(latents))
    order = torch.arange(len(latents))
    train, validation = (
        part.subset(of_count(part, count, count + 1))
        for part in (latents.subset(order[:cut]), latents.subset(order[cut:]))
    )
    return FitData(train, validation, classifier, f"at_least_{count + 1}", seed)


def attribute_data(
    domain: AttributeDomain, attribute: str, classifier: LatentClassifier, *, seed: int = 0
) -> FitData:
    """Codes without and with an attribute, split in the same way."""
    latents = domain.latents("train")
    cut = int(0.9 * len(latents))
    order = torch.arange(len(latents))
    parts = latents.subset(order[:cut]), latents.subset(order[cut:])
    return FitData(*parts, classifier, attribute, seed)
