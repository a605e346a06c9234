"""The networks of LW neural: a map of tokens, and a potential that sees labels as well.

Tokens are the cells of a code or its layers (`to_tokens`). Both networks are transformers over
them, on standardised entries; the equations are in `lwedit.editors.neural`.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from lwedit.generators.attention import HEAD, AttentionBlock
from lwedit.vocabulary import flatten_codes, unflatten_codes

__all__ = [
    "Direction",
    "NeuralConfig",
    "TokenNet",
    "Transport",
    "from_tokens",
    "to_tokens",
]

Direction = Literal["add", "remove"]


@dataclass(frozen=True)
class NeuralConfig:
    """Settings of `lw_neural`.

    Attributes:
        cells: Into how many equal cells a code falls, the same in all layers; None: tokens are
            the layers.
        width: Units of a token in the map, a multiple of 32.
        depth: Its blocks of attention.
        potential_width: Units of a token in the potential, a multiple of 32.
        potential_depth: Its blocks.
        noise: Entries of u; 0: one answer for each code.
        candidates: m, noises among which the potential chooses.
        price: Price of a move, see the module.
        power: 1: few tokens move; 2: the quadratic cost.
        balanced: Whether every target code must be reached, and no more than its share. Unbalanced
            (Choi et al.), codes that have no counterpart weigh less.
        lam: Weight of Eq. 5, added to the cost: (1 - gamma_l) (F_l(w') - F_l(w))^2 / 2, mean over
            attributes l, F the logits of the latent classifier. 0 looks at no classifier.
        steps: Steps of the map; each follows two of the potential.
        batch: Codes of each side in a step.
        lr: Adam's step size; half-way it begins to fall along a cosine, to a tenth.
        r1: Weight of the gradient penalty of the potential, on codes of both sides.
        r1_every: Steps of the potential from one penalty to the next.
        average: Decay of the averaged weights of the map, a step.
        classes: Attributes of which an edit turns on just one, which drawn noise names, or off one
            that is on; all others of them keep what they are. Empty: the potential sees no labels.
        counts: Attributes that say of how many things there are that they are more than so many,
            rising; an edit turns on the first that is off, or off the last that is on. Empty: the
            attribute of the edit alone.
        label_weight: Weight of the labels in the potential.
        read_weight: Weight of the cross-entropy by which the potential learns to read them.
        read_steps: Its steps before the transport begins.
        directions: What is fitted: adding, removing, or both.
        compiled: Let torch compile the networks for the fit, which needs a C++ compiler; a quarter
            less time. The weights end up otherwise in their last digits.
    """

    cells: int | None = None
    width: int = 64
    depth: int = 3
    potential_width: int = 64
    potential_depth: int = 2
    noise: int = 8
    candidates: int = 16
    price: float = 0.5
    power: float = 1.0
    balanced: bool = False
    lam: float = 0.0
    steps: int = 3_000
    batch: int = 128
    lr: float = 5e-4
    r1: float = 1.0
    r1_every: int = 8
    average: float = 0.99
    classes: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    label_weight: float = 0.3
    read_weight: float = 3.0
    read_steps: int = 1_200
    directions: tuple[Direction, ...] = ("add", "remove")
    compiled: bool = False

    def __post_init__(self) -> None:
        for name in ("width", "potential_width"):
            value = getattr(self, name)
            if value < 1 or value % HEAD:
                raise ValueError(f"{name} must be a multiple of {HEAD}, got {value}.")
        for name in ("depth", "potential_depth", "candidates", "steps", "batch", "r1_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")
        for name in ("noise", "price", "lam", "r1", "label_weight", "read_weight", "read_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}.")
        if not 0 < self.power <= 2:
            raise ValueError(f"power must lie in (0, 2], got {self.power}.")
        if self.counts and not self.classes:
            raise ValueError(f"counts need classes beside them, got {self.counts} and none.")
        if not self.directions or not set(self.directions) <= {"add", "remove"}:
            raise ValueError(
                f"directions must be some of 'add' and 'remove', got {self.directions}."
            )


def to_tokens(
    w: Float[Tensor, "n layers dim"], cells: int | None
) -> Float[Tensor, "n tokens entries"]:
    """Codes as tokens: the cells of the mean over layers, or the layers.

    Raises:
        ValueError: If a code does not fall into so many equal cells.
    """
    if cells is None:
        return w
    if w.shape[2] % cells:
        raise ValueError(
            f"cells must divide a code of {w.shape[2]} entries into equal parts, got {cells}; "
            "take None for codes without cells."
        )
    return w.mean(dim=1).unflatten(1, (cells, -1))


def from_tokens(
    t: Float[Tensor, "n tokens entries"], cells: int | None, layers: int
) -> Float[Tensor, "n layers dim"]:
    """Moves of tokens as moves of codes: that of the cells is the same in every layer."""
    if cells is None:
        return unflatten_codes(flatten_codes(t), layers)
    return t.flatten(1)[:, None].expand(-1, layers, -1)


class TokenNet(nn.Module):
    """A transformer over tokens, with noise beside every token.

    Args:
        tokens: Tokens of a code.
        entries: Entries of each.
        out: Outputs a token.
        noise: Entries of noise appended to every token.
        width: Units of a token, a multiple of 32.
        depth: Blocks.
    """

    def __init__(self, tokens: int, entries: int, out: int, noise: int, width: int, depth: int):
        super().__init__()
        self.start = nn.Linear(entries + noise, width)
        self.place = nn.Parameter(0.5 * torch.randn(tokens, width))
        self.blocks = nn.ModuleList(AttentionBlock(width) for _ in range(depth))
        self.end = nn.Linear(width, out)

    def forward(
        self, t: Float[Tensor, "n tokens entries"], u: Float[Tensor, "n noise"] | None = None
    ) -> Float[Tensor, "n tokens out"]:
        """Standardised tokens -> outputs."""
        if u is not None:
            t = torch.cat([t, u[:, None].expand(-1, t.shape[1], -1)], dim=2)
        h = self.start(t) + self.place
        for block in self.blocks:
            h = block(h)
        return self.end(functional.layer_norm(h, h.shape[-1:]))


class Transport(nn.Module):
    """A map T and a potential f between two clouds of codes, on standardised tokens.

    Args:
        tokens: Tokens of a code.
        entries: Entries of each.
        tied: Whether one mean and deviation an entry holds for all tokens (cells); else every
            token has its own mean, and all share one deviation.
        config: Sizes and cost.
    """

    centre: Tensor
    scale: Tensor
    cost_terms: Tensor

    def __init__(self, tokens: int, entries: int, tied: bool, config: NeuralConfig):
        super().__init__()
        self.noise, self.classes = config.noise, len(config.classes)
        labels = self.classes + max(1, len(config.counts)) if self.classes else 0
        self.map = TokenNet(
            tokens, entries, entries, self.noise + self.classes, config.width, config.depth
        )
        self.potential = TokenNet(
            tokens, entries, 1 + labels, 0, config.potential_width, config.potential_depth
        )
        nn.init.zeros_(self.map.end.weight)
        nn.init.zeros_(self.map.end.bias)
        self.register_buffer("centre", torch.zeros(1 if tied else tokens, entries))
        self.register_buffer("scale", torch.ones(1, entries))
        terms = [config.price, config.power, config.label_weight, self.classes]
        self.register_buffer("cost_terms", torch.tensor(terms))

    def standardise(self, codes: Float[Tensor, "n tokens entries"]) -> None:
        """Set centre and scale from codes; what never varies gets deviation 1."""
        if len(self.centre) == 1:
            flat = codes.flatten(0, 1)
            self.centre.copy_(flat.mean(dim=0))
            deviation = flat.std(dim=0, correction=0)
        else:
            self.centre.copy_(codes.mean(dim=0))
            deviation = (codes - self.centre).square().mean().sqrt().expand(codes.shape[2])
        self.scale.copy_(torch.where(deviation > 0, deviation, 1.0))

    def with_class(
        self, z: Float[Tensor, "n z"], k: Int64[Tensor, " n"] | None
    ) -> Float[Tensor, "n noise"]:
        """Noises u: z, and after it a class where there are any."""
        if k is None:
            return z
        return torch.cat([z, 2 * functional.one_hot(k, self.classes).to(z)], dim=1)

    def after(
        self, y: Float[Tensor, "n labels"], u: Float[Tensor, "n noise"], *, adding: bool
    ) -> Float[Tensor, "n labels"]:
        """y': y, classes before counts, with one more of the class that noises name, or less."""
        k = (u[:, self.noise :] > 0).to(y)
        shown, counts = y[:, : self.classes], y[:, self.classes :]
        one = torch.ones_like(counts[:, :1])
        if adding:
            return torch.cat([torch.maximum(shown, k), one, counts[:, :-1]], dim=1)
        return torch.cat([shown * (1 - k), counts[:, 1:], 0 * one], dim=1)

    def move(
        self, x: Float[Tensor, "n tokens entries"], u: Float[Tensor, "n noise"]
    ) -> Float[Tensor, "n tokens entries"]:
        """T(x, u) - x."""
        return self.map(x, u if self.noise + self.classes else None)

    def read(self, x: Float[Tensor, "n tokens entries"]) -> Float[Tensor, "n outputs"]:
        """f_0, and a_l for each label: above 0 where a code shows it."""
        return self.potential(x).mean(dim=1)

    def value(
        self, x: Float[Tensor, "n tokens entries"], y: Float[Tensor, "n labels"] | None = None
    ) -> Float[Tensor, " n"]:
        """f(x, y), higher for what looks more like the target; f_0(x) without labels."""
        return self.value_of(self.read(x), y)

    def value_of(
        self, read: Float[Tensor, "n outputs"], y: Float[Tensor, "n labels"] | None
    ) -> Float[Tensor, " n"]:
        """f from what `read` gave."""
        if y is None:
            return read[:, 0]
        return read[:, 0] + self.cost_terms[2] * ((2 * y - 0.5) * read[:, 1:]).sum(dim=1)

    def cost(self, move: Float[Tensor, "n tokens entries"]) -> Float[Tensor, " n"]:
        """c of a move."""
        price, power = self.cost_terms[:2].tolist()
        size = move.square().mean(dim=2) + 1e-6  # smooth at 0
        return price * (size if power == 2 else size ** (power / 2)).mean(dim=1)

    @torch.no_grad()
    def best(
        self, x: Float[Tensor, "n tokens entries"], z: Float[Tensor, "m z"],
        k: Int64[Tensor, " n"] | None = None, *, adding: bool = True,
    ) -> Float[Tensor, "n tokens entries"]:
        """The move of highest f - c among those of m noises, the same for every code.

        Args:
            x: Codes.
            z: Noises but for the class.
            k: Class that each code gets, or loses.
            adding: Whether it is added.
        """
        chosen, highest = torch.zeros_like(x), x.new_full((len(x),), -torch.inf)
        y = None if k is None else (self.read(x)[:, 1:] > 0).to(x)
        for noise in z:
            u = self.with_class(noise.expand(len(x), -1), k)
            move = self.move(x, u)
            labels = None if y is None else self.after(y, u, adding=adding)
            score = self.value(x + move, labels) - self.cost(move)
            better = score > highest
            chosen = torch.where(better[:, None, None], move, chosen)
            highest = torch.maximum(score, highest)
        return chosen

    @torch.no_grad()
    def choose_class(
        self, x: Float[Tensor, "n tokens entries"], priority: Float[Tensor, "n classes"], *,
        adding: bool,
    ) -> Int64[Tensor, " n"]:
        """The class of highest priority; of those that a code shows, where one is removed.

        Args:
            x: Codes.
            priority: Of each class, in [0, 1).
            adding: Whether a class is added; all classes can be.
        """
        shown = 0.0 if adding else (self.read(x)[:, 1 : 1 + self.classes] > 0).to(x)
        return (priority + shown).argmax(dim=1)

    @torch.no_grad()
    def surest_to_go(
        self, x: Float[Tensor, "n tokens entries"], z: Float[Tensor, " z"]
    ) -> Int64[Tensor, " n"]:
        """Of the classes that a code shows, the one without which it most surely shows one fewer.

        A class that is there twice, or that this map does not take away, is left in peace. What is
        read is the highest count that the code has now.

        Args:
            x: Codes.
            z: Noise but for the class.
        """
        read = self.read(x)
        shown, counts = (read[:, 1:] > 0).split([self.classes, read.shape[1] - 1 - self.classes], 1)
        highest = 1 + self.classes + (counts.sum(dim=1, keepdim=True) - 1).clamp(min=0)
        left = []
        for k in range(self.classes):
            u = self.with_class(z.expand(len(x), -1), torch.full_like(highest[:, 0], k))
            left.append(self.read(x + self.move(x, u)).gather(1, highest))
        away = ~shown & shown.any(dim=1, keepdim=True)
        return torch.cat(left, dim=1).masked_fill(away, torch.inf).argmin(dim=1)
