"""LightSB: entropic transport whose potential is a sum of Gaussians, so that the plan is a formula.

Korotin, Gushchin, Burnaev, "Light Schroedinger Bridge", ICLR 2024, for the cost |x - y|^2 / 2:

    v(y) = sum_k a_k N(y | r_k, eps S_k)                                   the adjusted potential
    c(x) = sum_k a_k(x),  a_k(x) = a_k exp((x^T S_k x + 2 r_k^T x) / (2 eps))
    pi(y | x) = sum_k a_k(x) / c(x) N(y | r_k + S_k x, eps S_k)
    L = mean over sources of log c(x) - mean over targets of log v(y)

L is the divergence of the true plan from pi up to a constant; Adam minimises it, on codes alone.
S_k are diagonal, as in the paper's experiments on codes. What an edit does with the plan is in
`baselines.bridges`. eps is meant for codes of unit deviation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from baselines.bridges import Bridge, BridgeConfig, Bridges, Sides, minimise
from lwedit.editors import FitData

__all__ = ["LightSb", "LightSbConfig", "fit_bridge", "start_bridge"]


@dataclass(frozen=True)
class LightSbConfig(BridgeConfig):
    """Training of LightSB; see `BridgeConfig`."""


def start_bridge(
    x: Float[Tensor, "n dim"], y: Float[Tensor, "m dim"], components: int, eps: float,
    rng: torch.Generator,
) -> Bridge:
    """The closed form between diagonal Gaussians for every component, set a little apart.

    With variances s, t of a coordinate S^2 s + eps S = t: y varies as its conditional mean does,
    and around it. Components that start at the same place would stay there.
    """
    s, t, k = x.var(dim=0).clamp(min=1e-6), y.var(dim=0).clamp(min=1e-6), components
    slope = ((4 * s * t + eps**2).sqrt() - eps) / (2 * s)
    some = torch.randint(len(y), (k,), generator=rng).to(y.device)
    r = y.mean(dim=0) - slope * x.mean(dim=0) + 0.1 * (y[some] - y.mean(dim=0)) * (k > 1)
    log_a = torch.zeros(k).to(x) - torch.tensor(float(k)).log().to(x)
    return Bridge(log_a, r, slope.log().expand(k, -1).clone(), eps)


def fit_bridge(
    sides: Sides, held: Sides, config: LightSbConfig, rng: torch.Generator, *,
    progress: bool = False,
) -> Bridge:
    """Minimise L from sources to targets, with `held` others to choose the best step by."""
    def loss(parts: Sequence[Tensor], x: Tensor, y: Tensor) -> Tensor:
        return Bridge(parts[0], parts[1], parts[2], config.eps).loss(x, y)

    start = start_bridge(*sides, config.components, config.eps, rng)
    best = minimise(start[:3], loss, sides, held, config, rng, label="lightsb" * progress)
    return Bridge(best[0], best[1], best[2], config.eps)


class LightSb(Bridges):
    """LightSB: to the conditional mean of the plan."""

    method: ClassVar[str] = "lightsb"

    @classmethod
    def fit(
        cls, data: FitData, config: LightSbConfig | None = None, *, progress: bool = False
    ) -> Bridges:
        """Learn both bridges from codes and labels.

        Args:
            data: Codes with labels.
            config: Settings.
            progress: Show a bar.
        """
        config = LightSbConfig() if config is None else config
        return cls.between(data, lambda sides, held, rng: fit_bridge(
            sides, held, config, rng, progress=progress))
