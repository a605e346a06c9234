"""Floors and the ceiling of every table: edits that need no learning.

    none         H = 0
    random       one random direction, as long as the difference of the centroids
    centroids    H = mean(target) - mean(source)
    gaussian_ot  H(w) = T(w) - w, T the optimal map between Gaussians fitted to source and target
                 (`lwedit.transport.gaussian`), on flattened codes with full covariances
    nearest      H(w) = nearest real target code - w: the ceiling; at alpha = 1 the edited code
                 *is* a real code of the target class, and anything else about it may change

A learned method that does not beat the floors has learned nothing. None of them looks at the
latent classifier.
"""

from typing import ClassVar

import torch
from jaxtyping import Float
from sklearn.covariance import ledoit_wolf_shrinkage
from torch import Tensor

from lwedit.editors import AffineEditor, AffineMap, Editor, FitData
from lwedit.latents import Pair, Space
from lwedit.transport import Moments, gaussian_map, moments, shrink
from lwedit.vocabulary import flatten_codes, unflatten_codes

__all__ = ["Centroids", "GaussianTransport", "Nearest", "NoEdit", "RandomDirection"]


def _difference(pair: Pair) -> Float[Tensor, "layers dim"]:
    """mean(target) - mean(source), summed in float64."""
    return (pair.target.double().mean(dim=0) - pair.source.double().mean(dim=0)).float()


class NoEdit(AffineEditor):
    """Codes stay as they are."""

    method: ClassVar[str] = "none"
    uses_seed: ClassVar[bool] = False

    @classmethod
    def fit(cls, data: FitData) -> "NoEdit":
        """Nothing to learn.

        Args:
            data: Gives the space and the attribute's name.
        """
        space = data.train.space
        still = AffineMap.zero("translation", space.layers, space.dim)
        return cls(data.attribute, space, still.to(data.train.w.device))


class RandomDirection(AffineEditor):
    """One random direction, uniform on the sphere."""

    method: ClassVar[str] = "random"

    @classmethod
    def fit(cls, data: FitData) -> "RandomDirection":
        """Draw a direction of the length of the centroids' difference.

        Args:
            data: Codes with labels, and the seed of the direction.
        """
        length = _difference(data.train.pair(data.attribute)).norm()
        rng = torch.Generator().manual_seed(data.seed)
        direction = torch.randn(data.train.w.shape[1:], generator=rng).to(data.train.w)
        move = AffineMap(None, direction * (length / direction.norm()))
        return cls(data.attribute, data.train.space, move)


class Centroids(AffineEditor):
    """The difference of the class means, for every code."""

    method: ClassVar[str] = "centroids"
    uses_seed: ClassVar[bool] = False

    @classmethod
    def fit(cls, data: FitData) -> "Centroids":
        """Subtract two means.

        Args:
            data: Codes with labels.
        """
        move = AffineMap(None, _difference(data.train.pair(data.attribute)))
        return cls(data.attribute, data.train.space, move)


class GaussianTransport(AffineEditor):
    """The closed-form optimal map between Gaussians."""

    method: ClassVar[str] = "gaussian_ot"
    uses_seed: ClassVar[bool] = False

    @classmethod
    def fit(
        cls, data: FitData, layers: tuple[int, ...] | None = None
    ) -> "GaussianTransport":
        """Fit two Gaussians and write down the map between them.

        Both covariances are shrunk towards a multiple of the identity by the same share, the
        larger of their two Ledoit-Wolf shares: of unequal shares the difference alone would
        look like a change of shape. Memory is a few (layers dim)^2 matrices of float64.

        Args:
            data: Codes with labels.
            layers: Layers that may move, all if None; the Gaussians are those of these layers.
        """
        pair, space = data.train.pair(data.attribute), data.train.space
        moved = list(range(space.layers)) if layers is None else sorted(layers)
        sides = (pair.source, pair.target)
        source, target = (
            flatten_codes(side if layers is None else side[:, moved]) for side in sides
        )
        both = [x.double().cpu().numpy() for x in (source, target)]
        share = max(float(ledoit_wolf_shrinkage(x)) for x in both)
        before, after = (
            Moments(m.mean, shrink(m.covariance, share)) for m in (moments(source), moments(target))
        )
        weight, bias = gaussian_map(before, after)
        weight = weight.clone()
        weight.diagonal().sub_(1)  # H = T - identity
        map = AffineMap(weight.float(), bias.float())
        if layers is None:
            return cls(data.attribute, space, map)
        editor = cls(data.attribute, space, _embedded(map, moved, space))
        editor.restrict(tuple(moved))
        return editor


def _embedded(map: AffineMap, layers: list[int], space: Space) -> AffineMap:
    """A full map on some layers as a map on whole codes: read those, write those."""
    assert map.weight is not None
    flat = torch.arange(space.layers * space.dim).reshape(space.layers, space.dim)
    rows = flat[layers].flatten().to(map.bias.device)
    read = map.weight.new_zeros(len(rows), flat.numel())
    read[torch.arange(len(rows)), rows] = 1.0
    weight, bias = read.T @ map.weight, read.T @ map.bias
    return AffineMap(weight, bias, read)


class Nearest(Editor):
    """Towards the nearest real code of the target class.

    Attributes:
        targets: The training codes that have the attribute.
    """

    method: ClassVar[str] = "nearest"
    uses_seed: ClassVar[bool] = False

    def __init__(self, attribute: str, space: Space, targets: Float[Tensor, "m layers dim"]):
        super().__init__(attribute, space)
        if targets.shape[1:] != (space.layers, space.dim) or not len(targets):
            raise ValueError(
                f"targets must be codes of shape ({space.layers}, {space.dim}), got "
                f"{tuple(targets.shape)}."
            )
        self.targets = targets

    @classmethod
    def fit(cls, data: FitData) -> "Nearest":
        """Keep the target codes.

        Args:
            data: Codes with labels.
        """
        return cls(data.attribute, data.train.space, data.train.pair(data.attribute).target)

    def displacement(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """Nearest target code - w."""
        x, y = flatten_codes(w).float(), flatten_codes(self.targets)
        centre = y.mean(dim=0)
        near = y - centre  # |x - y|^2 / 2 without the part that all y share
        score = torch.addmm(near.square().sum(dim=1) / 2, x - centre, near.T, alpha=-1)
        return unflatten_codes(y[score.argmin(dim=1)] - x, w.shape[1])

    def state(self) -> dict[str, Tensor]:
        """The target codes."""
        return {"targets": self.targets}

    @classmethod
    def restore(cls, state: dict[str, Tensor], attribute: str, space: Space) -> "Nearest":
        """Inverse of `state`.

        Args:
            state: What `state` gave.
            attribute: What the edit adds.
            space: Where its codes live.

        Raises:
            ValueError: If the target codes are missing or of another space.
        """
        if set(state) != {"targets"}:
            raise ValueError(f"state must hold targets, got {sorted(state)}.")
        return cls(attribute, space, state["targets"])
