"""What a generator computes on the way: its feature maps, and StyleGAN2's style space.

`feature_maps` gives the maps after every convolution of a StyleGAN2 or a DCGAN, differentiable in
the code; methods that look at a generator from inside use nothing else of it.

Style space (Wu, Lischinski, Shechtman, "StyleSpace Analysis", CVPR 2021) are the outputs of all
style affines, one number a channel that a convolution or ToRGB reads. `StyleSpace` is the
generator of these codes, (n, 1, styles): what works on codes of a generator works on styles.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lwedit.generators.dcgan import Dcgan
from lwedit.generators.stylegan2 import Generator, ModulatedLayer

__all__ = ["Features", "StyleSpace", "feature_maps"]


class Features(NamedTuple):
    """An image and how it came about.

    Attributes:
        image: x.
        maps: Feature maps after every convolution, in order.
    """

    image: Float[Tensor, "n channels h w"]
    maps: list[Float[Tensor, "n _c _h _w"]]


def feature_maps(generator: nn.Module, w: Float[Tensor, "n layers dim"]) -> Features:
    """Images of codes and the feature maps behind them.

    Args:
        generator: A StyleGAN2, its `StyleSpace`, or a DCGAN.
        w: Codes.

    Raises:
        ValueError: If it is another network.
    """
    if isinstance(generator, Dcgan):
        parts: list[nn.Module] = [generator.first, *generator.up[:-1]]
    else:
        parts = [part for part in generator.modules() if isinstance(part, ModulatedLayer)]
    if not parts:
        raise ValueError(
            f"generator must be a StyleGAN2 or a DCGAN, got {type(generator).__name__}."
        )
    maps: list[Tensor] = []
    hooks = [part.register_forward_hook(lambda _, __, out: maps.append(out)) for part in parts]
    try:
        # A DCGAN may write its ReLU over what the hooks hold: once more changes nothing.
        image = generator(w)
    finally:
        for hook in hooks:
            hook.remove()
    if isinstance(generator, Dcgan):
        maps[0] = maps[0].unflatten(1, (generator.channels[0], 4, 4))
        maps = [part.relu() for part in maps]
    return Features(image, maps)


class StyleSpace(nn.Module):
    """The generator whose codes are styles.

    Args:
        generator: A StyleGAN2.
    """

    def __init__(self, generator: Generator):
        super().__init__()
        self.generator = generator
        self._affines = [part for affines in generator.synthesis.affines() for part in affines]
        self._sizes = [len(affine.bias) for affine in self._affines]

    @property
    def dim(self) -> int:
        """Number of styles."""
        return sum(self._sizes)

    def codes(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n 1 styles"]:
        """w -> styles, those that layer 0 of w feeds first."""
        groups = self.generator.synthesis.affines()
        styles = [part(w[:, i]) for i, affines in enumerate(groups) for part in affines]
        return torch.cat(styles, dim=1)[:, None]

    def forward(self, s: Float[Tensor, "n 1 styles"]) -> Float[Tensor, "n channels h w"]:
        """Styles -> x: the synthesis network, its affines answering with the given styles."""
        config = self.generator.config
        pieces = s[:, 0].split(self._sizes, dim=1)
        hooks = [
            affine.register_forward_hook(lambda _, __, ___, piece=piece: piece)
            for affine, piece in zip(self._affines, pieces, strict=True)
        ]
        try:
            return self.generator(s.new_zeros(len(s), config.layers, config.dim))
        finally:
            for hook in hooks:
                hook.remove()
