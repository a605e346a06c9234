"""Modulated convolutions: Eq. 1 and 3 of StyleGAN2 in two formulations of the same function.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020: the weights of a
convolution are scaled by the style s (Eq. 1) and renormalised to unit variance (Eq. 3). The
published code builds one kernel an image and runs a grouped convolution; scaling the input
channels by s, convolving once with the shared kernel and scaling the output channels by the
demodulation d is the same function,

    w''_ijk = s_i w_ijk d_j,   d_j = (sum_ik (s_i w_ijk)^2 + 1e-8)^(-1/2),

and about twice as fast on a CPU (`modulated_convolution`; the grouped form stays as
`modulated_convolution_grouped`, the truth that tests and `benchmark/speed.py` compare with).
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

__all__ = [
    "ModulatedConvolution",
    "at_least_float32",
    "modulated_convolution",
    "modulated_convolution_grouped",
    "upsample",
]

_FIR = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8.0

ModulatedConvolution = Callable[..., Tensor]  # with the signature of `modulated_convolution`


def at_least_float32(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """bfloat16 to float32; float64 stays, for tests that differentiate numerically."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def modulated_convolution(
    x: Float[Tensor, "n c_in h w"],
    weight: Float[Tensor, "c_out c_in k k"],
    style: Float[Tensor, "n c_in"],
    *,
    demodulate: bool = True,
    up: bool = False,
    gain: float = 1.0,
) -> Float[Tensor, "n c_out h2 w2"]:
    """Eq. 1 and 3 as scale, shared convolution, scale.

    Args:
        x: Features.
        weight: Kernel shared by all images.
        style: Scale s of each input channel of each image.
        demodulate: Whether to renormalise (Eq. 3); ToRGB does not.
        up: Whether to double the resolution (transposed convolution, then the [1, 3, 3, 1] filter).
        gain: Factor on a demodulated output, free where a pass over the features is not.

    Returns:
        Features after modulation; h2 = h, or 2 h with `up`.
    """
    x = x * style.to(x.dtype)[:, :, None, None]
    kernel = weight.to(x.dtype)
    if up:
        x = functional.conv_transpose2d(x, kernel.transpose(0, 1), stride=2)
        x = _blur(x, gain=4.0)
    else:
        x = functional.conv2d(x, kernel, padding=weight.shape[-1] // 2)
    if demodulate:
        power = style.square() @ weight.square().sum(dim=(2, 3)).t()  # (n, c_out)
        x = x * (gain * (power + 1e-8).rsqrt()).to(x.dtype)[:, :, None, None]
    return x


def modulated_convolution_grouped(
    x: Float[Tensor, "n c_in h w"],
    weight: Float[Tensor, "c_out c_in k k"],
    style: Float[Tensor, "n c_in"],
    *,
    demodulate: bool = True,
    up: bool = False,
    gain: float = 1.0,
) -> Float[Tensor, "n c_out h2 w2"]:
    """The same function as the paper states it: one kernel an image, one grouped convolution."""
    n, c_in, height, width = x.shape
    c_out, k = weight.shape[0], weight.shape[-1]
    kernel = weight[None] * style[:, None, :, None, None]  # (n, c_out, c_in, k, k)
    if demodulate:
        power = kernel.square().sum(dim=(2, 3, 4), keepdim=True)
        kernel = kernel * (gain * (power + 1e-8).rsqrt())
    x = x.reshape(1, n * c_in, height, width)
    if up:
        kernel = kernel.transpose(1, 2).reshape(n * c_in, c_out, k, k)
        x = functional.conv_transpose2d(x, kernel.to(x.dtype), stride=2, groups=n)
        return _blur(x.reshape(n, c_out, *x.shape[2:]), gain=4.0)
    kernel = kernel.reshape(n * c_out, c_in, k, k)
    x = functional.conv2d(x, kernel.to(x.dtype), padding=k // 2, groups=n)
    return x.reshape(n, c_out, height, width)


def _blur(x: Float[Tensor, "n c h w"], *, gain: float) -> Float[Tensor, "n c h-1 w-1"]:
    """The [1, 3, 3, 1] filter, which with one pixel of padding takes 2h+1 to 2h."""
    channels = x.shape[1]
    taps = _FIR.to(device=x.device, dtype=x.dtype)
    kernel = (gain * torch.outer(taps, taps)).expand(channels, 1, 4, 4)
    return functional.conv2d(x, kernel, padding=1, groups=channels)


def upsample(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c 2*h 2*w"]:
    """Double the resolution of an image with the [1, 3, 3, 1] filter, zeros outside."""
    channels = x.shape[1]
    taps = 2.0 * _FIR.to(device=x.device, dtype=x.dtype)
    kernel = torch.outer(taps, taps).expand(channels, 1, 4, 4)
    return functional.conv_transpose2d(x, kernel, stride=2, padding=1, groups=channels)
