"""Training an encoder through a generator, frozen or not.

    L(x) = mean (G(E(x)) - x)^2 + c_f mean_l (phi_l(G(E(x))) - phi_l(x))^2 + c_r mean residual^2

The first term and the last are pSp's and e4e's; phi are the feature maps of a small network
that reads digits (where pSp takes LPIPS), trained on the generator's own pool of digits and no
judge. With `train_generator` the synthesis network learns as well: an autoencoder in style
space, the way to a generator that can draw *any* image of the domain (compare Pidhorskyi et
al., "Adversarial Latent Autoencoders", CVPR 2020). Adversarial training alone reaches strokes
in the time in which this reaches digits.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lwedit.generators.stylegan2 import Synthesis
from lwedit.inversion.encoder import Encoder

__all__ = ["AutoencoderConfig", "AutoencoderTrainer", "ReconstructionLosses"]

Features = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class AutoencoderConfig:
    """Settings.

    Attributes:
        batch: Images a step.
        lr_generator: Adam's step size for the synthesis network.
        lr_encoder: Adam's step size for the encoder.
        feature_weight: c_f.
        residual_weight: c_r.
        ema_decay: Decay of the averaged weights a step.
        train_generator: Whether the synthesis network learns.
        tie_cells: Whether `Synthesis.tie_cells` follows every step of it.
        bf16: Run convolutions in bfloat16; faster only on CPUs that have the instructions.
    """

    batch: int = 32
    lr_generator: float = 2e-3
    lr_encoder: float = 1e-3
    feature_weight: float = 0.0
    residual_weight: float = 1e-3
    ema_decay: float = 0.998
    train_generator: bool = False
    tie_cells: bool = False
    bf16: bool = False


class ReconstructionLosses(NamedTuple):
    """What one step saw: mean squared pixel error, feature error, mean squared residual."""

    pixels: float
    features: float
    residual: float


class AutoencoderTrainer:
    """Encoder, synthesis network, optimisers and averaged weights.

    Args:
        synthesis: Generator's synthesis network, changed in place with `train_generator`.
        encoder: Encoder, changed in place.
        config: Settings.
        features: phi, differentiable; required where `feature_weight` > 0.
    """

    def __init__(
        self,
        synthesis: Synthesis,
        encoder: Encoder,
        config: AutoencoderConfig,
        features: Features | None = None,
    ):
        if config.feature_weight > 0 and features is None:
            raise ValueError("features must be given where feature_weight > 0, got None.")
        self.config, self.features = config, features
        self.synthesis = synthesis.to(memory_format=torch.channels_last)
        self.encoder = encoder.to(memory_format=torch.channels_last).train()
        self.synthesis.requires_grad_(config.train_generator)
        groups = [{"params": list(encoder.parameters()), "lr": config.lr_encoder}]
        if config.train_generator:
            groups.append({"params": list(synthesis.parameters()), "lr": config.lr_generator})
        self.optimiser = torch.optim.Adam(groups, betas=(0.9, 0.99), foreach=True)
        self._lrs = [group["lr"] for group in groups]
        self.ema_synthesis = copy.deepcopy(synthesis).eval().requires_grad_(False)
        self.ema_encoder = copy.deepcopy(encoder).eval().requires_grad_(False)
        self.steps = self.images_seen = 0

    def step(
        self, x: Float[Tensor, "n channels h w"], *, lr_scale: float = 1.0
    ) -> ReconstructionLosses:
        """One update on a batch of real images."""
        self.steps += 1
        self.images_seen += len(x)
        for group, lr in zip(self.optimiser.param_groups, self._lrs, strict=True):
            group["lr"] = lr * lr_scale
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bf16):
            losses = self._losses(x)
        loss = losses[0] + self.config.feature_weight * losses[1]
        loss = loss + self.config.residual_weight * losses[2]
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        if self.config.train_generator and self.config.tie_cells:
            self.synthesis.tie_cells()
        self._average(self.ema_encoder, self.encoder)
        if self.config.train_generator:
            self._average(self.ema_synthesis, self.synthesis)
        return ReconstructionLosses(*(value.item() for value in losses))

    def _losses(self, x: Float[Tensor, "n channels h w"]) -> list[Float[Tensor, ""]]:
        """Pixel error, feature error, mean squared residual."""
        base, residual = self.encoder.parts(x)
        y = self.synthesis(base + residual)
        error = x.new_zeros(())
        if self.config.feature_weight > 0 and self.features is not None:
            with torch.no_grad():
                wanted = self.features(x)
            error = (self.features(y) - wanted).float().square().mean()
        return [(y - x).square().mean(), error, residual.float().square().mean()]

    @torch.no_grad()
    def _average(self, slow: nn.Module, fast: nn.Module) -> None:
        decay = min(self.config.ema_decay, 1 - 10 / (self.steps + 10))
        for a, b in zip(slow.parameters(), fast.parameters(), strict=True):
            a.lerp_(b, 1 - decay)
        for a, b in zip(slow.buffers(), fast.buffers(), strict=True):
            if a.is_floating_point():
                a.lerp_(b, 1 - decay)
            else:
                a.copy_(b)
