"""A mapping network that follows a flow: z -> w in some steps of a small transformer.

StyleGAN2's mapping is an MLP. Where w is a map of cells (`Synthesis.localise`: 4 x 4 cells, and in
each either a piece of a digit or nothing), the distribution of codes has as many separate modes as
there are ways to place digits, and an MLP draws what lies between them. Here

    w_0 = z,   w_{i+1} = w_i + u(w_i, (i + 1/2) / s) / s,   w = centre + scale w_s
    u = v + g (v - v')

follows a rectified flow (Liu et al., "Flow Straight and Fast", ICLR 2023) in s steps. The velocity
v sees a code as its cells: every cell is a token that attends to the others (Vaswani et al., 2017;
pre-norm, squared ReLU), so what a stroke is has to be learnt once, not for each place. v' is a
guide, a smaller network trained shortly on the same codes: where the two differ v knows better, and
going on in that direction leaves out what neither has learnt well (Karras et al., "Guiding a
Diffusion Model with a Bad Version of Itself", NeurIPS 2024). Still a deterministic, differentiable
function of z, with a mean code and truncation like any mapping. `training.digits.flow_fit`
trains both.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lwedit.generators.attention import HEAD, AttentionBlock

__all__ = ["CELLS", "CellVelocity", "FlowConfig", "FlowMapping"]

CELLS = 16  # of a localised constant
_FREQUENCIES = 32  # of the embedding of time


@dataclass(frozen=True)
class FlowConfig:
    """Sizes of a flow mapping.

    Attributes:
        width: Units of a token in the velocity v.
        depth: Its blocks.
        steps: Euler steps of a path.
        guidance: g; 0: no guide.
        guide_width: Units of a token in the guide v'.
        guide_depth: Its blocks.
    """

    width: int = 256
    depth: int = 5
    steps: int = 40
    guidance: float = 0.0
    guide_width: int = 128
    guide_depth: int = 3

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}.")
        if not 0 <= self.guidance < math.inf:
            raise ValueError(f"guidance must be 0 or more, got {self.guidance}.")


class CellVelocity(nn.Module):
    """v(w, t): a transformer over the cells of a code.

    Args:
        dim: Entries of w, a multiple of `CELLS`.
        width: Units of a token, a multiple of 32.
        depth: Blocks.

    Raises:
        ValueError: If dim or width is no such multiple.
    """

    frequencies: Tensor

    def __init__(self, dim: int, width: int, depth: int):
        super().__init__()
        for name, value, part in (("dim", dim, CELLS), ("width", width, HEAD)):
            if value < 1 or value % part:
                raise ValueError(f"{name} must be a multiple of {part} for a flow, got {value}.")
        frequencies = torch.linspace(0, math.log(300), _FREQUENCIES).exp()
        self.register_buffer("frequencies", frequencies)
        self.start = nn.Linear(dim // CELLS, width)
        self.place = nn.Parameter(0.5 * torch.randn(CELLS, width))
        self.time = nn.Sequential(nn.Linear(2 * _FREQUENCIES, width), nn.SiLU())
        self.early, self.late = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.blocks = nn.ModuleList(AttentionBlock(width) for _ in range(depth))
        self.end = nn.Linear(width, dim // CELLS)
        for layer in (self.late, self.end):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, w: Float[Tensor, "n dim"], t: Float[Tensor, " n"]) -> Float[Tensor, "n dim"]:
        """Direction of the path through w at time t in [0, 1]."""
        angle = t[:, None] * self.frequencies
        time = self.time(torch.cat([angle.sin(), angle.cos()], dim=1))
        h = self.start(w.reshape(len(w), CELLS, -1)) + self.place + self.early(time)[:, None]
        for block in self.blocks:
            h = block(h)
        gain, shift = self.late(time)[:, None].chunk(2, dim=-1)
        h = functional.layer_norm(h, h.shape[-1:]) * (1 + gain) + shift
        return self.end(h).reshape(len(w), -1)


class FlowMapping(nn.Module):
    """z -> w along the flow, with the mean of w that truncation pulls towards.

    Args:
        dim: Entries of z and w.
        config: Sizes.
    """

    w_mean: Tensor
    centre: Tensor
    scale: Tensor

    def __init__(self, dim: int, config: FlowConfig):
        super().__init__()
        self.config = config
        self.velocity = CellVelocity(dim, config.width, config.depth)
        self.guide = None
        if config.guidance:
            self.guide = CellVelocity(dim, config.guide_width, config.guide_depth)
        self.register_buffer("w_mean", torch.zeros(dim))
        self.register_buffer("centre", torch.zeros(dim // CELLS))
        self.register_buffer("scale", torch.ones(dim // CELLS))

    def forward(self, z: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
        """z -> w."""
        w, steps = z, self.config.steps
        for step in range(steps):
            t = torch.full((len(w),), (step + 0.5) / steps, dtype=w.dtype, device=w.device)
            w = w + self._guided(w, t).to(w.dtype) / steps
        return self.from_standard(w)

    def _guided(self, w: Float[Tensor, "n dim"], t: Float[Tensor, " n"]) -> Float[Tensor, "n dim"]:
        v = self.velocity(w, t)
        return v if self.guide is None else v + self.config.guidance * (v - self.guide(w, t))

    def to_standard(self, w: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
        """Codes -> codes whose entries have mean 0 and deviation 1 over all cells."""
        return ((w.reshape(len(w), CELLS, -1) - self.centre) / self.scale).reshape(w.shape)

    def from_standard(self, w: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
        """The inverse of `to_standard`."""
        return (self.centre + self.scale * w.reshape(len(w), CELLS, -1)).reshape(w.shape)

    @torch.no_grad()
    def track_mean(self, w: Float[Tensor, "n dim"], decay: float = 0.998) -> None:
        """Move the running mean towards the mean of a batch of codes."""
        self.w_mean.lerp_(w.mean(dim=0).to(self.w_mean.dtype), 1 - decay)
