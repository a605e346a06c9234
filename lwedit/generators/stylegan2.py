"""StyleGAN2's generator, z -> w -> x.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020. A code w
modulates every convolution (`lwedit.generators.modulation`, in a formulation that suits a CPU);
images are sums over resolutions (skip connections, Fig. 7).

Layers are counted as in the published checkpoints: 2 log2(size) - 2 codes; block `b{r}` takes
latents i, i+1 for its convolutions and shares i+2 between its ToRGB and the next block.
"""

import math
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lwedit.generators.flow_mapping import FlowConfig, FlowMapping
from lwedit.generators.modulation import (
    ModulatedConvolution,
    at_least_float32,
    modulated_convolution,
    upsample,
)

__all__ = [
    "Generator",
    "GeneratorConfig",
    "Mapping",
    "ModulatedLayer",
    "Synthesis",
]

_GAIN = math.sqrt(2.0)  # keeps the variance through a leaky ReLU of slope 0.2


@dataclass(frozen=True)
class GeneratorConfig:
    """Sizes of a generator.

    Attributes:
        size: Side of the image, a power of two.
        image_channels: 1 for grey, 3 for colour.
        dim: Dimension of z and of each code.
        mapping_layers: Fully connected layers from z to w.
        channels: Feature maps at 4, 8, ..., `size` pixels.
        mapping_width: Units of the mapping's inner layers, `dim` (as published) if 0.
        flow: If given, the mapping is no MLP but a flow of these sizes
            (`lwedit.generators.flow_mapping`).
    """

    size: int = 64
    image_channels: int = 1
    dim: int = 128
    mapping_layers: int = 4
    channels: tuple[int, ...] = (128, 128, 64, 32, 16)
    mapping_width: int = 0
    flow: FlowConfig | None = None

    def __post_init__(self) -> None:
        resolutions = self.size.bit_length() - 2
        if self.size < 4 or 2 ** (resolutions + 1) != self.size:
            raise ValueError(f"size must be a power of two from 4 on, got {self.size}.")
        if len(self.channels) != resolutions:
            raise ValueError(
                f"channels must name {resolutions} widths for {self.size} px, "
                f"got {len(self.channels)}."
            )

    @property
    def layers(self) -> int:
        """Number of codes that the synthesis network takes."""
        return 2 * len(self.channels)

    @classmethod
    def published(cls, size: int = 1024) -> "GeneratorConfig":
        """The paper's configuration F (channel multiplier 2)."""
        widths = {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128, 512: 64, 1024: 32}
        channels = tuple(width for side, width in widths.items() if side <= size)
        return cls(size, image_channels=3, dim=512, mapping_layers=8, channels=channels)


class EqualLinear(nn.Module):
    """Fully connected layer with equalised learning rate (Karras et al., 2018, 4.1)."""

    def __init__(self, n_in: int, n_out: int, *, bias: float = 0.0, lr_multiplier: float = 1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((n_out,), bias / lr_multiplier))
        self.weight_gain = lr_multiplier / math.sqrt(n_in)
        self.bias_gain = lr_multiplier

    def forward(self, v: Float[Tensor, "n n_in"]) -> Float[Tensor, "n n_out"]:
        return functional.linear(v, self.weight * self.weight_gain, self.bias * self.bias_gain)


class Mapping(nn.Module):
    """z -> w, with the running mean of w that truncation pulls towards."""

    w_mean: Tensor

    def __init__(self, dim: int, layers: int, width: int = 0):
        super().__init__()
        sizes = [dim, *[width or dim] * (layers - 1), dim]
        self.fc = nn.ModuleList(
            EqualLinear(a, b, lr_multiplier=0.01)
            for a, b in zip(sizes[:-1], sizes[1:], strict=True)
        )
        self.register_buffer("w_mean", torch.zeros(dim))

    def forward(self, z: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
        """z -> w; z is first scaled to unit mean square."""
        w = z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.fc:
            w = functional.leaky_relu(layer(w), 0.2) * _GAIN
        return w

    @torch.no_grad()
    def track_mean(self, w: Float[Tensor, "n dim"], decay: float = 0.998) -> None:
        """Move the running mean towards the mean of a batch of codes."""
        self.w_mean.lerp_(w.mean(dim=0).to(self.w_mean.dtype), 1 - decay)


class ModulatedLayer(nn.Module):
    """Modulated convolution, noise, bias, leaky ReLU."""

    noise: Tensor
    convolution: ModulatedConvolution

    def __init__(self, c_in: int, c_out: int, dim: int, size: int, *, up: bool = False):
        super().__init__()
        self.affine = EqualLinear(dim, c_in, bias=1.0)
        self.weight = nn.Parameter(torch.randn(c_out, c_in, 3, 3))
        self.bias = nn.Parameter(torch.zeros(c_out))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise", torch.randn(size, size))
        self.gain = 1 / math.sqrt(9 * c_in)
        self.up = up
        self.convolution = modulated_convolution

    def forward(
        self, x: Float[Tensor, "n c_in h w"], w: Float[Tensor, "n dim"], *, fresh_noise: bool
    ) -> Float[Tensor, "n c_out h2 w2"]:
        """Features and one code an image -> features, at twice the resolution with `up`."""
        # A leaky ReLU commutes with a positive factor, so its gain rides on the demodulation.
        weight, style = self.weight * self.gain, self.affine(w)
        x = self.convolution(x, weight, style, up=self.up, gain=_GAIN)
        noise = self.noise
        if fresh_noise:
            noise = torch.randn(len(x), 1, *x.shape[2:], device=x.device, dtype=x.dtype)
        shift = _GAIN * self.bias[:, None, None] + noise * (_GAIN * self.noise_strength)
        return functional.leaky_relu_(x + shift.to(x.dtype), 0.2)


class ToImage(nn.Module):
    """1x1 modulated convolution to image channels, without demodulation."""

    convolution: ModulatedConvolution

    def __init__(self, c_in: int, image_channels: int, dim: int):
        super().__init__()
        self.affine = EqualLinear(dim, c_in, bias=1.0)
        self.weight = nn.Parameter(torch.randn(image_channels, c_in, 1, 1))
        self.bias = nn.Parameter(torch.zeros(image_channels))
        self.gain = 1 / math.sqrt(c_in)
        self.convolution = modulated_convolution

    def forward(
        self, x: Float[Tensor, "n c_in h w"], w: Float[Tensor, "n dim"]
    ) -> Float[Tensor, "n c h w"]:
        style = self.affine(w) * self.gain
        image = self.convolution(x, self.weight, style, demodulate=False)
        return at_least_float32(image) + self.bias[:, None, None]


class Block(nn.Module):
    """One resolution: (upsampling layer,) layer, and its contribution to the image."""

    conv0: ModulatedLayer | None

    def __init__(self, c_in: int, c_out: int, config: GeneratorConfig, size: int):
        super().__init__()
        self.conv0 = None
        if size > 4:
            self.conv0 = ModulatedLayer(c_in, c_out, config.dim, size, up=True)
        self.conv1 = ModulatedLayer(c_out, c_out, config.dim, size)
        self.to_image = ToImage(c_out, config.image_channels, config.dim)


class Synthesis(nn.Module):
    """w (n, layers, dim) -> x (n, channels, size, size)."""

    def __init__(self, config: GeneratorConfig):
        super().__init__()
        self.config = config
        self.const = nn.Parameter(torch.randn(config.channels[0], 4, 4))
        widths = (config.channels[0], *config.channels)
        self.blocks = nn.ModuleDict({
            f"b{4 * 2**i}": Block(widths[i], widths[i + 1], config, 4 * 2**i)
            for i in range(len(config.channels))
        })

    def _stages(self) -> list[Block]:
        """The blocks, smallest first; a ModuleDict does not say what it holds."""
        return [cast(Block, block) for block in self.blocks.values()]

    @torch.no_grad()
    def localise(self) -> None:
        """Start from a constant whose channels each live in one of its 4x4 cells.

        The first layer scales the channels of the constant by an affine function of w. Where
        every channel is a single cell and the function is the identity, a code *is* a 4x4 map
        of features, and learning where things are is as easy as in a convolutional
        autoencoder. Only the start is special: the network is StyleGAN2's and everything in
        it is free to move. On MultiMNIST an autoencoder that starts here has found the place
        of every digit after 250 steps, and from a random constant not after 480.

        Raises:
            ValueError: If the first width and the dimension of w are not one multiple of 16.
        """
        width, dim = self.config.channels[0], self.config.dim
        if width != dim or width % 16:
            raise ValueError(
                f"channels[0] must equal dim, a multiple of 16, to localise, got {width} and {dim}."
            )
        cell = torch.arange(width) // (width // 16)
        self.const.zero_()
        self.const[torch.arange(width), cell // 4, cell % 4] = 4.0  # mean square 1
        for block in self._stages():
            for layer in (block.conv0, block.conv1, block.to_image):
                if layer is not None:
                    layer.affine.weight.mul_(0.1)
            block.to_image.weight.mul_(0.3)
        first = self._stages()[0].conv1.affine
        first.weight.copy_(torch.eye(dim) * math.sqrt(dim))
        first.bias.zero_()

    @torch.no_grad()
    def tie_cells(self) -> None:
        """Let all cells of a localised network draw alike: average their parameters.

        After `localise` each cell has its own channels, so its own part of the first kernel,
        and learns to draw digits from the images that have one there. Called after every step
        of training, this makes the first layer a convolution over the cells: what one learns
        all know, sixteen times the examples.
        """
        width, first = self.config.channels[0], self._stages()[0].conv1
        part = width // 16
        kernel = first.weight.view(width, 16, part, 3, 3)
        kernel.copy_(kernel.mean(dim=1, keepdim=True).expand_as(kernel))
        bias = first.affine.bias.view(16, part)
        bias.copy_(bias.mean(dim=0).expand_as(bias))
        every = torch.arange(16)
        affine = first.affine.weight.view(16, part, 16, part)
        own = affine[every, :, every].mean(dim=0)
        affine.zero_()
        affine[every, :, every] = own.expand(16, -1, -1)
        cells = self.const.view(16, part, 16)
        level = cells[every, :, every].mean(dim=0)
        cells.zero_()
        cells[every, :, every] = level.expand(16, -1)

    @torch.no_grad()
    def absorb(self, shift: Float[Tensor, "layers dim"]) -> None:
        """Make w draw what w + shift drew, by moving the biases of the style affines."""
        for affines, move in zip(self.affines(), shift, strict=True):
            for affine in affines:
                affine.bias.add_((affine.weight * affine.weight_gain) @ move / affine.bias_gain)

    def affines(self) -> list[list[EqualLinear]]:
        """The style affines by the layer of the code that they read, the convolution's last.

        Every layer feeds one convolution, but for the last, which feeds a ToRGB alone.
        """
        found: list[list[EqualLinear]] = [[] for _ in range(self.config.layers)]
        layer = 0
        for block in self._stages():
            for convolution in (block.conv0, block.conv1):
                if convolution is not None:
                    found[layer].append(convolution.affine)
                    layer += 1
            found[layer].append(block.to_image.affine)
        return found

    def forward(
        self, w: Float[Tensor, "n layers dim"], *, fresh_noise: bool = False
    ) -> Float[Tensor, "n channels h w"]:
        """Draw images.

        Args:
            w: One code a layer.
            fresh_noise: Draw new pixel noise (training); otherwise the stored noise is used
                and the image is a function of w alone.
        """
        device = w.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else w.dtype
        x = self.const.to(dtype)[None].expand(len(w), -1, -1, -1)
        x = x.contiguous(memory_format=torch.channels_last)
        image: Tensor | None = None
        layer = 0
        for block in self._stages():
            if block.conv0 is not None:
                x = block.conv0(x, w[:, layer], fresh_noise=fresh_noise)
                layer += 1
            x = block.conv1(x, w[:, layer], fresh_noise=fresh_noise)
            layer += 1
            shown = block.to_image(x, w[:, layer])
            image = shown if image is None else upsample(image) + shown
        assert image is not None
        return image

    def use_convolution(self, convolution: ModulatedConvolution) -> None:
        """Exchange the formulation of every layer, as `benchmark/speed.py` does to compare two."""
        for module in self.modules():
            if isinstance(module, ModulatedLayer | ToImage):
                module.convolution = convolution


class Generator(nn.Module):
    """Mapping and synthesis."""

    def __init__(self, config: GeneratorConfig):
        super().__init__()
        self.config = config
        self.mapping: Mapping | FlowMapping
        if config.flow is not None:
            self.mapping = FlowMapping(config.dim, config.flow)
        else:
            self.mapping = Mapping(config.dim, config.mapping_layers, config.mapping_width)
        self.synthesis = Synthesis(config)

    @property
    def w_mean(self) -> Float[Tensor, " dim"]:
        """Mean code."""
        return self.mapping.w_mean

    def codes(
        self, z: Float[Tensor, "n dim"], *, truncation: float = 1.0
    ) -> Float[Tensor, "n layers dim"]:
        """z -> w, the same code in every layer, pulled towards the mean by 1 - truncation."""
        w = self.mapping(z)
        if truncation != 1.0:
            w = self.w_mean + truncation * (w - self.w_mean)
        return w[:, None].expand(-1, self.config.layers, -1)

    def forward(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n channels h w"]:
        """w -> x."""
        return self.synthesis(w)
