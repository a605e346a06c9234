"""A teacher for a judge: kernel ridge regression on the generator's own feature maps.

A few hundred labelled faces are too few for a network that starts from nothing, but the generator
already knows what a hat is: some of its features draw one. The teacher compares codes by the angle
between their standardised feature maps at every resolution with the arc-cosine kernel of order 1
(Cho and Saul, "Kernel methods for deep learning", 2009) and fits the labels by ridge regression.
It reads codes, so it is no judge: it only names the images from which a judge learns.

Each attribute's ridge is the one with the least leave-one-out error, which has a closed form,
y_i - f_{-i}(x_i) = [(K + lambda I)^-1 (y - mean)]_i / [(K + lambda I)^-1]_ii (near enough, with the
mean not refitted), and the same leave-one-out predictions calibrate the probabilities (Platt).
"""

import math

import torch
from jaxtyping import Float, Int64
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional

from lwedit.generators.dcgan import Dcgan

__all__ = ["KernelTeacher", "arc_cosine", "platt"]

_RIDGES = (0.1, 0.3, 1.0, 3.0)
_BATCH = 100
_SIDE = 8  # positions a side that the kernel looks at


def arc_cosine(c: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
    """Kernel of an infinitely wide ReLU layer between vectors whose cosine is c, 1 at c = 1."""
    theta = c.clamp(-1, 1).acos()
    return (theta.sin() + (math.pi - theta) * theta.cos()) / math.pi


def platt(
    scores: Float[Tensor, "n attributes"], y: Int64[Tensor, "n attributes"]
) -> tuple[Float[Tensor, " attributes"], Float[Tensor, " attributes"]]:
    """Slope and shift that make sigmoid(slope * score + shift) a probability, by likelihood."""
    fits = [
        LogisticRegression(C=1e6).fit(scores[:, k : k + 1].numpy(), y[:, k].numpy())
        for k in range(y.shape[1])
    ]
    slope = torch.tensor([float(fit.coef_[0, 0]) for fit in fits])
    return slope, torch.tensor([float(fit.intercept_[0]) for fit in fits])


class KernelTeacher:
    """Codes -> calibrated logits of attributes.

    Args:
        generator: Whose feature maps are compared.
        z: Labelled codes.
        y: Their labels.
    """

    def __init__(
        self, generator: Dcgan, z: Float[Tensor, "n dim"], y: Int64[Tensor, "n attributes"]
    ):
        self._generator = generator
        maps = [self._maps(part)[0] for part in z.split(_BATCH)]
        self._anchors = [torch.cat(level) for level in zip(*maps, strict=True)]
        self._mean = [level.mean(dim=0) for level in self._anchors]
        self._std = [level.std(dim=0) + 1e-6 for level in self._anchors]
        self._anchors = [self._standard(level, i) for i, level in enumerate(self._anchors)]
        self._fit(y.double())
        self._slope, self._shift = platt(self.left_out, y)

    def _fit(self, y: Float[Tensor, "n attributes"]) -> None:
        k = self._kernel(self._anchors).double()
        mean, eye = y.mean(dim=0), torch.eye(len(k), dtype=torch.float64)
        errors, weights = [], []
        for ridge in _RIDGES:
            inverse = torch.linalg.inv(k + ridge * eye)
            weights.append(inverse @ (y - mean))
            errors.append(weights[-1] / inverse.diagonal()[:, None])
        best = torch.stack(errors).square().mean(dim=1).argmin(dim=0)
        every = torch.arange(y.shape[1])
        self._weights = torch.stack(weights)[best, :, every].T.float()
        self._prior = mean.float()
        self.left_out = (y - torch.stack(errors)[best, :, every].T).float()

    def _maps(self, z: Float[Tensor, "m dim"]) -> tuple[list[Tensor], Tensor]:
        """Feature maps at 4, 8, 16 and 32 pixels as vectors, large ones averaged; and images."""
        with torch.no_grad():
            levels = [self._generator.maps(z[:, None], 0)]
            for up in self._generator.up[:-1]:
                levels.append(up(levels[-1]).relu())
            x = self._generator.up[-1](levels[-1]).tanh()
        pooled = [functional.adaptive_avg_pool2d(x, min(x.shape[2], _SIDE)) for x in levels]
        return [level.flatten(1) for level in pooled], x

    def _standard(
        self, level: Float[Tensor, "m features"], i: int
    ) -> Float[Tensor, "m features"]:
        return functional.normalize((level - self._mean[i]) / self._std[i])

    def _kernel(self, levels: list[Float[Tensor, "m _"]]) -> Float[Tensor, "m n"]:
        pairs = zip(levels, self._anchors, strict=True)
        return torch.stack([arc_cosine(a @ b.T) for a, b in pairs]).mean(dim=0)

    def draw(
        self, z: Float[Tensor, "m dim"]
    ) -> tuple[Float[Tensor, "m 3 h w"], Float[Tensor, "m attributes"]]:
        """Images of other codes and calibrated logits of what they show."""
        maps, x = self._maps(z)
        kernel = self._kernel([self._standard(level, i) for i, level in enumerate(maps)])
        return x, (kernel @ self._weights + self._prior) * self._slope + self._shift

    def logits(self, z: Float[Tensor, "m dim"]) -> Float[Tensor, "m attributes"]:
        """Calibrated logits at other codes, in batches."""
        return torch.cat([self.draw(part)[1] for part in z.split(_BATCH)])

    def left_out_logits(self) -> Float[Tensor, "n attributes"]:
        """Calibrated logits at the labelled codes, each by a teacher without its own label."""
        return self.left_out * self._slope + self._shift
