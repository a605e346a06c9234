"""Adversarial training of a generator that must not forget how to draw real images.

After the autoencoder (`training.digits.autoencoder_trainer`) the generator draws what the encoder
hands it, and after `fit_mapping` it has codes to sample; now both meet the discriminator. L_G is
StyleGAN2's plus the autoencoder's on the real images of the same batch,

    L_G = softplus(-D(G(w))) + c_x (mean (G(E(x)) - x)^2 + c_f |phi(G(E(x))) - phi(x)|^2)
          + c_r mean residual^2,

so that W+ keeps covering held-out images while samples become as sharp as real ones (compare
Zhu et al., "In-Domain GAN Inversion for Real Image Editing", ECCV 2020, where the generator is
frozen). Half of the codes w are f(z). The other half are combinations of real codes,

    w = m + sum_i c_i (E(x_i) - m),   c uniform on the unit sphere, m the mean code,

which have the mean and covariance of real codes and fill the space between them: there the
autoencoder draws smears, and that is where every edit goes. For the first `warm_up` steps only
the discriminator learns: it starts from nothing and would tear down a generator that does not.
"""

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lwedit.generators import GeneratorConfig
from lwedit.inversion.encoder import Encoder
from training.digits.autoencoder_trainer import Features
from training.gan.trainer import GanLosses, GanTrainer, TrainingConfig

__all__ = ["JointTrainer", "combine_codes"]

# The encoder follows a generator that an adversary moves: averaged over 500 steps, as the
# generator is, it reconstructed at twice the error of the encoder of the moment.
_ENCODER_DECAY = 0.95


def combine_codes(
    w: Float[Tensor, "m layers dim"], n: int, terms: int, rng: torch.Generator
) -> Float[Tensor, "n layers dim"]:
    """Random combinations of codes that keep their mean and, on average, their covariance.

    Args:
        w: Real codes.
        n: How many combinations to draw.
        terms: Codes in each.
        rng: Source of the choice and of the weights.
    """
    pick = torch.randint(len(w), (n, terms), generator=rng)
    c = torch.randn(n, terms, generator=rng)
    c = c / c.norm(dim=1, keepdim=True)
    centre = w.mean(dim=0)
    return centre + torch.einsum("nt,ntld->nld", c, w[pick] - centre)


class JointTrainer(GanTrainer):
    """GanTrainer with an encoder in the loop.

    Args:
        model: Sizes of the networks.
        config: Settings of the adversarial training.
        rng: Source of first weights, z, combinations, style mixing and pixel noise.
        encoder: Trained together with the generator.
        reconstruction_weight: c_x.
        residual_weight: c_r.
        features: phi of the reconstruction loss, as in `training.digits.autoencoder_trainer`.
        feature_weight: c_f.
        terms: Real codes in a combination.
        warm_up: Steps in which only the discriminator learns.
        tie_cells: Whether `Synthesis.tie_cells` follows every step of the generator.
        discriminator: Instead of StyleGAN2's own.

    Attributes:
        pixel_error: Mean squared error of the last batch's reconstructions.
    """

    def __init__(
        self,
        model: GeneratorConfig,
        config: TrainingConfig,
        rng: torch.Generator,
        encoder: Encoder,
        *,
        reconstruction_weight: float = 10.0,
        residual_weight: float = 1e-2,
        features: Features | None = None,
        feature_weight: float = 0.0,
        terms: int = 3,
        warm_up: int = 300,
        tie_cells: bool = False,
        discriminator: nn.Module | None = None,
    ):
        super().__init__(model, config, rng, discriminator)
        self.encoder = encoder.to(memory_format=torch.channels_last).train()
        self.ema_encoder = copy.deepcopy(encoder).eval().requires_grad_(False)
        self.reconstruction_weight = reconstruction_weight
        self.residual_weight = residual_weight
        self.features, self.feature_weight = features, feature_weight
        self.terms, self.warm_up, self.tie_cells = terms, warm_up, tie_cells
        self.optimiser_e = torch.optim.Adam(
            encoder.parameters(), 5e-4, betas=(0.9, 0.99), foreach=True
        )
        self.pixel_error = float("nan")
        self._codes: Tensor | None = None  # of the batch of real images at hand

    def step(self, x: Float[Tensor, "n channels h w"]) -> GanLosses:
        """One update of all three networks on a batch of real images."""
        with torch.no_grad():
            self._codes = self.encoder(x)  # in training mode: by the batch's own moments
        return super().step(x)

    def _sample_codes(self, n: int) -> Float[Tensor, "n layers dim"]:
        sampled = super()._sample_codes(n)
        assert self._codes is not None
        combined = combine_codes(self._codes, n // 2, self.terms, self.rng)
        return torch.cat([sampled[: n - n // 2], combined])

    def _regularise(self, x: Float[Tensor, "n channels h w"]) -> Float[Tensor, ""]:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bf16):
            base, residual = self.encoder.parts(x)
            y = self.generator.synthesis(base + residual)
            error = (y - x).square().mean()
            self.pixel_error = error.item()
            if self.features is not None:
                with torch.no_grad():
                    wanted = self.features(x)
                gap = (self.features(y) - wanted).float().square().mean()
                error = error + self.feature_weight * gap
            residual = residual.float()
        self.optimiser_e.zero_grad(set_to_none=True)
        return self.reconstruction_weight * error + self.residual_weight * residual.square().mean()

    def _descend(self, optimiser: torch.optim.Optimizer, loss: Float[Tensor, ""]) -> None:
        if optimiser is not self.optimiser_g:
            super()._descend(optimiser, loss)
        elif self.steps > self.warm_up:
            super()._descend(optimiser, loss)
            self.optimiser_e.step()
            if self.tie_cells:
                self.generator.synthesis.tie_cells()

    @torch.no_grad()
    def _average(self) -> None:
        if self.steps <= self.warm_up:
            return
        super()._average()
        slow, fast = self.ema_encoder, self.encoder
        for a, b in zip(slow.parameters(), fast.parameters(), strict=True):
            a.lerp_(b, 1 - _ENCODER_DECAY)
        for a, b in zip(slow.buffers(), fast.buffers(), strict=True):
            if a.is_floating_point():
                a.lerp_(b, 1 - _ENCODER_DECAY)
