"""How time and memory of one solution of the plans grow with the number and length of codes.

One round of `alternate` is one cold solution of both plans (`lwedit.transport.displacement`); the
same gradient through GeomLoss, forward and backward at scaling .9, is one step of `adam` on a
full batch. Codes are Gaussian, blur is .3 of the median distance, every cell has a process to
itself. The memory of libraries and of the codes is in the peak: the first cell shows how much.
"""

import time
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from benchmark.transport.isolated import measured
from lwedit.transport import blur_from_fraction, displacement, sinkhorn_divergence

__all__ = ["DIMS", "SIZES", "Growth", "growth"]

SIZES, DIMS = (500, 1000, 2000, 4000), (100, 3200)


class Growth(NamedTuple):
    """One cell.

    Attributes:
        n: Codes a side.
        dim: Length of a code.
        seconds: Of `displacement`.
        gigabytes: Peak of its process.
        geomloss_seconds: Of forward and backward through GeomLoss.
        geomloss_gigabytes: Peak of its process.
    """

    n: int
    dim: int
    seconds: float
    gigabytes: float
    geomloss_seconds: float
    geomloss_gigabytes: float


def growth(n: int, dim: int, threads: int) -> Growth:
    """Measure one cell."""
    plan, loss = (measured(part, n, dim, threads=threads) for part in (_plan, _geomloss))
    return Growth(n, dim, plan.value, plan.gigabytes, loss.value, loss.gigabytes)


def _clouds(n: int, dim: int) -> tuple[Tensor, Tensor, float]:
    rng = Generator().manual_seed(0)
    x, y = torch.randn(2, n, dim, generator=rng)
    y = y + 0.5 / dim**0.5
    return x, y, blur_from_fraction(0.3, x, y, rng)


def _plan(n: int, dim: int) -> float:
    x, y, blur = _clouds(n, dim)
    mass = torch.full((n,), 1 / n)
    start = time.perf_counter()
    displacement(x, y, blur**2, mass, mass, exclude_self_matches=True, tolerance=1e-3)
    return time.perf_counter() - start


def _geomloss(n: int, dim: int) -> float:
    x, y, blur = _clouds(n, dim)
    x.requires_grad_()
    start = time.perf_counter()
    sinkhorn_divergence(x, y, blur=blur, scaling=0.9).backward()
    return time.perf_counter() - start
