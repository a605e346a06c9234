"""Teach the mapping network the distribution of given codes, adversarially, in latent space.

A generator that begins as an autoencoder (`lwedit.inversion.training`) can draw the codes of
real images but knows no distribution to sample them from. Here f(z) is trained against a small
discriminator of codes, with the losses of `lwedit.generators.training`: a step costs
milliseconds, and what is left for adversarial training on images is polish.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from lwedit.generators.stylegan2 import Mapping

__all__ = ["MappingFitConfig", "fit_mapping"]


@dataclass(frozen=True)
class MappingFitConfig:
    """Settings.

    Attributes:
        steps: Updates of both networks.
        batch: Codes a step.
        lr: Adam's step size for the discriminator; the mapping's is scaled up by the inverse of
            its learning-rate multiplier (0.01).
        r1_gamma: Weight of R1 on standardised codes, in every fourth step.
        width: Hidden units of the discriminator.
    """

    steps: int = 4000
    batch: int = 256
    lr: float = 1e-3
    r1_gamma: float = 2.0
    width: int = 512


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
        rng: Source of z, the order of codes and the discriminator's first weights.
        progress: Show a bar.
    """
    dim = codes.shape[1]
    centre, scale = codes.mean(dim=0), codes.std(dim=0).mean()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=rng)))
        critic = nn.Sequential(
            nn.Linear(dim, config.width), nn.LeakyReLU(0.2),
            nn.Linear(config.width, config.width), nn.LeakyReLU(0.2),
            nn.Linear(config.width, config.width), nn.LeakyReLU(0.2),
            nn.Linear(config.width, 1),
        )
    optimiser_f = torch.optim.Adam(mapping.parameters(), 100 * config.lr / 2, betas=(0.0, 0.99))
    optimiser_d = torch.optim.Adam(critic.parameters(), config.lr, betas=(0.0, 0.99))
    schedules = [
        torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.steps, 0.05 * lr)
        for optimiser, lr in ((optimiser_f, 50 * config.lr), (optimiser_d, config.lr))
    ]
    for step in tqdm(range(config.steps), "mapping", disable=not progress):
        real = codes[torch.randint(len(codes), (config.batch,), generator=rng)]
        real = (real - centre) / scale
        z = torch.randn(config.batch, dim, generator=rng)
        fake = (mapping(z) - centre) / scale
        loss_d = functional.softplus(critic(fake.detach())).mean()
        if step % 4 == 0:
            real = real.requires_grad_()
            logits = critic(real)
            (slope,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
            loss_d = loss_d + 2 * config.r1_gamma * slope.square().sum(dim=1).mean()
        else:
            logits = critic(real)
        loss_d = loss_d + functional.softplus(-logits).mean()
        optimiser_d.zero_grad(set_to_none=True)
        loss_d.backward()
        optimiser_d.step()
        critic.requires_grad_(False)
        loss_f = functional.softplus(-critic(fake)).mean()
        optimiser_f.zero_grad(set_to_none=True)
        loss_f.backward()
        optimiser_f.step()
        critic.requires_grad_(True)
        for schedule in schedules:
            schedule.step()
    mapping.w_mean.copy_(centre)
