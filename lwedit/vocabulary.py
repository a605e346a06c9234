"""The states of the data, named once.

    z       noise, (n, dim)
    w       code, (n, layers, dim); a flat latent space has layers = 1
    w_edit  edited code w', same shape
    x       image, float (n, channels, h, w) in [-1, 1] inside, uint8 outside
    y       labels {0, 1}, (n, attributes)
    alpha   strength of an edit, one number or one a code
    k       index of the target attribute

The only place where (n, layers, dim) becomes (n, layers * dim) is `flatten_codes`, and the
only place where uint8 becomes [-1, 1] is `to_unit_range`.
"""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

__all__ = ["flatten_codes", "from_unit_range", "to_unit_range", "unflatten_codes"]


def flatten_codes(w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers*dim"]:
    """Codes as points of one Euclidean space, layer after layer."""
    return w.flatten(1)


def unflatten_codes(v: Float[Tensor, "n flat"], layers: int) -> Float[Tensor, "n layers dim"]:
    """Inverse of `flatten_codes`.

    Raises:
        ValueError: If the flat dimension is not a multiple of `layers`.
    """
    if v.shape[1] % layers:
        raise ValueError(f"v must have a multiple of layers = {layers} columns, got {v.shape[1]}.")
    return v.unflatten(1, (layers, v.shape[1] // layers))


def to_unit_range(
    pixels: UInt8[np.ndarray, "n channels h w"] | UInt8[Tensor, "n channels h w"],
) -> Float[Tensor, "n channels h w"]:
    """uint8 pixels [0, 255] to images x in [-1, 1]."""
    return torch.as_tensor(pixels).float() / 127.5 - 1.0


def from_unit_range(x: Float[Tensor, "n channels h w"]) -> UInt8[np.ndarray, "n channels h w"]:
    """Images x in [-1, 1] to uint8 pixels, values outside clipped."""
    return ((x.detach().float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu().numpy()
