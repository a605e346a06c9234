"""Transport against truth: exact plans, finite differences, Gaussians, equal bits.

    value      Sinkhorn divergence at small blur, scaling .99, against POT's exact W_2^2 / 2
    gradient   of the same loss at blur .3 against central differences, point by point
    map        `alternate` on two Gaussians against the closed-form optimal map
    bits       two fits of one seed, and an editor saved and loaded

POT is a requirement of development only.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import ot
import torch
from torch import Generator, Tensor

from benchmark.transport.sources import gaussian_data
from lwedit.editors import (
    AdamSolver,
    AlternateSolver,
    LatentWasserstein,
    LatentWassersteinConfig,
)
from lwedit.transport import sinkhorn_divergence
from lwedit.vocabulary import flatten_codes

__all__ = ["equal_bits", "gradient_error", "map_error", "value_error"]

_CORE = LatentWassersteinConfig(lam=0.0)


def _clouds(n: int, dim: int) -> tuple[Tensor, Tensor]:
    rng = Generator().manual_seed(0)
    x = torch.randn(n, dim, generator=rng, dtype=torch.float64)
    return x, 1.3 * torch.randn(n, dim, generator=rng, dtype=torch.float64) + 0.8


def value_error(n: int = 200, dim: int = 3) -> float:
    """Relative error of the divergence on n points."""
    x, y = _clouds(n, dim)
    mass = torch.full((n,), 1 / n, dtype=torch.float64)
    exact = float(ot.emd2(mass.numpy(), mass.numpy(), ot.dist(x.numpy(), y.numpy()))) / 2
    return abs(float(sinkhorn_divergence(x, y, blur=0.02, scaling=0.99)) / exact - 1)


def gradient_error(n: int = 200, dim: int = 3) -> float:
    """Relative error of the gradient of four points, all coordinates, as vectors."""
    x, y = _clouds(n, dim)
    moving = x.clone().requires_grad_()
    _loss(moving, y).backward()
    assert moving.grad is not None
    picked = [(i, k) for i in range(0, n, n // 4) for k in range(dim)]
    slopes = torch.stack([_slope(x, y, i, k) for i, k in picked])
    gradient = torch.stack([moving.grad[i, k] for i, k in picked])
    return float((gradient - slopes).norm() / slopes.norm())


def _slope(x: Tensor, y: Tensor, i: int, k: int, step: float = 1e-4) -> Tensor:
    """Central difference in one coordinate of one point."""
    nudge = torch.zeros_like(x)
    nudge[i, k] = step
    return (_loss(x + nudge, y) - _loss(x - nudge, y)) / (2 * step)


def _loss(x: Tensor, y: Tensor) -> Tensor:
    return sinkhorn_divergence(x, y, blur=0.3, scaling=0.99)


def map_error(n: int = 5000, dim: int = 16) -> float:
    """Relative root mean square error of alternate's moves of new codes."""
    data, truth = gaussian_data(n, dim)
    editor = LatentWasserstein.fit(data, _CORE)
    x = data.validation.pair(data.attribute).source
    v = flatten_codes(x).double()
    moves = v @ truth.weight.T + truth.bias - v
    return float((flatten_codes(editor.displacement(x)) - moves).norm() / moves.norm())


def equal_bits(n: int = 500, dim: int = 16) -> bool:
    """Whether fits and edits repeat bit for bit, by both solvers."""
    data, _ = gaussian_data(n, dim)
    w = data.validation.w
    same = []
    for config in (replace(_CORE, solver=AlternateSolver(rounds=2)),
                   replace(_CORE, solver=AdamSolver(max_steps=20))):
        one, two = (LatentWasserstein.fit(data, config) for _ in range(2))
        with tempfile.TemporaryDirectory() as folder:
            one.save(Path(folder))
            loaded = LatentWasserstein.load(Path(folder), data.train.space)
        same += [torch.equal(one.edit(w, 1.3), other.edit(w, 1.3)) for other in (two, loaded)]
    return all(same)
