"""The semi-dual of optimal transport, by which a map and a potential learn from each other.

    min over T  max over f   E_x,u [ c(x, T(x, u)) - f(T(x, u)) ]  +  E_y [ f(y) ]

x are codes without the attribute, y codes with it, u noise. For the best f, T(x, .) moves mass as
the optimal plan does: Rout, Korotin, Burnaev, "Generative Modeling with Optimal Transport Maps",
ICLR 2022; with noise, Korotin, Selikhanovych, Burnaev, "Neural Optimal Transport", ICLR 2023. In
the unbalanced form (Choi, Choi, Kang, NeurIPS 2023) each expectation goes through softplus: codes
without a counterpart may be moved, or reached, less often than their share.

    f descends   softplus(f(T(x, u)) - c)  +  softplus(-f(y))  +  r1/2 |grad f|^2 on both sides
    T descends   softplus(c - f(T(x, u)))

Where codes carry labels, the potential sees the labels of both sides, y' of moved codes and those
of target codes, each time but for a share that stay hidden, so that f_0 alone is a potential too;
and it goes on learning to read the labels of target codes.

Two steps of f go to one of T, both by Adam. What is kept of T is a running average of its weights.
The networks and the cost are in `lwedit.editors.token_transport`; whatever else an edit should pay
for, as Eq. 5 of LW's paper, is a `Preservation`.

Every step draws from its own seed, so that a fit that was stopped and goes on ends in the same
weights as one that was not.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from lwedit.editors.token_transport import NeuralConfig, Transport

__all__ = ["Labels", "SemiDual"]

_POTENTIAL_STEPS = 2
_RISE = 100  # steps in which the step size rises
_LAST = 0.1  # share of the step size that is left at the end
_READ_LR = 2e-3  # of reading alone: what it learns is learnt on with the smaller lr
_HIDDEN = 0.2  # share of labels that the potential does not see

Preservation = Callable[[Tensor, Tensor], Tensor]  # standardised tokens, their move -> (n,)


class Labels(NamedTuple):
    """What codes show, and what an edit does to it; classes before counts, as in `NeuralConfig`.

    Attributes:
        source: Labels of the codes to move; at least one class where an edit removes.
        target: Those of the codes to reach.
        adding: Whether an edit adds a thing; else it removes one.
    """

    source: Float[Tensor, "n_s labels"]
    target: Float[Tensor, "n_t labels"]
    adding: bool


class SemiDual:
    """A transport in training.

    Args:
        source: Tokens to move.
        target: Tokens to reach.
        tied: Whether tokens are alike, as cells are; see `Transport`.
        config: Settings.
        seed: Of everything random.
        labels: Of both sides, where the settings have classes.
        preservation: What is added to the cost, if anything: of standardised tokens and their move.

    Attributes:
        transport: Map and potential as they are.
        average: The same with the averaged weights of the map, what is kept.
        done: Steps so far.
    """

    def __init__(
        self,
        source: Float[Tensor, "n_s tokens entries"],
        target: Float[Tensor, "n_t tokens entries"],
        tied: bool,
        config: NeuralConfig,
        seed: int,
        labels: Labels | None = None,
        preservation: Preservation | None = None,
    ):
        self.labels = labels
        self.config, self.seed, self.done = config, seed, 0
        self.preservation = preservation
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            tokens, entries = source.shape[1:]
            transport = Transport(tokens, entries, tied, config)
        self.transport = transport.to(source.device)
        self.transport.standardise(torch.cat([source, target]))
        self.source, self.target = (
            (side - transport.centre) / transport.scale for side in (source, target)
        )
        self.average = copy.deepcopy(self.transport)
        self.average.map.requires_grad_(False)
        self.average.potential = self.transport.potential
        self.move, self.read = self.transport.move, self.transport.read
        if config.compiled:
            self.move, self.read = torch.compile(self.move), torch.compile(self.read)
        self.optimisers = {
            name: torch.optim.Adam(net.parameters(), config.lr, betas=(0.0, 0.99))
            for name, net in (("map", transport.map), ("potential", transport.potential))
        }

    def learn_to_read(self, progress: bool = False) -> None:
        """Teach the potential to read labels of codes of both sides, before the first step."""
        if self.labels is None or self.done:
            return
        codes, y = torch.cat([self.source, self.target]), torch.cat(self.labels[:2])
        rng, steps = torch.Generator().manual_seed(self.seed), self.config.read_steps
        optimiser = torch.optim.Adam(self.transport.potential.parameters(), betas=(0.0, 0.99))
        for i in tqdm(range(steps), desc="labels", disable=not progress):
            late = max(0.0, 2 * i / steps - 1)
            optimiser.param_groups[0]["lr"] = _READ_LR * min(1.0, (i + 1) / 50) * (1 - 0.9 * late)
            some = torch.randint(len(codes), (2 * self.config.batch,), generator=rng)
            self._descend(optimiser, _misread(self.read(codes[some]), y[some]))

    def step(self) -> None:
        """Two steps of the potential, one of the map."""
        rng = torch.Generator().manual_seed(self.seed * 1_000_003 + self.done)
        for optimiser in self.optimisers.values():
            optimiser.param_groups[0]["lr"] = self.config.lr * self._pace()
        for inner in range(_POTENTIAL_STEPS):
            self._step_potential(rng, self.done * _POTENTIAL_STEPS + inner)
        self._step_map(rng)
        with torch.no_grad():
            learned = self.transport.map.parameters()
            for kept, new in zip(self.average.map.parameters(), learned, strict=True):
                kept.lerp_(new, 1 - self.config.average)
        self.done += 1

    def _pace(self) -> float:
        """Share of the step size: a short rise, level, half a cosine."""
        late = max(0.0, 2 * self.done / self.config.steps - 1)
        fall = _LAST + (1 - _LAST) * (1 + math.cos(math.pi * min(late, 1.0))) / 2
        return min(1.0, (self.done + 1) / _RISE) * fall

    def _draw(self, side: Tensor, rng: torch.Generator) -> Int64[Tensor, " batch"]:
        """Which codes of a side are in a batch."""
        return torch.randint(len(side), (self.config.batch,), generator=rng).to(side.device)

    def _moved(self, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor | None]:
        """A batch of source codes, their move, and their labels after it."""
        some = self._draw(self.source, rng)
        x, transport, labels = self.source[some], self.transport, self.labels
        if labels is None:
            return x, self.move(x, self._noise(len(x), rng)), None
        y = labels.source[some]
        shown = y[:, : transport.classes].cpu()
        may = torch.ones_like(shown) if labels.adding else shown
        k = torch.multinomial(may, 1, generator=rng)[:, 0].to(x.device)
        u = transport.with_class(self._noise(len(x), rng), k)
        return x, self.move(x, u), transport.after(y, u, adding=labels.adding)

    def _noise(self, n: int, rng: torch.Generator) -> Float[Tensor, "n z"]:
        return torch.randn(n, self.transport.noise, generator=rng).to(self.source)

    def _value(
        self, read: Float[Tensor, "n outputs"], y: Float[Tensor, "n labels"] | None,
        rng: torch.Generator,
    ) -> Float[Tensor, " n"]:
        """f, of a share without labels."""
        if y is None:
            return self.transport.value_of(read, None)
        seen = (torch.rand(len(y), generator=rng) >= _HIDDEN).to(read.device)
        with_labels, without = (self.transport.value_of(read, labels) for labels in (y, None))
        return torch.where(seen, with_labels, without)

    def _cost(self, x: Tensor, move: Tensor) -> Float[Tensor, " n"]:
        cost = self.transport.cost(move)
        return cost if self.preservation is None else cost + self.preservation(x, move)

    def _through(self, gap: Float[Tensor, " n"]) -> Float[Tensor, ""]:
        """An expectation of the semi-dual: of softplus in the unbalanced form."""
        return (gap if self.config.balanced else functional.softplus(gap)).mean()

    def _step_potential(self, rng: torch.Generator, count: int) -> None:
        with torch.no_grad():
            x, move, after = self._moved(rng)
            cost = self._cost(x, move)
        some, n = self._draw(self.target, rng), len(x)
        both = torch.cat([x + move, self.target[some]])
        with torch.enable_grad():
            penalised = self.config.r1 > 0 and count % self.config.r1_every == 0
            # A compiled network has no second derivative.
            reader = self.transport.read if penalised else self.read
            read = reader(both.requires_grad_(penalised))
            labels = None if after is None else torch.cat([after, self._target_labels(some)])
            value = self._value(read, labels, rng)
            loss = self._through(value[:n] - cost) + self._through(-value[n:])
            if labels is not None:
                loss = loss + self.config.read_weight * _misread(read[n:], labels[n:])
            if penalised:
                (slope,) = torch.autograd.grad(value.sum(), both, create_graph=True)
                size = slope.square().sum(dim=(1, 2)).mean()
                loss = loss + size * (self.config.r1 * self.config.r1_every / 2)
            self._descend(self.optimisers["potential"], loss)

    def _target_labels(self, some: Int64[Tensor, " batch"]) -> Float[Tensor, "batch labels"]:
        assert self.labels is not None  # there are labels after a move only where there are labels
        return self.labels.target[some]

    def _step_map(self, rng: torch.Generator) -> None:
        self.transport.potential.requires_grad_(False)
        with torch.enable_grad():
            x, move, after = self._moved(rng)
            gap = self._cost(x, move) - self._value(self.read(x + move), after, rng)
            self._descend(self.optimisers["map"], self._through(gap))
        self.transport.potential.requires_grad_(True)

    @staticmethod
    def _descend(optimiser: torch.optim.Optimizer, loss: Float[Tensor, ""]) -> None:
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    def save(self, path: Path) -> None:
        """Write everything that going on needs (aside, then renamed)."""
        state = {f"now.{k}": v for k, v in self.transport.state_dict().items()}
        state |= {f"average.{k}": v for k, v in self.average.map.state_dict().items()}
        for name, optimiser in self.optimisers.items():
            for i, moments in optimiser.state_dict()["state"].items():
                state |= {f"adam.{name}.{i}.{k}": v.float() for k, v in moments.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        about = {"done": str(self.done), "settings": self._settings()}
        save_file({k: v.contiguous() for k, v in state.items()}, temporary, metadata=about)
        temporary.replace(path)

    def _settings(self) -> str:
        """What a checkpoint must agree with; the other direction is another fit."""
        return repr((replace(self.config, directions=("add",)), self.seed))

    def load(self, path: Path) -> None:
        """Go on from what `save` wrote.

        Raises:
            ValueError: If the file is damaged, or of other settings or another seed.
        """
        try:
            with safe_open(path, "pt") as file:
                about = file.metadata() or {}
            if about.get("settings") != self._settings():
                raise ValueError("it is of other settings")
            state = load_file(path)
            self.transport.load_state_dict(_part(state, "now."))
            self.average.map.load_state_dict(_part(state, "average."))
            for name, optimiser in self.optimisers.items():
                moments: dict[int, dict[str, Tensor]] = {}
                for key, value in _part(state, f"adam.{name}.").items():
                    index, _, field = key.partition(".")
                    moments.setdefault(int(index), {})[field] = value
                held = optimiser.state_dict()
                optimiser.load_state_dict({"state": moments, "param_groups": held["param_groups"]})
            self.done = int(about["done"])
        except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
            raise ValueError(f"{path} must be a checkpoint of this fit: {error}") from error


def _part(state: dict[str, Tensor], start: str) -> dict[str, Tensor]:
    return {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}


def _misread(
    read: Float[Tensor, "n outputs"], y: Float[Tensor, "n labels"]
) -> Float[Tensor, ""]:
    """Cross-entropy of the labels that the potential reads."""
    return functional.binary_cross_entropy_with_logits(read[:, 1:], y)
