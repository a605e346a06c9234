"""Parts of W*: T, a RealNVP of flat codes without batch norm, its classifiers and distances.

Dinh, Sohl-Dickstein, Bengio, "Density estimation using Real NVP", ICLR 2017, as it is used in
Shukor, Yao, Damodaran, Hellier, "Semantic and Geometric Unfolding of StyleGAN Latent Space", 2021,
4.1. In a coupling one half a of the entries moves by functions of the other half b, which stays:

    y_a = x_a exp(s(x_b)) + t(x_b),   y_b = x_b;      x_a = (y_a - t(y_b)) exp(-s(y_b))

s and t have three fully connected layers each, leaky ReLU inside and tanh out; even and odd entries
take turns. No batch norm: it would move codes away from the classifiers that were trained on them.
The last layers start at 0, so that T starts as the identity, where those classifiers are right.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lwedit.generators.features import feature_maps
from lwedit.vocabulary import flatten_codes, unflatten_codes

__all__ = [
    "CodeFeatures",
    "Coupling",
    "RealNvp",
    "Unfolding",
    "generator_features",
    "linear_classifiers",
    "pairwise",
]

CodeFeatures = Callable[[Float[Tensor, "n layers dim"]], Float[Tensor, "n features"]]


class Coupling(nn.Module):
    """One step of the flow.

    Args:
        dim: Entries of a code.
        hidden: Units of the inner layers.
        first: 0 if the even entries move, 1 if the odd ones do.
    """

    def __init__(self, dim: int, hidden: int, first: int):
        super().__init__()
        self.moved, self.kept = slice(first, None, 2), slice(1 - first, None, 2)
        moved, kept = (len(range(dim)[half]) for half in (self.moved, self.kept))
        self.scale, self.translation = (_network(kept, hidden, moved) for _ in range(2))

    def forward(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
        """x -> y."""
        kept, y = x[:, self.kept], x.clone()
        y[:, self.moved] = x[:, self.moved] * self.scale(kept).exp() + self.translation(kept)
        return y

    def inverse(self, y: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
        """y -> x."""
        kept, x = y[:, self.kept], y.clone()
        x[:, self.moved] = (y[:, self.moved] - self.translation(kept)) * (-self.scale(kept)).exp()
        return x


class RealNvp(nn.Module):
    """T.

    Args:
        dim: Entries of a flat code.
        couplings: Steps.
        hidden: Units of the inner layers of s and t.
        rng: Source of the first weights.

    Raises:
        ValueError: If a code has no two entries.
    """

    def __init__(self, dim: int, couplings: int, hidden: int, rng: torch.Generator):
        super().__init__()
        if dim < 2:
            raise ValueError(f"dim must be 2 at least, one entry moves by another, got {dim}.")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**31, (), generator=rng)))
            self.steps = nn.ModuleList(Coupling(dim, hidden, i % 2) for i in range(couplings))

    def forward(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
        """Codes to W*."""
        for step in self.steps:
            x = step(x)
        return x

    def inverse(self, y: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
        """W* to codes."""
        for step in reversed(self.steps):
            assert isinstance(step, Coupling)
            y = step.inverse(y)
        return y


@dataclass(frozen=True)
class Unfolding:
    """T on codes: centred and of unit deviation first.

    Attributes:
        flow: RealNVP.
        centre: Mean of flat codes.
        scale: Their overall deviation.
    """

    flow: RealNvp
    centre: Float[Tensor, " flat"]
    scale: Float[Tensor, ""]

    def forward(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n flat"]:
        """W+ to W*."""
        return self.flow((flatten_codes(w) - self.centre) / self.scale)

    def inverse(self, v: Float[Tensor, "n flat"], layers: int) -> Float[Tensor, "n layers dim"]:
        """W* to W+."""
        return unflatten_codes(self.flow.inverse(v) * self.scale + self.centre, layers)

    def state(self) -> dict[str, Tensor]:
        """Tensors from which `restore` builds T again."""
        return self.flow.state_dict() | {"centre": self.centre, "scale": self.scale}

    @classmethod
    def restore(cls, state: dict[str, Tensor]) -> "Unfolding":
        """Inverse of `state`.

        Raises:
            ValueError: If a tensor is missing.
        """
        weights = {name: part for name, part in state.items() if name not in ("centre", "scale")}
        try:
            centre, scale = state["centre"], state["scale"]
            hidden = len(weights["steps.0.scale.0.bias"])
            couplings = 1 + max(int(name.split(".")[1]) for name in weights)
            flow = RealNvp(len(centre), couplings, hidden, torch.Generator()).to(centre.device)
            flow.load_state_dict(weights)
        except (KeyError, RuntimeError) as error:
            raise ValueError(f"state must hold T, got {sorted(state)}: {error}") from error
        return cls(flow.requires_grad_(False), centre, scale)


def generator_features(generator: nn.Module, pixels: int = 8) -> CodeFeatures:
    """Features of codes whose squared distance is that of LPIPS in the generator's own maps.

    Every map is shrunk to `pixels`, its vectors are divided by their length, layers and places
    count alike: |F(w) - F(w')|^2 is `lwedit.metrics.perceptual_distance` of the shrunk maps.
    """
    def features(w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n features"]:
        maps = feature_maps(generator, w).maps
        small = [functional.adaptive_avg_pool2d(part, min(pixels, part.shape[2])) for part in maps]
        unit = [functional.normalize(part, dim=1) for part in small]
        return torch.cat([u.flatten(1) / (u[0, 0].numel() * len(maps)) ** 0.5 for u in unit], dim=1)

    return features


def pairwise(v: Float[Tensor, "n dim"]) -> Float[Tensor, "n n"]:
    """Squared distances of all pairs."""
    square = v.square().sum(dim=1)
    return (square[:, None] + square - 2 * v @ v.T).clamp(min=0)


def linear_classifiers(
    x: Float[Tensor, "n dim"], y: Float[Tensor, "n k"]
) -> tuple[Float[Tensor, "k dim"], Float[Tensor, " k"]]:
    """Weights and biases of C: logistic regressions with a little weight decay."""
    weight = torch.zeros(y.shape[1], x.shape[1]).to(x).requires_grad_()
    bias = torch.zeros(y.shape[1]).to(x).requires_grad_()
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=50, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(x @ weight.T + bias, y) * y.shape[1]
        loss = loss + 1e-2 * weight.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    return weight.detach(), bias.detach()


def _network(n_in: int, hidden: int, n_out: int) -> nn.Sequential:
    last = nn.Linear(hidden, n_out)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(n_in, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, hidden),
                         nn.LeakyReLU(0.2), last, nn.Tanh())
