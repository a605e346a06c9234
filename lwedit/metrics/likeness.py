"""How alike two images look to a network: distance of its feature maps, after LPIPS.

Zhang, Isola, Efros, Shechtman, Wang, "The Unreasonable Effectiveness of Deep Features as a
Perceptual Metric", CVPR 2018, Eq. 1, with every weight 1:

    d(x, y) = mean over layers and places of |u - v|^2,  u, v the feature vectors of x and y at a
              place, each divided by its length

in [0, 4], 0 for equal images; feature maps that are nowhere negative, as after a ReLU, give 2 at
most. LPIPS weighs the channels of an ImageNet network by human judgements; here the maps are
those of whatever network is given, so values compare with each other and with nothing published.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["perceptual_distance"]

_TINY = 1e-10  # LPIPS adds it to the length of a vector


def perceptual_distance(
    maps: Sequence[Float[Tensor, "n _c _h _w"]], other: Sequence[Float[Tensor, "n _c _h _w"]]
) -> Float[Tensor, " n"]:
    """Distance of each pair of images in a network's feature maps; 0 is the same.

    Args:
        maps: Feature maps of the first images, a tensor a layer.
        other: Those of the second images, the same layers.

    Raises:
        ValueError: If there are no layers, or not the same ones.
    """
    shapes = [[tuple(layer.shape) for layer in side] for side in (maps, other)]
    if not maps or shapes[0] != shapes[1]:
        raise ValueError(f"other must hold the same layers as maps, got {shapes[1]} beside "
                         f"{shapes[0]}.")
    gaps = [
        (_unit(a) - _unit(b)).square().sum(dim=1).mean(dim=(1, 2))
        for a, b in zip(maps, other, strict=True)
    ]
    return torch.stack(gaps).mean(dim=0)


def _unit(layer: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    return layer / (layer.norm(dim=1, keepdim=True) + _TINY)
