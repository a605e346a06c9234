"""StyleGAN2's residual discriminator with minibatch standard deviation.

Karras et al., CVPR 2020, Fig. 7 (residual nets) and Karras et al., ICLR 2018, section 3
(the standard deviation over a group of images as one more feature map). Takes images
x in [-1, 1] and returns one logit each, positive for real.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lwedit.generators.modulation import at_least_float32
from lwedit.generators.stylegan2 import EqualLinear, GeneratorConfig

__all__ = ["Discriminator", "minibatch_deviation"]

_GAIN = math.sqrt(2.0)


def minibatch_deviation(
    x: Float[Tensor, "n c h w"], group: int = 4
) -> Float[Tensor, "n c+1 h w"]:
    """Append the standard deviation over groups of images, averaged over features and pixels.

    Image i belongs to group i mod (n / group), as in the published code. A batch that the group
    does not divide is one group.
    """
    n, c, height, width = x.shape
    group = group if n % group == 0 else n
    deviation = at_least_float32(x).reshape(group, n // group, c, height, width)
    deviation = (deviation.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    feature = deviation.repeat(group)[:, None, None, None].expand(n, 1, height, width)
    return torch.cat([x, feature.to(x.dtype)], dim=1)


class EqualConv(nn.Module):
    """Convolution with equalised learning rate; `down` halves the resolution by blur and stride.

    `stride` strides without the blur. `gain` multiplies the output. It is folded into kernel and
    bias: a pass over the features costs as much as some convolutions do on a CPU.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        k: int,
        *,
        down: bool = False,
        stride: int = 1,
        bias: bool = True,
        gain: float = _GAIN,
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(c_out, c_in, k, k))
        self.bias = nn.Parameter(torch.zeros(c_out)) if bias else None
        self.gain = gain / math.sqrt(c_in * k * k)
        self.bias_gain = gain
        self.down, self.stride = down, stride

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out h2 w2"]:
        k, weight = self.weight.shape[-1], self.weight * self.gain
        bias = None if self.bias is None else self.bias * self.bias_gain
        if not self.down:
            return functional.conv2d(x, weight, bias, stride=self.stride, padding=k // 2)
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0], device=x.device, dtype=x.dtype) / 8
        blur = torch.outer(taps, taps).expand(x.shape[1], 1, 4, 4)
        if k == 1:  # filter and stride in one step: a 1x1 kernel looks at single pixels
            x = functional.conv2d(x, blur, stride=2, padding=1, groups=x.shape[1])
            return functional.conv2d(x, weight, bias)
        x = functional.conv2d(x, blur, padding=2, groups=x.shape[1])
        return functional.conv2d(x, weight, bias, stride=2)


class ResidualBlock(nn.Module):
    """Two convolutions beside a 1x1 skip, both halving the resolution."""

    def __init__(self, c_in: int, c_out: int):
        super().__init__()
        self.conv0 = EqualConv(c_in, c_in, 3)
        self.conv1 = EqualConv(c_in, c_out, 3, down=True, gain=1.0)  # sqrt 2 of the leaky ReLU
        self.skip = EqualConv(c_in, c_out, 1, down=True, bias=False, gain=1 / _GAIN)  # over sqrt 2

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out h2 w2"]:
        y = functional.leaky_relu_(self.conv0(x), 0.2)
        y = functional.leaky_relu_(self.conv1(y), 0.2)
        return y + self.skip(x)


class Discriminator(nn.Module):
    """x -> logit, mirror image of the generator of the same configuration."""

    def __init__(self, config: GeneratorConfig):
        super().__init__()
        widths = config.channels[::-1]
        self.from_image = EqualConv(config.image_channels, widths[0], 1)
        self.blocks = nn.ModuleList(
            ResidualBlock(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        self.conv = EqualConv(widths[-1] + 1, widths[-1], 3)
        self.fc = EqualLinear(widths[-1] * 16, widths[-1])
        self.out = EqualLinear(widths[-1], 1)

    def forward(self, x: Float[Tensor, "n channels h w"]) -> Float[Tensor, " n"]:
        """x -> one logit an image."""
        x = x.contiguous(memory_format=torch.channels_last)
        x = functional.leaky_relu_(self.from_image(x), 0.2)
        for block in self.blocks:
            x = block(x)
        x = functional.leaky_relu_(self.conv(minibatch_deviation(x)), 0.2)
        x = functional.leaky_relu(self.fc(x.flatten(1)), 0.2) * _GAIN
        return at_least_float32(self.out(x)[:, 0])
