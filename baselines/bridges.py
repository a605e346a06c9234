"""Plans of entropic transport as mixtures of Gaussians, and editors that consist of two of them.

LightSB and ULightOT write their plan alike (`baselines.lightsb` has the equations) and differ in
what they minimise to find it. Here are the plan, its conditional mean, the descent that both use,
and the editor: at alpha = 1 an edited code is the mean of pi(y | x), no sample: a sample is not a
function of the code. A second bridge, from the targets to the sources, gives the code at
alpha = -1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from lwedit.editors import Editor, FitData
from lwedit.latents import Space
from lwedit.vocabulary import flatten_codes, unflatten_codes

__all__ = ["Bridge", "BridgeConfig", "Bridges", "Join", "minimise"]

_SIDES, _PARTS = ("there", "back"), ("log_a", "r", "log_s")


@dataclass(frozen=True)
class BridgeConfig:
    """Training of a plan; defaults are LightSB's.

    Attributes:
        components: Gaussians in each factor of the plan.
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


Sides = tuple[Tensor, Tensor]  # x, (n, dim), and y, (m, dim)
Join = Callable[[Sides, Sides, torch.Generator], Bridge]  # codes, held-out codes, rng


def minimise(
    start: Sequence[Tensor], loss: Callable[[Sequence[Tensor], Tensor, Tensor], Tensor],
    sides: Sides, held: Sides, config: BridgeConfig, rng: torch.Generator, *, label: str = "",
) -> list[Tensor]:
    """Parameters at which Adam's loss was least on the held-out codes.

    Args:
        start: Parameters to begin with.
        loss: Of parameters, sources and targets.
        sides: Sources and targets.
        held: Others, to choose the best step by.
        config: Settings.
        rng: Source of the batches.
        label: Of the bar, which is not shown without one.
    """
    parts = [part.clone().requires_grad_() for part in start]
    optimiser = torch.optim.Adam(parts, config.lr)
    best, least = [part.detach().clone() for part in parts], float("inf")
    for step in tqdm(range(config.steps + 1), label, disable=not label):
        if step % config.check == 0 or step == config.steps:
            with torch.no_grad():
                found = loss(parts, *held).item()
            if found < least:
                best, least = [part.detach().clone() for part in parts], found
        x, y = (
            side[torch.randint(len(side), (config.batch,), generator=rng).to(side.device)]
            for side in sides
        )
        optimiser.zero_grad(set_to_none=True)
        loss(parts, x, y).backward()
        optimiser.step()
    return best


class Bridges(Editor):
    """To the conditional mean of a plan.

    Attributes:
        bridges: From the codes without the attribute to those with it, and the other way.
        centre: What is subtracted from flat codes.
        scale: What they are divided by.
    """

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
    def between(cls, data: FitData, join: Join) -> "Bridges":
        """The editor of codes and labels, whose bridges are joined at unit deviation."""
        sides, held = ([flatten_codes(side) for side in part.pair(data.attribute)]
                       for part in (data.train, data.validation))
        both = torch.cat(sides)
        centre = both.mean(dim=0)
        scale = float((both - centre).square().mean().sqrt().clamp(min=1e-12))
        (x, y), (u, v) = ([(side - centre) / scale for side in part] for part in (sides, held))
        rng = torch.Generator().manual_seed(data.seed)
        bridges = join((x, y), (u, v), rng), join((y, x), (v, u), rng)
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
    def restore(cls, state: dict[str, Tensor], attribute: str, space: Space) -> "Bridges":
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
