"""Teach the mapping network the distribution of given codes: a flow in latent space, then one step.

A generator that begins as an autoencoder (`training.digits.autoencoder`) can draw the codes of
real images but knows no distribution to sample them from. Three stages give it one:

    1. flow      v(w_t, t) <- w - z on w_t = (1 - t) z + t w, z noise: a rectified flow (Liu et
                 al., "Flow Straight and Fast", ICLR 2023; Lipman et al., "Flow Matching for
                 Generative Modeling", ICLR 2023)
    2. pairs     (z, w) where w is the end of the path that starts at z
    3. distil    f <- regression of w on z over the pairs

Noise and code of a pair belong together, so the regression has one answer for every z and does not
average over codes, which is what fitting f to codes directly would do. Against a discriminator
of codes, f collapsed to blank images; what is left for adversarial training on images is polish.
All codes are standardised by their mean and one overall deviation.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from lwedit.generators.stylegan2 import Mapping

__all__ = ["MappingFitConfig", "Velocity", "fit_mapping"]

_TIMES = 32  # frequencies of the embedding of t
_CHUNK = 2000  # paths followed at once


@dataclass(frozen=True)
class MappingFitConfig:
    """Settings.

    Attributes:
        flow_steps: Updates of the velocity.
        width: Units of its inner layers.
        depth: Its residual blocks.
        pairs: Noise and code pairs.
        path_steps: Euler steps of a path.
        distil_steps: Updates of f.
        batch: Codes an update.
        lr: Highest step size of Adam, for f scaled up by the inverse of its learning-rate
            multiplier (0.01).
        bf16: Compute in bfloat16; faster only on CPUs that have the instructions.
    """

    flow_steps: int = 2000
    width: int = 1024
    depth: int = 3
    pairs: int = 60_000
    path_steps: int = 20
    distil_steps: int = 3000
    batch: int = 512
    lr: float = 1e-3
    bf16: bool = False


class Velocity(nn.Module):
    """v(w_t, t), residual blocks on the code with the time added in each."""

    def __init__(self, dim: int, width: int, depth: int):
        super().__init__()
        self.register_buffer("frequencies", torch.exp(torch.linspace(0, math.log(300), _TIMES)))
        self.start = nn.Linear(dim, width)
        self.time = nn.ModuleList(nn.Linear(2 * _TIMES, width) for _ in range(depth))
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)
            )
            for _ in range(depth)
        )
        self.end = nn.Linear(width, dim)
        nn.init.zeros_(self.end.weight)

    def forward(self, w: Float[Tensor, "n dim"], t: Float[Tensor, " n"]) -> Float[Tensor, "n dim"]:
        """Direction of the path through w at time t."""
        angle = t[:, None] * self.frequencies
        time = torch.cat([angle.sin(), angle.cos()], dim=1)
        h = self.start(w)
        for block, shift in zip(self.blocks, self.time, strict=True):
            h = h + block(h + shift(time))
        return self.end(h)


def fit_mapping(
    mapping: Mapping,
    codes: Float[Tensor, "n dim"],
    config: MappingFitConfig,
    rng: torch.Generator,
    *,
    progress: bool = False,
) -> None:
    """Train `mapping` in place until f(z), z ~ N(0, I), looks like `codes`.

    The mean of the codes becomes `mapping.w_mean`.

    Args:
        mapping: f, changed in place.
        codes: What f(z) should look like.
        config: Settings.
        rng: Source of z, of the order of codes and of the velocity's first weights.
        progress: Show bars.
    """
    centre, scale = codes.mean(dim=0), codes.std(dim=0).mean()
    velocity = _flow((codes - centre) / scale, config, rng, progress=progress)
    z, w = _pairs(velocity, codes.shape[1], config, rng, progress=progress)
    _distil(mapping, z, centre + scale * w, scale.item(), config, rng, progress=progress)
    mapping.w_mean.copy_(centre)


def _flow(
    codes: Float[Tensor, "n dim"], config: MappingFitConfig, rng: torch.Generator, *, progress: bool
) -> Velocity:
    """The velocity, its weights averaged over the last tenth of the updates."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=rng)))
        velocity = Velocity(codes.shape[1], config.width, config.depth)
    average = torch.optim.swa_utils.AveragedModel(velocity)
    optimiser = torch.optim.AdamW(velocity.parameters(), config.lr, weight_decay=0.01)
    for step in _descend(optimiser, config.flow_steps, "flow", progress=progress):
        w = codes[torch.randint(len(codes), (config.batch,), generator=rng)]
        z = _noise(w.shape, rng)
        t = torch.randn(len(w), generator=rng).sigmoid()  # most often half-way, where it is hard
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
            v = velocity(z + t[:, None] * (w - z), t)
        (v.float() - (w - z)).square().mean().backward()
        if step >= 0.9 * config.flow_steps:
            average.update_parameters(velocity)
    return average.module.eval().requires_grad_(False)


def _noise(shape: tuple[int, ...], rng: torch.Generator) -> Float[Tensor, "n dim"]:
    """z as the mapping network sees it, scaled to unit mean square."""
    z = torch.randn(shape, generator=rng)
    return z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


@torch.no_grad()
def _pairs(
    velocity: Velocity, dim: int, config: MappingFitConfig, rng: torch.Generator, *, progress: bool
) -> tuple[Float[Tensor, "n dim"], Float[Tensor, "n dim"]]:
    """Noise, and where its paths end."""
    z = _noise((config.pairs, dim), rng)
    ends = []
    for w in tqdm(z.split(_CHUNK), "pairs", disable=not progress):
        for step in range(config.path_steps):
            t = torch.full((len(w),), (step + 0.5) / config.path_steps)
            with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
                v = velocity(w, t)
            w = w + v.float() / config.path_steps
        ends.append(w)
    return z, torch.cat(ends)


def _distil(
    mapping: Mapping,
    z: Float[Tensor, "n dim"],
    w: Float[Tensor, "n dim"],
    scale: float,
    config: MappingFitConfig,
    rng: torch.Generator,
    *,
    progress: bool,
) -> None:
    optimiser = torch.optim.Adam(mapping.parameters(), 100 * config.lr, betas=(0.9, 0.99))
    for _ in _descend(optimiser, config.distil_steps, "distil", progress=progress):
        pick = torch.randint(len(z), (config.batch,), generator=rng)
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
            found = mapping(z[pick])
        ((found.float() - w[pick]) / scale).square().mean().backward()


def _descend(
    optimiser: torch.optim.Optimizer, steps: int, name: str, *, progress: bool
) -> Iterator[int]:
    """Yield before every update, whose step size rises over 100 and falls along a cosine."""
    highest = optimiser.param_groups[0]["lr"]
    for step in tqdm(range(steps), name, disable=not progress, mininterval=5):
        rise, fall = min(1.0, (step + 1) / 100), (1 + math.cos(math.pi * step / steps)) / 2
        for group in optimiser.param_groups:
            group["lr"] = highest * rise * max(fall, 0.01)
        optimiser.zero_grad(set_to_none=True)
        yield step
        optimiser.step()
