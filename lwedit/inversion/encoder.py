"""Encoder: image -> code in W+, as residuals to the mean code.

Richardson et al., "Encoding in Style: a StyleGAN Encoder for Image-to-Image Translation",
CVPR 2021 (pSp): a convolutional network predicts w - w_mean for every layer of the generator.
As in Tov et al., "Designing an Encoder for StyleGAN Image Manipulation", SIGGRAPH 2021 (e4e),
the prediction is one base code shared by all layers plus a residual a layer, and training
penalises the residual: codes near W are codes that can be edited.

The heads keep the layout of the 4x4 features: a sixteenth of a code comes from each cell of
the image, the cell that `Synthesis.localise` ties to the same entries.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Encoder"]


def _stage(c_in: int, c_out: int) -> nn.Sequential:
    """Halve the resolution, then look again."""
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 4, 2, 1, bias=False),
        nn.BatchNorm2d(c_out),
        nn.ReLU(),
        nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False),
        nn.BatchNorm2d(c_out),
        nn.ReLU(),
    )


class Encoder(nn.Module):
    """x (n, channels, size, size) -> w (n, layers, dim).

    Args:
        size: Side of the image.
        image_channels: 1 for grey, 3 for colour.
        layers: Codes an image.
        dim: Length of each.
        width: Feature maps at 4 px; each doubling of the resolution halves them, not below 32.
    """

    w_mean: Tensor

    def __init__(self, size: int, image_channels: int, layers: int, dim: int, width: int = 256):
        super().__init__()
        self.layers, self.dim = layers, dim
        widths = [width]
        while 4 * 2 ** len(widths) < size:
            widths.insert(0, max(widths[0] // 2, 32))
        stem = [nn.Conv2d(image_channels, widths[0], 4, 2, 1, bias=False),
                nn.BatchNorm2d(widths[0]), nn.ReLU()]
        stages = [_stage(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True)]
        self.trunk = nn.Sequential(*stem, *stages)
        if dim % 16:
            raise ValueError(f"dim must be a multiple of 16, one part a cell of 4x4, got {dim}.")
        self.base = nn.Conv2d(width, dim // 16, 1)
        self.residual = nn.Conv2d(width, layers * dim // 16, 1)
        for parameter in self.residual.parameters():
            nn.init.zeros_(parameter)
        self.register_buffer("w_mean", torch.zeros(layers, dim))

    def parts(
        self, x: Float[Tensor, "n channels h w"]
    ) -> tuple[Float[Tensor, "n 1 dim"], Float[Tensor, "n layers dim"]]:
        """Base code and residuals (mean code added), whose sum is the code."""
        x = x.contiguous(memory_format=torch.channels_last)
        h = self.trunk(x)  # (n, width, 4, 4)
        return self._by_cell(self.base(h)), self.w_mean + self._by_cell(self.residual(h))

    def _by_cell(self, maps: Float[Tensor, "n maps 4 4"]) -> Float[Tensor, "n layers dim"]:
        """Entries of a code ordered cell after cell."""
        parts = maps.contiguous().view(len(maps), -1, self.dim // 16, 16)
        return parts.transpose(2, 3).reshape(len(maps), -1, self.dim)

    def forward(self, x: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n layers dim"]:
        """x -> w."""
        base, residual = self.parts(x)
        return base + residual

    @torch.no_grad()
    def encode(
        self, x: Float[Tensor, "n channels h w"], batch: int = 250
    ) -> Float[Tensor, "n layers dim"]:
        """x -> w in batches, without gradients; the module must be in evaluation mode."""
        if self.training:
            raise ValueError("encoder must be in evaluation mode to encode, call eval() first.")
        return torch.cat([self(part) for part in x.split(batch)])
