"""The latent classifier F: codes -> one logit an attribute.

Yao et al., "A Latent Transformer for Disentangled Face Editing in Images and Videos", ICCV
2021: an MLP on flattened W+ codes, leaky ReLU 0.2, binary cross-entropy with logits, Adam
1e-4 with weight decay 5e-4, batch 256, 20 epochs, step size divided by ten after ten. The
hidden widths (2048, 512) are theirs for 9216 inputs. `shift` is not theirs: without it F may be
convinced of an attribute by a move that is the same for all codes, which draws nothing. LT
trains editors against it, LW's preservation term (Eq. 5) measures in its output space, and
Table 2 starts from its verdict. It never scores an edit: judges on images do (`lwedit.judges`).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from lwedit.latents import LatentSet, Space
from lwedit.vocabulary import flatten_codes

__all__ = ["ClassifierConfig", "LatentClassifier", "correlation"]


@dataclass(frozen=True)
class ClassifierConfig:
    """Training of the latent classifier; defaults are LT's.

    Attributes:
        hidden: Widths of the hidden layers.
        epochs: Passes over the codes; the step size falls by ten half-way.
        lr: Adam's step size.
        weight_decay: Adam's L2 penalty.
        batch: Codes a step.
        standardise: Whether inputs are centred and divided by one overall deviation. LT's codes
            have unit scale; those of a small generator need not.
        shift: Most of the way between the class centroids of an attribute, of those in
            `shift_along` each, by which training codes are moved to and fro while they keep
            their labels. 0, LT's, moves none. What the whole cloud of codes can do at once says
            nothing of one image; a classifier that has seen it must look for the thing itself.
        shift_along: Attributes whose centroids give the directions.
    """

    hidden: tuple[int, ...] = (2048, 512)
    epochs: int = 20
    lr: float = 1e-4
    weight_decay: float = 5e-4
    batch: int = 256
    standardise: bool = True
    shift: float = 0.0
    shift_along: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.shift < 0 or (self.shift > 0) != bool(self.shift_along):
            raise ValueError(
                f"shift must be positive exactly when shift_along names attributes, got shift = "
                f"{self.shift} and shift_along = {self.shift_along}."
            )


class LatentClassifier(nn.Module):
    """F, with the names of its outputs and the space of its inputs."""

    centre: Tensor
    scale: Tensor

    def __init__(self, attributes: tuple[str, ...], space: Space, hidden: tuple[int, ...]):
        super().__init__()
        self.attributes, self.space, self.hidden = attributes, space, hidden
        widths = (space.layers * space.dim, *hidden)
        layers: list[nn.Module] = []
        for a, b in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.Linear(a, b), nn.LeakyReLU(0.2)]
        self.net = nn.Sequential(*layers, nn.Linear(widths[-1], len(attributes)))
        self.register_buffer("centre", torch.zeros(widths[0]))
        self.register_buffer("scale", torch.ones(()))

    def forward(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n attributes"]:
        """w -> logits."""
        return self.net((flatten_codes(w) - self.centre) / self.scale)

    @torch.no_grad()
    def along(
        self,
        w: Float[Tensor, "n layers dim"],
        move: Float[Tensor, "n layers dim"],
        alphas: Float[Tensor, " alphas"],
    ) -> Float[Tensor, "alphas n attributes"]:
        """The logits of w + alpha move, at many strengths for little more than one.

        The first layer is affine in alpha, and nearly all of the network.

        Args:
            w: Codes.
            move: Where they go.
            alphas: Strengths.
        """
        first, *rest = self.net
        assert isinstance(first, nn.Linear)
        start = first((flatten_codes(w) - self.centre) / self.scale)
        slope = (flatten_codes(move) / self.scale) @ first.weight.T
        found = []
        for alpha in alphas.tolist():
            x = start + alpha * slope
            for layer in rest:
                x = layer(x)
            found.append(x)
        return torch.stack(found)

    @torch.no_grad()
    def accuracy(self, latents: LatentSet) -> Float[Tensor, " attributes"]:
        """Share of labels predicted right, an attribute."""
        agree = (self(latents.w) > 0) == (latents.y == 1)
        return agree.float().mean(dim=0)

    @classmethod
    def fit(
        cls,
        latents: LatentSet,
        config: ClassifierConfig,
        rng: torch.Generator,
        *,
        progress: bool = False,
    ) -> "LatentClassifier":
        """Train on codes and labels.

        Args:
            latents: Training codes; keep others to measure `accuracy` on.
            config: Settings.
            rng: Source of the first weights, the order of batches and the shifts.
            progress: Show a bar.

        Raises:
            ValueError: If all codes are the same.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**31, (), generator=rng)))
            model = cls(latents.attributes, latents.space, config.hidden)
        model = model.to(latents.w.device)
        if config.standardise:
            v = flatten_codes(latents.w)
            model.centre.copy_(v.mean(dim=0))
            model.scale.copy_((v - v.mean(dim=0)).square().mean().sqrt())
            if not model.scale > 0:
                raise ValueError(f"latents must hold codes that differ, all {len(v)} are the same.")
        optimiser = torch.optim.Adam(
            model.parameters(), config.lr, weight_decay=config.weight_decay
        )
        schedule = torch.optim.lr_scheduler.StepLR(optimiser, max(config.epochs // 2, 1), 0.1)
        y, shift = latents.y.float(), _Shift(latents, config)
        for _ in tqdm(range(config.epochs), "latent classifier", disable=not progress):
            for batch in torch.randperm(len(latents), generator=rng).split(config.batch):
                logits = model(shift(latents.w[batch], rng))
                loss = functional.binary_cross_entropy_with_logits(logits, y[batch])
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
            schedule.step()
        return model.eval().requires_grad_(False)


class _Shift:
    """w -> w + sum_k t_k d_k, t uniform on [-shift, shift], d_k between the centroids of k."""

    def __init__(self, latents: LatentSet, config: ClassifierConfig):
        self.most = config.shift
        self.directions = [
            target.mean(dim=0) - source.mean(dim=0)
            for source, target in map(latents.pair, config.shift_along)
        ]

    def __call__(
        self, w: Float[Tensor, "n layers dim"], rng: torch.Generator
    ) -> Float[Tensor, "n layers dim"]:
        for direction in self.directions:
            t = torch.rand(len(w), 1, 1, generator=rng) * 2 - 1
            w = w + self.most * t.to(w) * direction
        return w


def correlation(y: Int64[Tensor, "n attributes"], k: int) -> Float[Tensor, " attributes"]:
    """gamma_lk of Eq. 5: |Pearson correlation| of every attribute with attribute k.

    A constant attribute has none and gets 0; attribute k itself has 1.
    """
    centred = y.float() - y.float().mean(dim=0)
    deviation = centred.square().sum(dim=0).sqrt()
    product = (centred * centred[:, k, None]).sum(dim=0)
    gamma = torch.where(deviation * deviation[k] > 0, product / (deviation * deviation[k]), 0.0)
    gamma = gamma.abs().clamp(max=1.0)
    gamma[k] = 1.0
    return gamma
