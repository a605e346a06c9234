"""A parser of portraits: x -> the region that each pixel belongs to.

A small U-Net (Ronneberger et al., MICCAI 2015): features at 64, 32, 16 and 8 pixels a side on the
way down, summed with what comes up again. The finest level is thin, since a colour there tells
most; what a brow is and what a beard is takes the coarse ones. It is trained on portraits whose
masks are known (`training.avatars.judges`), never on generated ones.
"""

import json
from pathlib import Path

import torch
from jaxtyping import Float, Int, UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Parser", "intersection_over_union"]


def _layer(c_in: int, c_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()
    )


class Parser(nn.Module):
    """x -> a logit for every region in every pixel.

    Args:
        regions: What is told apart, in order.
        width: Feature maps at full resolution; each level below has twice as many.
        levels: How often the resolution is halved.
    """

    def __init__(self, regions: tuple[str, ...], width: int = 16, levels: int = 3):
        super().__init__()
        self.regions, self.width, self.levels = regions, width, levels
        widths = [width * 2**level for level in range(levels + 1)]
        self.stem = _layer(3, width)
        pairs = list(zip(widths[:-1], widths[1:], strict=True))
        self.down = nn.ModuleList(
            nn.Sequential(_layer(a, b, stride=2), _layer(b, b)) for a, b in pairs
        )
        self.narrow = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairs)
        self.up = nn.ModuleList(_layer(a, a) for a, _ in pairs)
        self.out = nn.Conv2d(width, len(regions), 1)

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n regions h w"]:
        """x -> logits; h and w are multiples of 2 ** levels."""
        maps = [self.stem(x.contiguous(memory_format=torch.channels_last))]
        for stage in self.down:
            maps.append(stage(maps[-1]))
        y = maps.pop()
        for narrow, stage in zip(reversed(self.narrow), reversed(self.up), strict=True):
            y = stage(maps.pop() + functional.interpolate(narrow(y), scale_factor=2))
        return self.out(y)

    @torch.no_grad()
    def parse(self, x: Float[Tensor, "n 3 h w"], batch: int = 100) -> UInt8[Tensor, "n h w"]:
        """The most probable region of every pixel, an index into `regions`, in batches."""
        return torch.cat([self(part).argmax(dim=1).to(torch.uint8) for part in x.split(batch)])

    def save(self, path: Path) -> None:
        """Write weights (.safetensors, float16) with the regions in the header."""
        path = Path(path)
        about = {"regions": self.regions, "width": self.width, "levels": self.levels}
        state = {
            key: (value.half() if value.is_floating_point() else value).contiguous()
            for key, value in self.state_dict().items()
        }
        temporary = path.with_suffix(".tmp")
        save_file(state, temporary, metadata={"parser": json.dumps(about)})
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Parser":
        """Read what `save` wrote, in evaluation mode.

        Raises:
            ValueError: If the file is missing or damaged, or of another architecture.
        """
        try:
            with safe_open(path, "pt") as file:
                about = json.loads((file.metadata() or {})["parser"])
            parser = cls(tuple(about["regions"]), about["width"], about["levels"])
            state = load_file(path)
            parser.load_state_dict(
                {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
            )
        except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
            raise ValueError(f"{path} must hold a parser of portraits: {error}") from error
        return parser.to(memory_format=torch.channels_last).eval().requires_grad_(False)


def intersection_over_union(
    found: Int[Tensor, "n h w"] | UInt8[Tensor, "n h w"],
    truth: Int[Tensor, "n h w"] | UInt8[Tensor, "n h w"],
    regions: int,
) -> Float[Tensor, " regions"]:
    """Pixels that both give a region over pixels that either does, all images together.

    Args:
        found: Regions by a parser.
        truth: Regions as they are.
        regions: How many there are.

    Returns:
        0 to 1 for each region, 1 is best; NaN for one that occurs in neither.
    """
    pairs = found.flatten().long() * regions + truth.flatten().long()
    counts = torch.bincount(pairs, minlength=regions**2).reshape(regions, regions).float()
    both = counts.diagonal()
    return both / (counts.sum(dim=0) + counts.sum(dim=1) - both)
