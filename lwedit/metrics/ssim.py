"""SSIM, structural similarity of two images, in [-1, 1], higher is better, 1 for equal images.

Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment: From Error Visibility to Structural
Similarity", IEEE TIP 2004, Eq. 13, with the paper's window and constants:

    SSIM = (2 mu_x mu_y + C1) (2 s_xy + C2) / ((mu_x^2 + mu_y^2 + C1) (s_x^2 + s_y^2 + C2)),

moments under a Gaussian window of 11 x 11 pixels with deviation 1.5, C1 = .01^2 and C2 = .03^2
for pixels in [0, 1], averaged over the places where the window lies within the image.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

__all__ = ["ssim"]

_SIDE, _DEVIATION = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2


def ssim(
    x: Float[Tensor, "n channels h w"], y: Float[Tensor, "n channels h w"]
) -> Float[Tensor, " n"]:
    """SSIM of each pair of images, averaged over channels.

    Args:
        x: Images in [-1, 1]; SSIM is not blind to the zero point, so they are moved to [0, 1].
        y: Images to compare them with.

    Raises:
        ValueError: If an image is smaller than the window.
    """
    if min(x.shape[2:]) < _SIDE:
        raise ValueError(f"x must be at least {_SIDE} pixels wide and high, got {tuple(x.shape)}.")
    a, b = ((image.flatten(0, 1)[:, None] + 1) / 2 for image in (x, y))
    mu_a, mu_b, aa, bb, ab = _blur(torch.cat([a, b, a * a, b * b, a * b])).chunk(5)
    luminance = (2 * mu_a * mu_b + _C1) / (mu_a**2 + mu_b**2 + _C1)
    structure = (2 * (ab - mu_a * mu_b) + _C2) / (aa - mu_a**2 + bb - mu_b**2 + _C2)
    return (luminance * structure).mean(dim=(1, 2, 3)).reshape(len(x), -1).mean(dim=1)


def _blur(x: Float[Tensor, "m 1 h w"]) -> Float[Tensor, "m 1 h2 w2"]:
    """Mean under the window, down and then across."""
    offset = torch.arange(_SIDE, dtype=x.dtype, device=x.device) - _SIDE // 2
    taps = (-(offset**2) / (2 * _DEVIATION**2)).exp()
    taps = taps / taps.sum()
    x = functional.conv2d(x, taps.reshape(1, 1, -1, 1))
    return functional.conv2d(x, taps.reshape(1, 1, 1, -1))
