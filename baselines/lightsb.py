"""LightSB: entropic transport whose potential is a sum of Gaussians, so that the plan is a formula.

Korotin, Gushchin, Burnaev, "Light Schroedinger Bridge", ICLR 2024, for the cost |x - y|^2 / 2:

    v(y) = sum_k a_k N(y | r_k, eps S_k)                                   the adjusted potential
    c(x) = sum_k a_k(x),  a_k(x) = a_k exp((x^T S_k x + 2 r_k^T x) / (2 eps))
    pi(y | x) = sum_k a_k(x) / c(x) N(y | r_k + S_k x, eps S_k)
    L = mean over sources of log c(x) - mean over targets of log v(y)

L is the divergence of the true plan from pi up to a constant; Adam minimises it, on codes alone.
S_k are diagonal, as in the paper's experiments on codes. At alpha = 1 an edited code is the mean
of pi(y | x), no sample: a sample is not a function of the code. A second bridge, from the targets
to the sources, gives the code at alpha = -1. eps is meant for codes of unit deviation.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from lwedit.editors import Editor, FitData
from lwedit.latents import Space
from lwedit.vocabulary import flatten_codes, unflatten_codes

__all__ = ["Bridge", "LightSb", "LightSbConfig", "fit_bridge"]

_SIDES, _PARTS = ("there", "back"), ("log_a", "r", "log_s")


@dataclass(frozen=True)
class LightSbConfig:
    """Training of LightSB.

    Attributes:
        components: Gaussians in the potential.
        eps: Entropic regularisation.
        steps: Steps of Adam.
        lr: Its step size.
        batch: Codes of each side a step.
        check: Steps between looks at the validation codes; the best parameters are kept.
    """

    components: int = 10
    eps: float = 0.1
    steps: int = 1_500
    lr: float = 1e-3
    batch: int = 128
    check: int = 100

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"{name} must be positive, got {value}.")


class Bridge(NamedTuple):
    """The potential, and with it the plan; S_k as the logarithms of their diagonals."""

    log_a: Float[Tensor, " k"]
    r: Float[Tensor, "k dim"]
    log_s: Float[Tensor, "k dim"]
    eps: float

    def log_shares(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n k"]:
        """log a_k(x)."""
        return self.log_a + (x.square() @ self.log_s.exp().T + 2 * x @ self.r.T) / (2 * self.eps)

    def log_potential(self, y: Float[Tensor, "n dim"]) -> Float[Tensor, " n"]:
        """log v(y) + (dim / 2) log(2 pi eps)."""
        inverse = (-self.log_s).exp()
        square = (y.square() @ inverse.T - 2 * y @ (self.r * inverse).T
                  + (self.r.square() * inverse).sum(dim=1))
        terms = self.log_a - square / (2 * self.eps) - self.log_s.sum(dim=1) / 2
        return terms.logsumexp(dim=1)

    def loss(self, x: Float[Tensor, "n dim"], y: Float[Tensor, "m dim"]) -> Float[Tensor, ""]:
        """L, less the constant (dim / 2) log(2 pi eps)."""
        return self.log_shares(x).logsumexp(dim=1).mean() - self.log_potential(y).mean()

    def mean(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
        """The conditional mean of pi(y | x)."""
        share = self.log_shares(x).softmax(dim=1)
        return share @ self.r + (share @ self.log_s.exp()) * x


def _start(x: Tensor, y: Tensor, config: LightSbConfig, rng: torch.Generator) -> Bridge:
    """The closed form between diagonal Gaussians for every component, set a little apart.

    With variances s, t of a coordinate S^2 s + eps S = t: y varies as its conditional mean does,
    and around it. Components that start at the same place would stay there.
    """
    s, t, k = x.var(dim=0).clamp(min=1e-6), y.var(dim=0).clamp(min=1e-6), config.components
    slope = ((4 * s * t + config.eps**2).sqrt() - config.eps) / (2 * s)
    some = torch.randint(len(y), (k,), generator=rng).to(y.device)
    r = y.mean(dim=0) - slope * x.mean(dim=0) + 0.1 * (y[some] - y.mean(dim=0)) * (k > 1)
    log_a = torch.zeros(k).to(x) - torch.tensor(float(k)).log().to(x)
    return Bridge(log_a, r, slope.log().expand(k, -1).clone(), config.eps)


def fit_bridge(
    x: Float[Tensor, "n dim"], y: Float[Tensor, "m dim"], held: tuple[Tensor, Tensor],
    config: LightSbConfig, rng: torch.Generator, *, progress: bool = False,
) -> Bridge:
    """Minimise L from sources x to targets y, with `held` others to choose the best step by."""
    start = _start(x, y, config, rng)
    parts = [part.clone().requires_grad_() for part in start[:3]]
    bridge = Bridge(parts[0], parts[1], parts[2], config.eps)
    optimiser = torch.optim.Adam(parts, config.lr)
    best, least = [part.detach().clone() for part in parts], float("inf")
    for step in tqdm(range(config.steps + 1), "lightsb", disable=not progress):
        if step % config.check == 0 or step == config.steps:
            with torch.no_grad():
                loss = bridge.loss(*held).item()
            if loss < least:
                best, least = [part.detach().clone() for part in parts], loss
        some = [
            side[torch.randint(len(side), (config.batch,), generator=rng).to(side.device)]
            for side in (x, y)
        ]
        optimiser.zero_grad(set_to_none=True)
        bridge.loss(*some).backward()
        optimiser.step()
    return Bridge(best[0], best[1], best[2], config.eps)


class LightSb(Editor):
    """LightSB: to the conditional mean of the plan.

    Attributes:
        bridges: From the codes without the attribute to those with it, and the other way.
        centre: What is subtracted from flat codes.
        scale: What they are divided by.
    """

    method: ClassVar[str] = "lightsb"

    def __init__(
        self, attribute: str, space: Space, bridges: tuple[Bridge, Bridge],
        centre: Float[Tensor, " dim"], scale: float,
    ):
        super().__init__(attribute, space)
        flat = space.layers * space.dim
        if any(part.shape[-1] != flat for part in (centre, bridges[0].r, bridges[1].r)):
            raise ValueError(f"bridges must join codes of {flat} numbers, got {len(centre)}.")
        self.bridges, self.centre, self.scale = bridges, centre, scale

    @classmethod
    def fit(
        cls, data: FitData, config: LightSbConfig | None = None, *, progress: bool = False
    ) -> "LightSb":
        """Learn both bridges from codes and labels.

        Args:
            data: Codes with labels.
            config: Settings.
            progress: Show a bar.
        """
        config = LightSbConfig() if config is None else config
        sides, held = ([flatten_codes(side) for side in part.pair(data.attribute)]
                       for part in (data.train, data.validation))
        both = torch.cat(sides)
        centre = both.mean(dim=0)
        scale = float((both - centre).square().mean().sqrt().clamp(min=1e-12))
        (x, y), (u, v) = ([(side - centre) / scale for side in part] for part in (sides, held))
        rng = torch.Generator().manual_seed(data.seed)
        bridges = (fit_bridge(x, y, (u, v), config, rng, progress=progress),
                   fit_bridge(y, x, (v, u), config, rng, progress=progress))
        return cls(data.attribute, data.train.space, bridges, centre, scale)

    def displacement(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """E[y | w] - w."""
        return self._towards(self.bridges[0], w)

    def displacement_back(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """w - E[x | w], so that alpha = -1 gives the mean of the bridge back."""
        return -self._towards(self.bridges[1], w)

    def _towards(self, bridge: Bridge, w: Tensor) -> Tensor:
        x = (flatten_codes(w).to(self.centre) - self.centre) / self.scale
        return unflatten_codes((bridge.mean(x) - x) * self.scale, w.shape[1])

    def state(self) -> dict[str, Tensor]:
        """Both bridges, what codes are centred and divided by, and eps."""
        parts = {f"{side}_{name}": getattr(bridge, name)
                 for side, bridge in zip(_SIDES, self.bridges, strict=True) for name in _PARTS}
        units = torch.tensor([self.scale, self.bridges[0].eps]).to(self.centre.device)
        return parts | {"centre": self.centre, "units": units}

    @classmethod
    def restore(cls, state: dict[str, Tensor], attribute: str, space: Space) -> "LightSb":
        """Inverse of `state`; refuses what is incomplete or of another space by a ValueError."""
        names = {side: [f"{side}_{name}" for name in _PARTS] for side in _SIDES}
        if set(state) != {*sum(names.values(), []), "centre", "units"}:
            raise ValueError(f"state must hold two bridges, centre and units, got {sorted(state)}.")
        scale, eps = state["units"].tolist()
        there, back = (
            Bridge(state[f"{side}_log_a"], state[f"{side}_r"], state[f"{side}_log_s"], eps)
            for side in _SIDES
        )
        return cls(attribute, space, (there, back), state["centre"], scale)
