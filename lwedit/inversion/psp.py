"""pSp: a photo of a face, aligned, 256x256 -> its code in W+.

Richardson et al., "Encoding in Style: a StyleGAN Encoder for Image-to-Image Translation", CVPR
2021. An IR-SE-50 backbone (Deng et al., "ArcFace", CVPR 2019, with squeeze and excitation, Hu et
al., CVPR 2018) gives maps at a quarter, an eighth and a sixteenth of the image's side; a feature
pyramid adds the coarser to the finer, and a small network, map2style, halves its maps until one
position is left: codes 0-2 are read from the coarse maps, 3-6 from the middle, the others from the
fine. What is predicted is the difference to the mean code.

`kind = "e4e"` is the encoder of Tov et al., SIGGRAPH 2021, whose networks are the same: the first
code is added to every other, which are then predicted as offsets.

Parameters carry the names of the published checkpoints (`encoder.*`), so these load as they are.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional

from lwedit.generators.checkpoints import load_weights
from lwedit.generators.stylegan2 import EqualLinear

__all__ = ["PspConfig", "PspEncoder", "from_published", "load_psp", "psp_metadata"]

_COARSE, _MIDDLE = 3, 7  # codes below these are read from the coarse, from the middle maps
_SQUEEZE = 16
_KINDS: dict[str, Literal["psp", "e4e"]] = {"GradualStyleEncoder": "psp", "Encoder4Editing": "e4e"}


@dataclass(frozen=True)
class PspConfig:
    """Sizes; the defaults are the published ones.

    Attributes:
        layers: Codes an image, 18 for 1024 px.
        dim: Length of each, and width of the pyramid.
        size: Side of the image.
        widths: Feature maps of the backbone's four stages, each half the size of the one before.
        blocks: Residual units of each stage.
        kind: "psp" or "e4e".
    """

    layers: int = 18
    dim: int = 512
    size: int = 256
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    blocks: tuple[int, int, int, int] = (3, 4, 14, 3)
    kind: Literal["psp", "e4e"] = "psp"

    def __post_init__(self) -> None:
        if self.widths[3] != self.dim:
            raise ValueError(f"widths must end with dim = {self.dim}, got {self.widths}.")
        if self.size < 32 or self.size & (self.size - 1):
            raise ValueError(f"size must be a power of two from 32 on, got {self.size}.")
        if self.kind not in _KINDS.values():
            raise ValueError(f"kind must be 'psp' or 'e4e', got {self.kind!r}.")


class _SqueezeExcite(nn.Module):
    """Weigh every map by what all maps hold on average."""

    def __init__(self, channels: int):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // _SQUEEZE, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // _SQUEEZE, channels, 1, bias=False)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        mean = x.mean(dim=(2, 3), keepdim=True)
        return x * self.fc2(self.fc1(mean).relu()).sigmoid()


class _Unit(nn.Module):
    """IR-SE: normalise, convolve, PReLU, convolve, normalise, excite; a shortcut beside it."""

    def __init__(self, c_in: int, c_out: int, stride: int):
        super().__init__()
        self.shortcut_layer: nn.Module
        if c_in == c_out:
            self.shortcut_layer = nn.MaxPool2d(1, stride)  # every stride-th position
        else:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(c_in),
            nn.Conv2d(c_in, c_out, 3, 1, 1, bias=False),
            nn.PReLU(c_out),
            nn.Conv2d(c_out, c_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(c_out),
            _SqueezeExcite(c_out),
        )

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out h2 w2"]:
        return self.res_layer(x) + self.shortcut_layer(x)


class _MapToStyle(nn.Module):
    """Maps of `spatial` positions a side -> one vector, halving until one position is left."""

    def __init__(self, dim: int, spatial: int):
        super().__init__()
        steps: list[nn.Module] = []
        for _ in range(int(math.log2(spatial))):
            steps += [nn.Conv2d(dim, dim, 3, 2, 1), nn.LeakyReLU(0.01)]
        self.convs = nn.Sequential(*steps)
        self.linear = EqualLinear(dim, dim)

    def forward(self, x: Float[Tensor, "n dim h w"]) -> Float[Tensor, "n dim"]:
        return self.linear(self.convs(x).flatten(1))


class PspEncoder(nn.Module):
    """x (n, 3, size, size) -> w (n, layers, dim)."""

    latent_avg: Tensor

    def __init__(self, config: PspConfig):
        super().__init__()
        self.config = config
        widths, dim = config.widths, config.dim
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]),
            nn.PReLU(widths[0]),
        )
        units = []
        for c_in, c_out, n in zip((widths[0], *widths[:3]), widths, config.blocks, strict=True):
            units += [_Unit(c_in, c_out, 2), *(_Unit(c_out, c_out, 1) for _ in range(n - 1))]
        self.body = nn.Sequential(*units)
        sides = [config.size // 16] * _COARSE + [config.size // 8] * (_MIDDLE - _COARSE)
        sides += [config.size // 4] * max(config.layers - _MIDDLE, 0)
        self.styles = nn.ModuleList(_MapToStyle(dim, s) for s in sides[: config.layers])
        self.latlayer1 = nn.Conv2d(widths[2], dim, 1)
        self.latlayer2 = nn.Conv2d(widths[1], dim, 1)
        self.register_buffer("latent_avg", torch.zeros(config.layers, dim))

    def pyramid(self, x: Float[Tensor, "n 3 h w"]) -> tuple[Tensor, Tensor, Tensor]:
        """Coarse, middle and fine maps, all of width dim."""
        x, seen = self.input_layer(x), []
        ends = {sum(self.config.blocks[: i + 1]) - 1 for i in range(4)}
        for i, unit in enumerate(self.body):
            x = unit(x)
            if i in ends:
                seen.append(x)
        _, fine, middle, coarse = seen
        middle = _enlarged(coarse, middle.shape[-1]) + self.latlayer1(middle)
        return coarse, middle, _enlarged(middle, fine.shape[-1]) + self.latlayer2(fine)

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n layers dim"]:
        """x -> w."""
        coarse, middle, fine = self.pyramid(x.contiguous(memory_format=torch.channels_last))
        maps = [coarse] * _COARSE + [middle] * (_MIDDLE - _COARSE) + [fine] * len(self.styles)
        w = torch.stack([style(m) for style, m in zip(self.styles, maps, strict=False)], dim=1)
        if self.config.kind == "e4e":
            w = torch.cat([w[:, :1], w[:, :1] + w[:, 1:]], dim=1)
        return w + self.latent_avg

    @torch.no_grad()
    def encode(
        self, x: Float[Tensor, "n 3 h w"], batch: int = 4
    ) -> Float[Tensor, "n layers dim"]:
        """Square images of any size in [-1, 1] -> w, in batches.

        Raises:
            ValueError: If the network is in training mode or the images are not square.
        """
        if self.training:
            raise ValueError("encoder must be in evaluation mode to encode, call eval() first.")
        if x.shape[2] != x.shape[3]:
            raise ValueError(f"x must be square, got {tuple(x.shape[2:])}.")
        side = self.config.size
        if x.shape[-1] != side:
            x = functional.interpolate(x, (side, side), mode="bilinear", antialias=True)
        return torch.cat([self(part) for part in x.split(batch)])


def _enlarged(x: Float[Tensor, "n c h w"], side: int) -> Float[Tensor, "n c side side"]:
    return functional.interpolate(x, (side, side), mode="bilinear", align_corners=True)


def from_published(
    state: Mapping[str, Tensor], latent_avg: Tensor | None, options: Mapping[str, object]
) -> PspEncoder:
    """The encoder of a published checkpoint, frozen, in evaluation mode.

    Args:
        state: Weights without the prefix `encoder.`.
        latent_avg: Mean code that predictions are added to, (dim,) or (layers, dim).
        options: What it was trained with; `encoder_type` and `start_from_latent_avg` are read.

    Raises:
        ValueError: If the encoder is of another type or architecture, or wants a mean and has none.
    """
    _refuse_others(state)
    named = options.get("encoder_type", "GradualStyleEncoder")
    if not isinstance(named, str) or named not in _KINDS:
        shown = repr(named) if isinstance(named, str) else type(named).__name__
        raise ValueError(f"encoder_type must be one of {', '.join(_KINDS)}, got {shown:.60}.")
    config = _config(state, _KINDS[named])
    with torch.device("meta"):  # no memory before the shapes are compared
        encoder = PspEncoder(config)
    ours = {name: value.detach().to(torch.float32 if value.is_floating_point() else value.dtype,
                                    copy=True) for name, value in state.items()}
    if bad := next((name for name, value in ours.items() if not value.isfinite().all()), ""):
        raise ValueError(f"'{bad}' of the encoder must be finite.")
    mean = torch.zeros(config.layers, config.dim)
    if options.get("start_from_latent_avg", True):
        if latent_avg is None or latent_avg.numel() not in (config.dim, mean.numel()):
            raise ValueError("latent_avg must be the mean code that the encoder starts from.")
        mean = latent_avg.detach().float().reshape(-1, config.dim).expand_as(mean)
    try:
        encoder.load_state_dict({**ours, "latent_avg": mean.clone()}, assign=True)
    except RuntimeError as error:
        first = str(error).split("\n")[1].strip() if "\n" in str(error) else str(error)
        raise ValueError(f"state must be that of a pSp encoder: {first:.200}") from error
    return encoder.to(memory_format=torch.channels_last).eval().requires_grad_(False)


def _refuse_others(state: Mapping[str, Tensor]) -> None:
    """Name the encoders of the same family that are not supported, by their keys.

    Raises:
        ValueError: If it is one of them.
    """
    first = state.get("input_layer.0.weight", state.get("conv1.weight"))
    if first is not None and first.ndim == 4 and first.shape[1] == 6:
        other = "ReStyle's, which reads a photo beside its reconstruction"
    elif "conv1.weight" in state:
        other = "on a ResNet, as ReStyle trains for other domains than faces"
    elif "linear.weight" in state:
        other = "HyperStyle's WEncoder, or pSp's that ends in one layer"
    elif "styles.0.linear.weight" in state and not any(n.startswith("latlayer") for n in state):
        other = "without a feature pyramid, as ReStyle's"
    else:
        return
    raise ValueError(f"encoder must be pSp's or e4e's, it is {other}, which is not supported.")


def _config(state: Mapping[str, Tensor], kind: Literal["psp", "e4e"]) -> PspConfig:
    """Sizes from the shapes of the weights.

    Raises:
        ValueError: If they are not those of a pSp encoder.
    """
    try:
        widths: list[int] = []
        blocks: list[int] = []
        i = 0
        while (key := f"body.{i}.res_layer.1.weight") in state:
            width = state[key].shape[0]
            first = not widths or width != widths[-1]
            widths, blocks = (widths + [width], blocks + [0]) if first else (widths, blocks)
            blocks[-1] += 1
            i += 1
        layers = sum(name.startswith("styles.") and name.endswith(".linear.weight")
                     for name in state)
        halvings = sum(name.startswith("styles.0.convs.") and name.endswith(".weight")
                       for name in state)
        dim = state["styles.0.linear.weight"].shape[0]
        if len(widths) != 4 or layers < _MIDDLE or min(widths) < _SQUEEZE or halvings > 6:
            raise ValueError(f"{len(widths)} stages and {layers} codes")
        (w1, w2, w3, w4), (b1, b2, b3, b4) = widths, blocks
        return PspConfig(layers, dim, 16 * 2**halvings, (w1, w2, w3, w4), (b1, b2, b3, b4), kind)
    except (KeyError, ValueError) as error:
        raise ValueError(f"state must be that of a pSp encoder on IR-SE-50: {error}.") from error


def psp_metadata(config: PspConfig) -> dict[str, str]:
    """The header from which `load_psp` reads the sizes."""
    return {"psp": json.dumps(asdict(config))}


def load_psp(path: Path) -> PspEncoder:
    """A frozen encoder in evaluation mode.

    Args:
        path: A .safetensors file whose header is `psp_metadata`.

    Raises:
        ValueError: If the file is missing, damaged, has no such header, or holds other weights.
    """
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})["psp"])
        about |= {name: tuple(about[name]) for name in ("widths", "blocks")}
        config = PspConfig(**about)
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise ValueError(f"{path} must be a pSp encoder's .safetensors file: {error}") from error
    encoder = PspEncoder(config)
    load_weights(encoder, path)
    return encoder.to(memory_format=torch.channels_last)
