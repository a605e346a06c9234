"""StyleGAN2's training: non-saturating loss, lazy R1, style mixing, moving average of weights.

Karras et al., CVPR 2020, section 2 and appendix B. With D the discriminator's logit,

    L_D = softplus(D(G(z))) + softplus(-D(x)) + gamma/2 |grad_x D(x)|^2   (R1, every 16th step)
    L_G = softplus(-D(G(z))).

Path-length regularisation is left out: it needs second derivatives of the whole generator and
doubles the cost of a step, and no bar of this project measures what it smooths. Both losses of
a step share one batch of generated images, which saves one of five passes.
"""

import collections.abc
import copy
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lwedit.generators.stylegan2 import Generator, GeneratorConfig
from training.gan.discriminator import Discriminator

__all__ = ["GanLosses", "GanTrainer", "TrainingConfig", "gradient_penalty"]


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of the adversarial training.

    Attributes:
        batch: Images a step.
        lr: Adam's step size for both networks, betas (0, 0.99).
        r1_gamma: Weight of R1.
        r1_every: Steps between two evaluations of R1, whose weight is scaled up accordingly.
        mixing: Share of images drawn from two codes (style mixing).
        ema_decay: Decay of the averaged generator a step.
        discriminator_channels: Widths of the discriminator, the generator's if empty.
        bf16: Run convolutions in bfloat16; faster only on CPUs that have the instructions.
    """

    batch: int = 32
    lr: float = 2.5e-3
    r1_gamma: float = 0.3
    r1_every: int = 16
    mixing: float = 0.5
    ema_decay: float = 0.998
    discriminator_channels: tuple[int, ...] = ()
    bf16: bool = False


class GanLosses(NamedTuple):
    """What one step saw.

    Attributes:
        generator: L_G.
        discriminator: L_D without R1.
        real: Mean logit of real images.
        fake: Mean logit of generated images.
    """

    generator: float
    discriminator: float
    real: float
    fake: float


def gradient_penalty(
    discriminator: nn.Module, x: Float[Tensor, "n channels h w"]
) -> Float[Tensor, ""]:
    """|grad_x D(x)|^2, averaged over images (Mescheder et al., 2018, R1).

    Of a discriminator with several logits an image, D is their mean.
    """
    x = x.detach().requires_grad_()
    logits = discriminator(x).reshape(len(x), -1).mean(dim=1)
    (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return slope.square().sum(dim=(1, 2, 3)).mean()


@contextmanager
def _seeded_by(
    rng: torch.Generator, device: torch.device
) -> collections.abc.Generator[None, None, None]:
    """Draw from torch's global state on a device, seeded by `rng` and put back afterwards."""
    with torch.random.fork_rng(devices=[] if device.type == "cpu" else [device]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=rng)))
        yield


class GanTrainer:
    """The two networks, their optimisers and the averaged generator.

    Args:
        model: Sizes of the networks.
        config: Settings.
        rng: Source of the first weights, of z, of style mixing and of pixel noise.
        discriminator: Instead of StyleGAN2's own.
        device: Where the networks live and the images come to; `rng` stays on the CPU.

    Attributes:
        steps: Updates so far.
        images_seen: Real images shown so far.
    """

    def __init__(
        self,
        model: GeneratorConfig,
        config: TrainingConfig,
        rng: torch.Generator,
        discriminator: nn.Module | None = None,
        device: str = "cpu",
    ):
        self.config, self.rng, self.device = config, rng, torch.device(device)
        with _seeded_by(rng, torch.device("cpu")):  # the same first weights on every device
            self.generator = Generator(model).to(self.device, memory_format=torch.channels_last)
            mirror = replace(model, channels=config.discriminator_channels or model.channels)
            self.discriminator = Discriminator(mirror) if discriminator is None else discriminator
            self.discriminator.to(self.device, memory_format=torch.channels_last)
        self.ema = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.optimiser_g = torch.optim.Adam(
            self.generator.parameters(), config.lr, betas=(0.0, 0.99), foreach=True
        )
        # Lazy regularisation: Adam sees r1_every + 1 gradients where it saw r1_every (appendix B).
        ratio = config.r1_every / (config.r1_every + 1)
        learning = [p for p in self.discriminator.parameters() if p.requires_grad]
        self.optimiser_d = torch.optim.Adam(
            learning, config.lr * ratio, betas=(0.0, 0.99**ratio), foreach=True
        )
        self.steps = 0
        self.images_seen = 0  # counted: a last batch is short, a resumed one of another size

    def step(self, x: Float[Tensor, "n channels h w"]) -> GanLosses:
        """One update of both networks on a batch of real images."""
        x = x.to(self.device)
        self.steps += 1
        self.images_seen += len(x)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bf16):
            fake = self._sample_images(len(x))
            logits_fake = self.discriminator(fake.detach())
            logits_real = self.discriminator(x)
        loss_d = functional.softplus(logits_fake).mean() + functional.softplus(-logits_real).mean()
        self._descend(self.optimiser_d, loss_d)
        if self.steps % self.config.r1_every == 0:
            weight = self.config.r1_gamma / 2 * self.config.r1_every
            self._descend(self.optimiser_d, weight * gradient_penalty(self.discriminator, x))
        self.discriminator.requires_grad_(False)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bf16):
            loss_g = functional.softplus(-self.discriminator(fake)).mean()
        self._descend(self.optimiser_g, loss_g + self._regularise(x))
        self.discriminator.requires_grad_(True)
        self._average()
        return GanLosses(
            loss_g.item(), loss_d.item(), logits_real.mean().item(), logits_fake.mean().item()
        )

    def _regularise(self, x: Float[Tensor, "n channels h w"]) -> Float[Tensor, ""]:
        """What a subclass adds to L_G; nothing here."""
        return x.new_zeros(())

    def _sample_images(self, n: int) -> Float[Tensor, "n channels h w"]:
        w = self._sample_codes(n)
        with _seeded_by(self.rng, self.device):  # pixel noise comes from torch's global state
            return self.generator.synthesis(w, fresh_noise=True)

    def _sample_codes(self, n: int) -> Float[Tensor, "n layers dim"]:
        config = self.generator.config
        z = torch.randn(2 * n, config.dim, generator=self.rng).to(self.device)
        w = self.generator.mapping(z)
        self.generator.mapping.track_mean(w)
        layer = torch.arange(config.layers)
        cut = torch.randint(1, config.layers, (n, 1), generator=self.rng)
        mixed = torch.rand(n, 1, generator=self.rng) < self.config.mixing
        second = (mixed & (layer >= cut))[:, :, None].to(self.device)
        return torch.where(second, w[n:, None], w[:n, None])

    @staticmethod
    def _descend(optimiser: torch.optim.Optimizer, loss: Float[Tensor, ""]) -> None:
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    @torch.no_grad()
    def _average(self) -> None:
        # The average forgets its random start: its window never exceeds a tenth of what was seen.
        decay = min(self.config.ema_decay, 1 - 10 / (self.steps + 10))
        for slow, fast in zip(self.ema.parameters(), self.generator.parameters(), strict=True):
            slow.lerp_(fast, 1 - decay)
        for slow, fast in zip(self.ema.buffers(), self.generator.buffers(), strict=True):
            slow.copy_(fast)
