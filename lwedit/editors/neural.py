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

Where labels y tell what codes show, `NeuralConfig.classes` of things and, as a ladder ("at least
2", "at least 3"), how many (`counts`), the transport is one of codes with their labels, (w, y) to
(w', y'). u then ends in a class k, drawn evenly, and y' is known: y with one more, of class k, or
one less where an edit removes. Of that transport the potential sees the labels,

    f(w, y) = f_0(w) + label_weight * sum over labels l of (2 y_l - 1/2) a_l(w)

so that what is added has to be of the class asked for, and what was there has to keep its own. The
a_l learn beside to read the labels of target codes (cross-entropy), before the transport begins and
on: without that no fit of this length comes to see them. Without labels, added digits are often
between two classes. An edit does not need them: it takes y as the a_l read it. The class of `edit`
is drawn by the code's own bits, so that all classes come evenly, or, where one is removed, is that
without which the potential most surely reads one fewer; `draw` can be asked for one. One fit serves
every number of things, each of which is an attribute of its own.

Sources: Korotin, Selikhanovych, Burnaev, "Neural Optimal Transport", ICLR 2023 (maps with noise);
Choi, Choi, Kang, "Generative Modeling through the Semi-dual Formulation of Unbalanced Optimal
Transport", NeurIPS 2023. The choice among m answers by f - c is ours: it is the inner maximum of
the semi-dual, taken over m candidates in place of one. The labels enter the potential as in
Miyato, Koyama, "cGANs with Projection Discriminator", ICLR 2018.
"""

import copy
from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lwedit.editors.base import Editor
from lwedit.editors.token_transport import (
    Direction,
    NeuralConfig,
    Transport,
    from_tokens,
    to_tokens,
)
from lwedit.latents import Space

__all__ = ["NeuralEditor"]

_BATCH = 1024  # codes at a time, for memory
_WORD = 0xFFFFFFFF  # 32 bits


class NeuralEditor(Editor):
    """An editor that moves codes by `Transport`s.

    Args:
        attribute: What the edit adds.
        space: Where its codes live.
        transports: By direction, "add" for alpha > 0 and "remove" for alpha < 0.
        noises: z among which the potential chooses, (m, z).
    """

    method: ClassVar[str] = "lw_neural"

    def __init__(
        self,
        attribute: str,
        space: Space,
        transports: dict[Direction, Transport],
        noises: Float[Tensor, "m z"],
    ):
        super().__init__(attribute, space)
        for transport in transports.values():
            _cells_of(transport, space)
            transport.eval().requires_grad_(False)
        self.transports, self.noises = transports, noises
        self._priority: Float[Tensor, " classes"] | None = None  # of classes, where one is asked

    def displacement(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """H(w) = T(w, u) - w, u the best of the editor's noises."""
        return self._moved_by("add", w)

    def displacement_back(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """w - T'(w, u), so that alpha = -1 is the transport that removes the attribute."""
        return -self._moved_by("remove", w)

    def draw(
        self, w: Float[Tensor, "n layers dim"], alpha: float, rng: torch.Generator,
        k: int | None = None,
    ) -> Float[Tensor, "n layers dim"]:
        """Another answer than that of `edit`: fresh noises, the same choice among them.

        Args:
            w: Codes of this editor's space.
            alpha: Strength; its sign says which transport.
            rng: Source of the noises, on the CPU.
            k: Which of the classes is added or removed; if None, one drawn for all codes, where
                it is removed of those that a code shows.

        Raises:
            ValueError: As `edit`, or if there is no such class.
        """
        classes = max(transport.classes for transport in self.transports.values())
        if k is not None and not 0 <= k < classes:
            raise ValueError(f"k must be one of the editor's {classes} classes, got {k}.")
        noises = torch.randn(self.noises.shape, generator=rng)
        priority = torch.rand(classes, generator=rng)
        if k is not None:
            priority[k] = 2.0  # above what a code shows
        drawn = copy.copy(self)  # the networks are shared, and this editor stays as it is
        drawn.noises, drawn._priority = noises.to(self.noises), priority.to(self.noises)
        return drawn.edit(w, alpha)

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
            k = self._class_of(part, x, direction) if transport.classes else None
            move = transport.best(x, self.noises, k, adding=direction == "add")
            moves.append(from_tokens(move * transport.scale, cells, self.space.layers))
        return torch.cat(moves) if moves else torch.zeros_like(w)

    def _class_of(
        self, w: Float[Tensor, "n layers dim"], x: Float[Tensor, "n tokens entries"],
        direction: Direction,
    ) -> Int64[Tensor, " n"]:
        """The class that each code gets or loses."""
        transport, adding = self.transports[direction], direction == "add"
        if self._priority is not None:
            return transport.choose_class(x, self._priority.to(x).expand(len(w), -1), adding=adding)
        if adding:
            return transport.choose_class(x, _drawn_by(w, transport.classes).to(x), adding=True)
        return transport.surest_to_go(x, self.noises[0])


def _drawn_by(w: Float[Tensor, "n layers dim"], classes: int) -> Float[Tensor, "n classes"]:
    """Numbers in [0, 1) that are as good as drawn, and the same whenever a code is edited.

    Made from the bits of a code's first entries by the last steps of the hash xxHash32.
    """
    bits = w[:, 0, :4].float().contiguous().view(torch.int32).long() & _WORD
    seed = (bits * torch.tensor([1, 3, 5, 7], device=w.device)[: bits.shape[1]]).sum(dim=1)
    h = (seed[:, None] + 0x9E3779B1 * torch.arange(1, classes + 1, device=w.device)) & _WORD
    for shift, factor in ((15, 0x85EBCA77), (13, 0xC2B2AE3D), (16, 1)):
        h = ((h ^ (h >> shift)) * factor) & _WORD
    return h.double() / (_WORD + 1)


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


def _restored(own: dict[str, Tensor], noises: Float[Tensor, "m z"]) -> Transport:
    """A transport from its tensors, which tell its sizes."""
    sizes = {}
    for net in ("map", "potential"):
        ups = sum(name.startswith(f"{net}.blocks.") and name.endswith("up.bias") for name in own)
        sizes[net] = own[f"{net}.place"].shape[1], ups
    tokens, entries = len(own["map.place"]), own["centre"].shape[1]
    labels = len(own["potential.end.bias"]) - 1
    classes = int(own["cost_terms"][3])
    config = NeuralConfig(
        width=sizes["map"][0], depth=sizes["map"][1],
        potential_width=sizes["potential"][0], potential_depth=sizes["potential"][1],
        noise=own["map.start.weight"].shape[1] - entries - classes, candidates=len(noises),
        classes=tuple(map(str, range(classes))), counts=tuple(map(str, range(labels - classes))),
    )
    transport = Transport(tokens, entries, len(own["centre"]) == 1, config)
    transport.load_state_dict(own)
    return transport.to(own["centre"].device)
