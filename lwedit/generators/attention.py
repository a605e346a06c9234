"""A block of a transformer over the cells of a code.

Vaswani et al., "Attention Is All You Need", 2017; pre-norm, squared ReLU. Codes whose entries lie
on a grid of cells (`Synthesis.localise`) are sequences of tokens to it, one a cell.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["HEAD", "AttentionBlock"]

HEAD = 32  # units of an attention head


class AttentionBlock(nn.Module):
    """Attention between the cells, then two layers on each; starts as the identity.

    Args:
        width: Units of a token, a multiple of `HEAD`.
    """

    def __init__(self, width: int):
        super().__init__()
        self.to_heads = nn.Linear(width, 3 * width)
        self.from_heads = nn.Linear(width, width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        nn.init.zeros_(self.from_heads.weight)
        nn.init.zeros_(self.down.weight)

    def forward(self, h: Float[Tensor, "n cells width"]) -> Float[Tensor, "n cells width"]:
        """Tokens -> tokens."""
        h = h + self.from_heads(self._attend(functional.layer_norm(h, h.shape[-1:])))
        inner = functional.relu(self.up(functional.layer_norm(h, h.shape[-1:]))).square()
        return h + self.down(inner)

    def _attend(self, h: Float[Tensor, "n cells width"]) -> Float[Tensor, "n cells width"]:
        # Written out: torch's fused attention takes five times as long on sixteen tokens.
        n, cells, width = h.shape
        parts = self.to_heads(h).view(n, cells, 3, width // HEAD, HEAD).permute(2, 0, 3, 1, 4)
        q, k, v = parts.reshape(3, -1, cells, HEAD)
        attention = torch.bmm(q / math.sqrt(HEAD), k.transpose(1, 2)).softmax(dim=-1)
        seen = torch.bmm(attention.to(v.dtype), v).view(n, -1, cells, HEAD)
        return seen.transpose(1, 2).reshape(n, cells, width)
