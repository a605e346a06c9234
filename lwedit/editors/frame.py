"""A frame of ordinary numbers for codes that are far from the origin, very small or very large.

Losses and step sizes have units: lambda weighs moves of codes against moves of logits, LT's
reconstruction likewise, and Adam moves a bias by 1e-3 a step whatever the codes are. They are meant
for codes of about unit deviation, as those of a StyleGAN are. Codes whose deviation is not within a
factor of 100 of 1, or whose mean is more than 100 deviations away from the origin, are therefore
fitted as v = (w - centre) / unit, with a power of two as unit, and the map is carried back:

    H(w) = unit H_v((w - centre) / unit)

All other codes are fitted as they are, to the bit.
"""

import math
from copy import deepcopy
from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from lwedit.classifier import LatentClassifier
from lwedit.editors.affine import AffineMap
from lwedit.editors.base import FitData
from lwedit.latents import LatentSet

__all__ = ["Frame", "frame_of"]

_FAR = 100.0
_ROWS = 4096  # codes in float64 at a time


class Frame(NamedTuple):
    """v = (w - centre) / unit."""

    centre: Float64[Tensor, "layers dim"]
    unit: float

    def enter(self, data: FitData) -> FitData:
        """The same data in the frame."""
        return replace(data, train=self._set(data.train), validation=self._set(data.validation),
                       classifier=self._classifier(data.classifier))

    def leave(self, map: AffineMap) -> AffineMap:
        """A map fitted in the frame as a map of the codes themselves."""
        bias = self.unit * map.bias.double()
        back = None if map.back is None else (self.unit * map.back.double()).float()
        if map.weight is not None:
            shift = replace(map, weight=map.weight.double(), bias=0 * bias,
                            right=None if map.right is None else map.right.double(), back=None)
            bias = bias - shift(self.centre[None])[0].reshape(bias.shape)
        return AffineMap(map.weight, bias.float(), map.right, back)

    def _set(self, latents: LatentSet) -> LatentSet:
        w = torch.cat([((part.double() - self.centre) / self.unit).float()
                       for part in latents.w.split(_ROWS)])
        return LatentSet(w, latents.y, latents.attributes, latents.space)

    def _classifier(self, classifier: LatentClassifier) -> LatentClassifier:
        """F of the frame's codes: F centres and scales its inputs, so these two numbers change."""
        moved = deepcopy(classifier)
        centre = (classifier.centre.double() - self.centre.flatten()) / self.unit
        moved.centre.copy_(centre)
        moved.scale.copy_(classifier.scale.double() / self.unit)
        return moved


def frame_of(w: Float[Tensor, "n layers dim"]) -> Frame | None:
    """The frame that codes need; None where they need none."""
    centre = w.mean(dim=0, dtype=torch.float64)
    square = sum(float((part.double() - centre).square().sum()) for part in w.split(_ROWS))
    deviation = (square / w.numel()) ** 0.5
    offset = float(centre.square().mean().sqrt())
    ordinary = 1 / _FAR <= deviation <= _FAR
    if ordinary and offset <= _FAR * deviation:
        return None
    return Frame(centre, 1.0 if ordinary else 2.0 ** round(math.log2(deviation)))
