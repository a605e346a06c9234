"""Sinkhorn divergence between two weighted clouds of codes, through GeomLoss.

    S(x, y) = OT_eps(x, y) - OT_eps(x, x) / 2 - OT_eps(y, y) / 2,     cost |x_i - y_j|^2 / 2

(Feydy et al., "Interpolating between Optimal Transport and MMD using Sinkhorn Divergences",
AISTATS 2019), with eps = blur^2. It is the loss W of the paper (Eq. 3 and 4) and tends to
W_2^2 / 2 as blur -> 0, which POT's `ot.emd2` gives exactly.

`geomloss.SamplesLoss` is called here and nowhere else, because of four of its habits: it turns
autograd on inside `torch.no_grad`, accepts masses that do not sum to one, loses digits in
float32 when the codes are far from the origin, and raises when all points are equal.

Blur only means something relative to the spread of the codes, so configurations hold it as a
fraction of the median distance between a source and a target code.
"""

import torch
from geomloss import SamplesLoss
from jaxtyping import Float
from torch import Generator, Tensor

__all__ = [
    "blur_from_fraction",
    "check_masses",
    "median_distance",
    "sinkhorn_divergence",
    "uniform",
]


def uniform(x: Float[Tensor, "n dim"]) -> Float[Tensor, " n"]:
    """Mass 1/n on every point."""
    return torch.full((len(x),), 1.0 / len(x), dtype=x.dtype, device=x.device)


def check_masses(name: str, mass: Float[Tensor, " masses"], points: Float[Tensor, "n dim"]) -> None:
    """Refuse masses that are no probabilities on the points.

    Args:
        name: What the argument is called in the message.
        mass: Masses.
        points: The points they lie on.

    Raises:
        ValueError: If there are not as many masses as points, or if they are negative, not
            finite, or do not sum to 1 within 1e-4.
    """
    if len(mass) != len(points):
        raise ValueError(
            f"{name} must weigh every point: {len(points)} points, {len(mass)} masses."
        )
    if not mass.isfinite().all() or (mass < 0).any():
        raise ValueError(
            f"{name} must be finite and non-negative, got minimum {float(mass.min())}."
        )
    total = float(mass.double().sum())
    if abs(total - 1) > 1e-4:
        raise ValueError(f"{name} must sum to 1, got {total:.6g}; divide it by its sum.")


def sinkhorn_divergence(
    x: Float[Tensor, "n dim"],
    y: Float[Tensor, "m dim"],
    *,
    blur: float,
    a: Float[Tensor, " masses_x"] | None = None,
    b: Float[Tensor, " masses_y"] | None = None,
    scaling: float = 0.9,
) -> Float[Tensor, ""]:
    """S(x, y), differentiable in the points and the masses.

    Args:
        x: Source points, such as edited codes w'.
        y: Target points.
        blur: Square root of eps, in the units of the codes.
        a: Masses of x, uniform if left out.
        b: Masses of y, uniform if left out.
        scaling: Ratio of two successive blurs while eps is annealed. 0.9 to train, 0.99 to
            report; 0.5 is 0.2 to 6 % low.

    Returns:
        A scalar in (units of the codes)^2. The caller's grad mode is left as it was.

    Raises:
        ValueError: If a cloud is empty, blur or scaling is out of range, or masses are no
            probabilities.
    """
    if not len(x) or not len(y):
        raise ValueError(f"x and y must hold points, got {len(x)} and {len(y)}.")
    if not blur > 0:
        raise ValueError(f"blur must be positive, got {blur}.")
    if not 0 < scaling < 1:
        raise ValueError(f"scaling must lie between 0 and 1, got {scaling}.")
    a = uniform(x) if a is None else a
    b = uniform(y) if b is None else b
    check_masses("a", a, x)
    check_masses("b", b, y)
    # S is blind to a common translation, float32 is not. Half-way between the two means, so that
    # neither cloud is far away; detached, because the gradient of the mean is zero.
    centre = (x.detach().mean(dim=0) + y.detach().mean(dim=0)) / 2
    x, y = x - centre, y - centre
    # GeomLoss would measure the diameter and divide by it: given here, so that equal points pass.
    diameter = max(float((torch.cat([x, y]).detach().aminmax(dim=0).max
                          - torch.cat([x, y]).detach().aminmax(dim=0).min).norm()), blur)
    loss = SamplesLoss(
        "sinkhorn", p=2, blur=blur, scaling=scaling, diameter=diameter, backend="tensorized"
    )
    with torch.set_grad_enabled(torch.is_grad_enabled()):  # restores the mode on leaving
        value = loss(a, x, b, y)
    return value if torch.is_grad_enabled() else value.detach()


def median_distance(
    x: Float[Tensor, "n dim"], y: Float[Tensor, "m dim"], rng: Generator, *, cap: int = 1000
) -> float:
    """Median of |x_i - y_j|, the unit in which configurations state blur.

    Args:
        x: Source codes.
        y: Target codes.
        rng: Source of the subsample.
        cap: Largest number of codes drawn from each side.
    """
    rows = torch.randperm(len(x), generator=rng)[:cap]
    columns = torch.randperm(len(y), generator=rng)[:cap]
    centre = x.mean(dim=0)
    return float(torch.cdist(x[rows] - centre, y[columns] - centre).median())


def blur_from_fraction(
    fraction: float, x: Float[Tensor, "n dim"], y: Float[Tensor, "m dim"], rng: Generator
) -> float:
    """Blur in the units of the codes.

    Args:
        fraction: Blur as a fraction of the median distance.
        x: Source codes.
        y: Target codes.
        rng: Source of the subsample.

    Raises:
        ValueError: If the fraction is not positive, or all codes are equal.
    """
    if not fraction > 0:
        raise ValueError(f"fraction must be positive, got {fraction}.")
    distance = median_distance(x, y, rng)
    if not distance > 0:
        raise ValueError("x and y must differ: the median distance between them is 0.")
    return fraction * distance
