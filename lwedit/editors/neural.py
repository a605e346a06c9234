"""LW with a neural map: one of several answers for each code, chosen by the potential.

Latent Wasserstein restricts H to affine maps and compares clouds through plans between samples,
whose barycentres are the mean of everything that could be added. Here the same transport from the
codes without the attribute to those with it is solved in its semi-dual form
(`lwedit.editors.semi_dual`), by a map T and a potential f that see a code as tokens:

    w' = w + alpha (T(w, u) - w),   u = the best of m noises: arg max_u  f(T(w, u)) - c(w, T(w, u))

Tokens are the cells of a code where its entries lie on a grid (`Synthesis.localise`: one rule for
all cells, all layers move alike), its layers otherwise. T and f are transformers; T's last layer
starts at 0, so T starts as the identity. c is the transport cost: the price of a move, per token

    c(w, w') = price * mean over tokens p of |move of p|_rms ^ power

in units of an entry's deviation. power = 2 is the quadratic cost of the paper; power = 1 is paid by
every token that moves at all, so that most stay where they are: a digit is added where there is
room. The noises of `edit` are fixed when the editor is fitted, so that the same code gives the same
edit; `draw` gives another answer. Adding and removing are two transports: for alpha < 0 the edit
is w - alpha (T'(w, u) - w), with T' fitted from the codes with the attribute to those without.

Sources: Korotin, Selikhanovych, Burnaev, "Neural Optimal Transport", ICLR 2023 (maps with noise);
Choi, Choi, Kang, "Generative Modeling through the Semi-dual Formulation of Unbalanced Optimal
Transport", NeurIPS 2023. The choice among m answers by f - c is ours: it is the inner maximum of
the semi-dual, taken over m candidates in place of one.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lwedit.editors.base import Editor
from lwedit.generators.attention import HEAD, AttentionBlock
from lwedit.latents import Space
from lwedit.vocabulary import flatten_codes, unflatten_codes

__all__ = ["NeuralConfig", "NeuralEditor", "TokenNet", "Transport", "from_tokens", "to_tokens"]

_BATCH = 1024  # codes at a time, for memory
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
        for name in ("noise", "price", "lam", "r1"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}.")
        if not 0 < self.power <= 2:
            raise ValueError(f"power must lie in (0, 2], got {self.power}.")
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
        self.map = TokenNet(tokens, entries, entries, config.noise, config.width, config.depth)
        self.potential = TokenNet(
            tokens, entries, 1, 0, config.potential_width, config.potential_depth
        )
        nn.init.zeros_(self.map.end.weight)
        nn.init.zeros_(self.map.end.bias)
        self.noise = config.noise
        self.register_buffer("centre", torch.zeros(1 if tied else tokens, entries))
        self.register_buffer("scale", torch.ones(1, entries))
        self.register_buffer("cost_terms", torch.tensor([config.price, config.power]))

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

    def move(
        self, x: Float[Tensor, "n tokens entries"], u: Float[Tensor, "n noise"]
    ) -> Float[Tensor, "n tokens entries"]:
        """T(x, u) - x."""
        return self.map(x, u if self.noise else None)

    def value(self, y: Float[Tensor, "n tokens entries"]) -> Float[Tensor, " n"]:
        """f(y), higher for what looks more like the target."""
        return self.potential(y).mean(dim=(1, 2))

    def cost(self, move: Float[Tensor, "n tokens entries"]) -> Float[Tensor, " n"]:
        """c of a move."""
        price, power = self.cost_terms.tolist()
        size = move.square().mean(dim=2) + 1e-6  # smooth at 0
        return price * (size if power == 2 else size ** (power / 2)).mean(dim=1)

    @torch.no_grad()
    def best(
        self, x: Float[Tensor, "n tokens entries"], noises: Float[Tensor, "m noise"]
    ) -> Float[Tensor, "n tokens entries"]:
        """The move of highest f - c among those of m noises, the same for every code."""
        chosen, highest = torch.zeros_like(x), x.new_full((len(x),), -torch.inf)
        for u in noises:
            move = self.move(x, u.expand(len(x), -1))
            score = self.value(x + move) - self.cost(move)
            better = score > highest
            chosen = torch.where(better[:, None, None], move, chosen)
            highest = torch.maximum(score, highest)
        return chosen


class NeuralEditor(Editor):
    """An editor that moves codes by `Transport`s.

    Args:
        attribute: What the edit adds.
        space: Where its codes live.
        transports: By direction, "add" for alpha > 0 and "remove" for alpha < 0.
        noises: Among which the potential chooses, (m, noise).
    """

    method: ClassVar[str] = "lw_neural"

    def __init__(
        self,
        attribute: str,
        space: Space,
        transports: dict[Direction, Transport],
        noises: Float[Tensor, "m noise"],
    ):
        super().__init__(attribute, space)
        for transport in transports.values():
            _cells_of(transport, space)
            transport.eval().requires_grad_(False)
        self.transports, self.noises = transports, noises

    def displacement(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """H(w) = T(w, u) - w, u the best of the editor's noises."""
        return self._moved_by("add", w)

    def displacement_back(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """w - T'(w, u), so that alpha = -1 is the transport that removes the attribute."""
        return -self._moved_by("remove", w)

    def draw(
        self, w: Float[Tensor, "n layers dim"], alpha: float, rng: torch.Generator
    ) -> Float[Tensor, "n layers dim"]:
        """Another answer than that of `edit`: fresh noises, the same choice among them.

        Args:
            w: Codes of this editor's space.
            alpha: Strength; its sign says which transport.
            rng: Source of the noises, on the CPU.

        Raises:
            ValueError: As `edit`.
        """
        fixed = self.noises
        self.noises = torch.randn(fixed.shape, generator=rng).to(fixed)
        try:
            return self.edit(w, alpha)
        finally:
            self.noises = fixed

    def state(self) -> dict[str, Tensor]:
        """Tensors under "add." and "remove."; weights are exact in float16, in which they go."""
        state = {"noises": self.noises}
        for direction, transport in self.transports.items():
            for name, part in transport.state_dict().items():
                kept = part.half() if name.startswith(("map.", "potential.")) else part
                state[f"{direction}.{name}"] = kept
        return state

    @classmethod
    def restore(cls, state: dict[str, Tensor], attribute: str, space: Space) -> "NeuralEditor":
        """Inverse of `state`.

        Args:
            state: What `state` gave.
            attribute: What the edit adds.
            space: Where its codes live.

        Raises:
            ValueError: If a tensor is missing, unknown, or of another shape or space.
        """
        try:
            noises = state["noises"].float()
            transports: dict[Direction, Transport] = {}
            for direction in ("add", "remove"):
                start = f"{direction}."
                own = {name.removeprefix(start): part.float() for name, part in state.items()
                       if name.startswith(start)}
                if own:
                    transports[direction] = _restored(own, noises)
            if not transports:
                raise KeyError("add.map.place")
        except (KeyError, RuntimeError, IndexError, ZeroDivisionError) as error:
            raise ValueError(f"state must be that of a neural editor: {error}") from error
        return cls(attribute, space, transports, noises)

    def _moved_by(
        self, direction: Direction, w: Float[Tensor, "n layers dim"]
    ) -> Float[Tensor, "n layers dim"]:
        if direction not in self.transports:
            raise ValueError(
                f"alpha must have the other sign: this editor was fitted to "
                f"{' and '.join(self.transports)} only."
            )
        transport = self.transports[direction]
        cells, moves = _cells_of(transport, self.space), []
        for part in w.split(_BATCH):
            x = (to_tokens(part.float(), cells) - transport.centre) / transport.scale
            move = transport.best(x, self.noises) * transport.scale
            moves.append(from_tokens(move, cells, self.space.layers))
        return torch.cat(moves) if moves else torch.zeros_like(w)


def _cells_of(transport: Transport, space: Space) -> int | None:
    """How codes become the tokens of a transport."""
    tokens, entries = len(transport.map.place), transport.centre.shape[1]
    if len(transport.centre) == 1 and tokens * entries == space.dim:
        return tokens
    if (tokens, entries) == (space.layers, space.dim):
        return None
    raise ValueError(
        f"transport must move codes of shape ({space.layers}, {space.dim}), got {tokens} tokens of "
        f"{entries} entries."
    )


def _restored(own: dict[str, Tensor], noises: Float[Tensor, "m noise"]) -> Transport:
    """A transport from its tensors, which tell its sizes."""
    sizes = {}
    for net in ("map", "potential"):
        ups = sum(name.startswith(f"{net}.blocks.") and name.endswith("up.bias") for name in own)
        sizes[net] = own[f"{net}.place"].shape[1], ups
    tokens, entries = len(own["map.place"]), own["centre"].shape[1]
    config = NeuralConfig(
        width=sizes["map"][0], depth=sizes["map"][1],
        potential_width=sizes["potential"][0], potential_depth=sizes["potential"][1],
        noise=own["map.start.weight"].shape[1] - entries, candidates=len(noises),
    )
    transport = Transport(tokens, entries, len(own["centre"]) == 1, config)
    transport.load_state_dict(own)
    return transport.to(own["centre"].device)
