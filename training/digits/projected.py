"""A discriminator that looks at images through a network that can already read.

Sauer et al., "Projected GANs Converge Faster", NeurIPS 2021: real and generated images are told
apart in the feature maps of a frozen network, at several resolutions, by small heads. What the
heads need not learn is what a stroke or a digit is, which is most of what StyleGAN2's own
discriminator spends its first hundred thousand images on. Here the network is a reader of digits
trained on the generator's own pool of digits, never a judge.

    D_l(x) = head_l(phi_l(x)),   l = 1, 2, 3: 32, 16 and 8 pixels a side

The two finer heads answer for each place (8 x 8 logits), the coarse one for the whole image,
with the deviation over the batch among its inputs; each counts alike.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lwedit.generators.modulation import at_least_float32
from lwedit.generators.stylegan2 import EqualLinear
from training.gan.discriminator import EqualConv, minibatch_deviation

__all__ = ["ProjectedDiscriminator"]


class ProjectedDiscriminator(nn.Module):
    """x -> logits, 64 of each head.

    Args:
        stages: Frozen network in pieces, each of which halves the resolution; their outputs
            are what the heads look at.
        widths: Channels of those outputs, at 32, 16 and 8 pixels for images of 64.
        hidden: Channels inside the heads.
    """

    def __init__(self, stages: list[nn.Module], widths: tuple[int, int, int], hidden: int = 96):
        super().__init__()
        if len(stages) != len(widths):
            raise ValueError(
                f"stages and widths must be as many, got {len(stages)} and {len(widths)}."
            )
        self.stages = nn.ModuleList(stages)
        fine, middle, coarse = widths
        self.fine = nn.ModuleList([
            EqualConv(fine, hidden, 3, stride=2), EqualConv(hidden, hidden, 3, stride=2),
            EqualConv(hidden, 1, 1, gain=1.0),
        ])
        self.middle = nn.ModuleList([
            EqualConv(middle, hidden, 3, stride=2), EqualConv(hidden, hidden, 3),
            EqualConv(hidden, 1, 1, gain=1.0),
        ])
        self.coarse = nn.ModuleList([
            EqualConv(coarse, hidden, 3, stride=2), EqualConv(hidden + 1, hidden, 3),
        ])
        self.whole = nn.ModuleList([EqualLinear(16 * hidden, hidden), EqualLinear(hidden, 1)])
        self.requires_grad_(True)
        self.train()

    def requires_grad_(self, requires_grad: bool = True) -> "ProjectedDiscriminator":
        """Set whether the heads learn; the network that they look through never does."""
        super().requires_grad_(requires_grad)
        self.stages.requires_grad_(False)
        return self

    def train(self, mode: bool = True) -> "ProjectedDiscriminator":
        """Set the mode of the heads; the network stays in evaluation mode."""
        super().train(mode)
        self.stages.eval()
        return self

    def maps(self, x: Float[Tensor, "n c h w"]) -> list[Float[Tensor, "n _ _ _"]]:
        """What each stage sees."""
        x = x.contiguous(memory_format=torch.channels_last)
        seen = []
        for stage in self.stages:
            x = stage(x)
            seen.append(x)
        return seen

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n logits"]:
        """x -> logits of all heads."""
        fine, middle, coarse = self.maps(x)
        places = [_run(self.fine, fine).flatten(1), _run(self.middle, middle).flatten(1)]
        first, second = self.coarse
        coarse = functional.leaky_relu(first(coarse), 0.2)
        coarse = functional.leaky_relu(second(minibatch_deviation(coarse)), 0.2)
        inner, out = self.whole
        whole = out(functional.leaky_relu(inner(coarse.flatten(1)), 0.2))
        logits = [*places, whole.expand(-1, places[0].shape[1])]
        return torch.cat([at_least_float32(part) for part in logits], dim=1)


def _run(layers: nn.ModuleList, x: Tensor) -> Tensor:
    *inner, last = layers
    for layer in inner:
        x = functional.leaky_relu(layer(x), 0.2)
    return last(x)
