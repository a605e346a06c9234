"""Latent Transformer (LT), the rival that learns from a classifier.

Yao, Newson, Gousseau, Hellier, "A Latent Transformer for Disentangled Face Editing in Images
and Videos", ICCV 2021. Written from the paper's description; deviations are in README.md.

    w' = w + alpha H(w),  H one affine map a layer
    p = sigmoid(F_k(w));  alpha = -p and target 0 where p > 1/2, alpha = 1 - p and target 1 else
    L = BCE(F_k(w'), target) + 10 MSE(w', w) + MSE(m F(w'), m F(w)),  m = 1 - |corr|, m_k = 0

The mask m is applied before squaring, so it weighs (1 - gamma)^2 where LW's Eq. 5 weighs
(1 - gamma). LT(*) drops the last two terms. All layers are trained; only the first eleven are
edited, those that drive the convolutions up to 128 x 128. alpha > 0 adds the attribute.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from lwedit.classifier import LatentClassifier, correlation
from lwedit.editors import AffineEditor, AffineMap, FitData
from lwedit.editors.frame import frame_of

__all__ = [
    "LatentTransformer",
    "LatentTransformerConfig",
    "LatentTransformerStar",
    "Terms",
    "terms",
]


@dataclass(frozen=True)
class LatentTransformerConfig:
    """Training of LT; defaults are the paper's.

    Attributes:
        reconstruction: Weight of MSE(w', w).
        preservation: Weight of MSE(m F(w'), m F(w)).
        epochs: Passes over all codes, with and without the attribute.
        lr: Adam's step size.
        weight_decay: Adam's L2 penalty.
        batch: Codes a step.
        edited_layers: Layers that keep their edit after training.
        layers: Layers that are trained at all, all if None as in the paper.
    """

    reconstruction: float = 10.0
    preservation: float = 1.0
    epochs: int = 10
    lr: float = 1e-3
    weight_decay: float = 5e-4
    batch: int = 32
    edited_layers: int = 11
    layers: tuple[int, ...] | None = None


class Terms(NamedTuple):
    """The three losses of a batch, not yet weighted against each other."""

    target: Float[Tensor, ""]
    reconstruction: Float[Tensor, ""]
    preservation: Float[Tensor, ""]


class _EqualisedAffine(nn.Module):
    """One map a layer; weights are multiplied by 1 / sqrt(dim) when used, as in StyleGAN."""

    gain: Tensor

    def __init__(
        self, layers: int, dim: int, rng: torch.Generator, trained: tuple[int, ...] | None = None
    ):
        super().__init__()
        # Xavier for dim -> dim: uniform on +-sqrt(6 / (dim + dim)).
        start = torch.rand(layers, dim, dim, generator=rng) * 2 - 1
        self.weight = nn.Parameter(start * (3 / dim) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(layers, dim))
        gain = torch.full((layers, 1), dim**-0.5)
        if trained is not None:
            gain[[layer for layer in range(layers) if layer not in trained]] = 0.0
        self.register_buffer("gain", gain)

    def map(self) -> AffineMap:
        """H, differentiable in the parameters; layers that are not trained stay."""
        return AffineMap(self.weight * self.gain[..., None], self.bias * (self.gain > 0))


def _strength(logit: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """alpha = -p where p > 1/2, else 1 - p."""
    p = logit.sigmoid()
    return torch.where(p > 0.5, -p, 1 - p)


def terms(
    w: Float[Tensor, "n layers dim"],
    before: Float[Tensor, "n attributes"],
    map: AffineMap,
    classifier: LatentClassifier,
    k: int,
    mask: Float[Tensor, " attributes"],
) -> Terms:
    """LT's losses on a batch.

    Args:
        w: Codes, with and without the attribute.
        before: Their logits by F.
        map: H.
        classifier: F, frozen.
        k: Index of the target attribute.
        mask: m = 1 - |corr|.

    Returns:
        Target: BCE on the target's logit, each code weighted by n / (number of codes with the
        same target). Reconstruction and preservation: means over codes and coordinates.
    """
    with torch.no_grad():
        alpha = _strength(before[:, k])
        target = (alpha > 0).float()  # = round(clamp(p + alpha)): p + alpha is 0 or 1
        positives = target.sum()
        weight = torch.where(
            target == 1, len(w) / positives.clamp(min=1), len(w) / (len(w) - positives).clamp(min=1)
        )
    edited = w + alpha[:, None, None] * map(w)
    after = classifier(edited)
    return Terms(
        functional.binary_cross_entropy_with_logits(after[:, k], target, weight),
        functional.mse_loss(edited, w),
        functional.mse_loss(mask * after, mask * before),
    )


class LatentTransformer(AffineEditor):
    """LT."""

    method: ClassVar[str] = "lt"

    @classmethod
    def fit(
        cls,
        data: FitData,
        config: LatentTransformerConfig | None = None,
        *,
        progress: bool = False,
    ) -> "LatentTransformer":
        """Learn the edit from the latent classifier; labels serve the correlations only.

        Args:
            data: Codes, labels and the latent classifier.
            config: Settings, the paper's if left out.
            progress: Show a bar.

        Raises:
            ValueError: If the classifier lives in another space or predicts other attributes.
        """
        config = LatentTransformerConfig() if config is None else config
        data.train.space.require(data.classifier.space)
        frame = frame_of(data.train.w)
        data = data if frame is None else frame.enter(data)
        train, classifier = data.train, data.classifier
        if classifier.attributes != train.attributes:
            raise ValueError(
                f"classifier must predict the attributes of the codes, {train.attributes}, got "
                f"{classifier.attributes}."
            )
        k = train.column(data.attribute)
        mask = 1 - correlation(train.y, k)
        rng = torch.Generator().manual_seed(data.seed)
        model = _EqualisedAffine(
            train.space.layers, train.space.dim, rng, config.layers
        ).to(train.w.device)
        with torch.no_grad():  # F is frozen: what it says of a code is the same in every epoch
            before = torch.cat([classifier(w) for w in train.w.split(1_000)])
        optimiser = torch.optim.Adam(
            model.parameters(), config.lr, (0.9, 0.999), weight_decay=config.weight_decay,
            fused=train.w.device.type == "cpu",  # the step is a third of the time otherwise
        )
        for _ in tqdm(range(config.epochs), f"lt {data.attribute}", disable=not progress):
            for batch in torch.randperm(len(train), generator=rng).split(config.batch):
                loss = terms(train.w[batch], before[batch], model.map(), classifier, k, mask)
                total = (
                    loss.target
                    + config.reconstruction * loss.reconstruction
                    + config.preservation * loss.preservation
                )
                optimiser.zero_grad(set_to_none=True)
                total.backward()
                optimiser.step()
        map = _restricted(model.map(), config.edited_layers)
        return cls(data.attribute, train.space, map if frame is None else frame.leave(map))


class LatentTransformerStar(LatentTransformer):
    """LT(*): the classification loss alone."""

    method: ClassVar[str] = "lt_star"

    @classmethod
    def fit(
        cls,
        data: FitData,
        config: LatentTransformerConfig | None = None,
        *,
        progress: bool = False,
    ) -> "LatentTransformer":
        """Learn the edit without the two preserving terms.

        Args:
            data: Codes, labels and the latent classifier.
            config: Settings, of which the two weights are set to 0.
            progress: Show a bar.
        """
        config = LatentTransformerConfig() if config is None else config
        alone = replace(config, reconstruction=0.0, preservation=0.0)
        return super().fit(data, alone, progress=progress)


def _restricted(map: AffineMap, layers: int) -> AffineMap:
    """The map on the first layers; the others stay where they are."""
    assert map.weight is not None
    weight, bias = map.weight.detach().clone(), map.bias.detach().clone()
    weight[layers:], bias[layers:] = 0.0, 0.0
    return AffineMap(weight, bias)
