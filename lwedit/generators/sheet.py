"""Samples of a one-channel generator, dark ink on white, for a look at what it draws."""

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from lwedit.generators.stylegan2 import Generator
from lwedit.vocabulary import from_unit_range

__all__ = ["sample_sheet"]


@torch.no_grad()
def sample_sheet(generator: Generator, z: Float[Tensor, "n dim"], columns: int = 8) -> Image.Image:
    """Samples as one picture, row by row."""
    pixels = from_unit_range(generator(generator.codes(z)))[:, 0]
    n, side = len(pixels) // columns, pixels.shape[-1]
    grid = pixels[: n * columns].reshape(n, columns, side, side)
    return Image.fromarray(255 - grid.transpose(0, 2, 1, 3).reshape(n * side, columns * side))
