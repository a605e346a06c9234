"""ULightOT: LightSB's plan with marginals that may differ from the data, at a price.

Gazdieva, Asadulaev, Burnaev, Korotin, "Light Unbalanced Optimal Transport", NeurIPS 2024, for the
cost |x - y|^2 / 2 and tau times the Kullback-Leibler divergence of either marginal:

    gamma(x, y) = u(x) pi(y | x)              pi, v and c as in `baselines.lightsb`
    u(x) = sum_l b_l N(x | m_l, eps S_l)      the first marginal, of any mass
    phi(x) = eps log(u(x) / c(x)) + |x|^2 / 2,    psi(y) = eps log v(y) + |y|^2 / 2
    L = eps |u|_1 + tau mean over sources of (exp(-phi / tau) - 1)
                  + tau mean over targets of (exp(-psi / tau) - 1)

L is the dual of unbalanced entropic transport with potentials of this form. Codes that lie far
from all others, or more of a kind than the other side has, are reached less; for tau -> inf the
plan is LightSB's. The edit is the conditional mean, in which u has no part (`baselines.bridges`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from baselines.bridges import Bridge, BridgeConfig, Bridges, Sides, minimise
from baselines.lightsb import start_bridge
from lwedit.editors import FitData

__all__ = ["Plan", "ULightOt", "ULightOtConfig", "fit_plan"]


@dataclass(frozen=True)
class ULightOtConfig(BridgeConfig):
    """Training of ULightOT; see `BridgeConfig`.

    Attributes:
        tau: Price of a marginal's divergence, a number of a flat code: what a move costs grows
            with their count.
    """

    tau: float = 1.0


class Plan(NamedTuple):
    """gamma: the conditional plan with v, and u in the same form."""

    bridge: Bridge
    u: Bridge

    @classmethod
    def of(cls, parts: Sequence[Tensor], eps: float) -> "Plan":
        """The plan of three tensors of v and three of u."""
        return cls(Bridge(parts[0], parts[1], parts[2], eps),
                   Bridge(parts[3], parts[4], parts[5], eps))

    @property
    def mass(self) -> Float[Tensor, ""]:
        """|u|_1, which is 1 for a balanced plan."""
        return self.u.log_a.exp().sum()

    def potentials(
        self, x: Float[Tensor, "n dim"], y: Float[Tensor, "m dim"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, " m"]]:
        """phi(x) and psi(y)."""
        eps = self.bridge.eps
        constant = x.shape[1] / 2 * torch.tensor(2 * torch.pi * eps).log()
        log_u, log_v = self.u.log_potential(x) - constant, self.bridge.log_potential(y) - constant
        phi = eps * (log_u - self.bridge.log_shares(x).logsumexp(dim=1))
        return phi + x.square().sum(dim=1) / 2, eps * log_v + y.square().sum(dim=1) / 2

    def loss(
        self, x: Float[Tensor, "n dim"], y: Float[Tensor, "m dim"], tau: float
    ) -> Float[Tensor, ""]:
        """L."""
        paid = sum(tau * (-side / tau).expm1().mean() for side in self.potentials(x, y))
        return self.bridge.eps * self.mass + paid

    def scaled(
        self, x: Float[Tensor, "n dim"], y: Float[Tensor, "m dim"], tau: float
    ) -> "Plan":
        """The same v and u times the two numbers for which L is least.

        Adam would take long to get there: the potentials of long codes are large numbers. With
        A, B the means of exp(-phi / tau), exp(-psi / tau): u e^s and v e^t make them
        A e^(eps (t - s) / tau) and B e^(-eps t / tau), and L is least where both and e^s |u|_1 are
        equal.
        """
        eps = self.bridge.eps
        a, b = ((-side / tau).logsumexp(dim=0) - torch.tensor(float(len(side))).log()
                for side in self.potentials(x, y))
        s = ((a + b) / 2 - self.mass.log()) / (1 + eps / (2 * tau))
        t = tau / (2 * eps) * (b - a) + s / 2
        return Plan(self.bridge._replace(log_a=self.bridge.log_a + t),
                    self.u._replace(log_a=self.u.log_a + s))


def fit_plan(
    sides: Sides, held: Sides, config: ULightOtConfig, tau: float, rng: torch.Generator, *,
    progress: bool = False,
) -> Plan:
    """Minimise L from sources to targets, with `held` others to choose the best step by."""
    x, y = sides
    bridge = start_bridge(x, y, config.components, config.eps, rng)
    spread = (x.var(dim=0).clamp(min=1e-6) / config.eps).log().expand_as(bridge.r).clone()
    some = torch.randint(len(x), (config.components,), generator=rng).to(x.device)
    apart = 0.1 * (x[some] - x.mean(dim=0)) * (config.components > 1)
    u = Bridge(bridge.log_a.clone(), x.mean(dim=0) + apart, spread, config.eps)
    start = Plan(bridge, u).scaled(x, y, tau)
    found = minimise(
        (*start.bridge[:3], *start.u[:3]),
        lambda parts, x, y: Plan.of(parts, config.eps).loss(x, y, tau),
        sides, held, config, rng, label="ulightot" * progress,
    )
    return Plan.of(found, config.eps)


class ULightOt(Bridges):
    """ULightOT: to the conditional mean of the unbalanced plan."""

    method: ClassVar[str] = "ulightot"

    @classmethod
    def fit(
        cls, data: FitData, config: ULightOtConfig | None = None, *, progress: bool = False
    ) -> Bridges:
        """Learn a plan each way from codes and labels.

        Args:
            data: Codes with labels.
            config: Settings.
            progress: Show a bar.
        """
        config = ULightOtConfig() if config is None else config
        tau = config.tau * data.train.space.layers * data.train.space.dim
        return cls.between(data, lambda sides, held, rng: fit_plan(
            sides, held, config, tau, rng, progress=progress).bridge)
