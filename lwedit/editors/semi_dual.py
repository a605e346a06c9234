"""The semi-dual of optimal transport, and LW with a neural map fitted on it.

    min over T  max over f   E_x,u [ c(x, T(x, u)) - f(T(x, u)) ]  +  E_y [ f(y) ]

x are codes without the attribute, y codes with it, u noise. For the best f, T(x, .) moves mass as
the optimal plan does: Rout, Korotin, Burnaev, "Generative Modeling with Optimal Transport Maps",
ICLR 2022; with noise, Korotin, Selikhanovych, Burnaev, "Neural Optimal Transport", ICLR 2023. In
the unbalanced form (Choi, Choi, Kang, NeurIPS 2023) each expectation goes through softplus: codes
without a counterpart may be moved, or reached, less often than their share.

    f descends   softplus(f(T(x, u)) - c)  +  softplus(-f(y))  +  r1/2 |grad f|^2 on both sides
    T descends   softplus(c - f(T(x, u)))

two steps of f to one of T, both by Adam. What is kept of T is a running average of its weights. The
transport itself, the networks and the cost are in `lwedit.editors.neural`. Eq. 5 of LW's paper
enters as part of the cost: what an edit may not change has its price.

Every step draws from its own seed, so that a fit that was stopped and goes on ends in the same
weights as one that was not.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from lwedit.classifier import correlation
from lwedit.editors.base import FitData
from lwedit.editors.neural import (
    Direction,
    NeuralConfig,
    NeuralEditor,
    Transport,
    from_tokens,
    to_tokens,
)

__all__ = ["LatentWassersteinNeural", "SemiDual"]

_POTENTIAL_STEPS = 2
_RISE = 100  # steps in which the step size rises
_LAST = 0.1  # share of the step size that is left at the end
_CHECKPOINT_EVERY = 250

Preservation = Callable[[Tensor, Tensor], Tensor]  # standardised tokens, their move -> (n,)


class SemiDual:
    """A transport in training.

    Args:
        source: Tokens to move.
        target: Tokens to reach.
        tied: Whether tokens are alike, as cells are; see `Transport`.
        config: Settings.
        seed: Of everything random.
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
        preservation: Preservation | None = None,
    ):
        self.config, self.seed, self.done = config, seed, 0
        self.preservation = preservation
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            transport = Transport(*source.shape[1:], tied, config)
        self.transport = transport.to(source.device)
        self.transport.standardise(torch.cat([source, target]))
        self.source, self.target = (
            (side - transport.centre) / transport.scale for side in (source, target)
        )
        self.average = copy.deepcopy(self.transport)
        self.average.map.requires_grad_(False)
        self.average.potential = self.transport.potential
        self.move, self.value = self.transport.move, self.transport.value
        if config.compiled:
            self.move, self.value = torch.compile(self.move), torch.compile(self.value)
        self.optimisers = {
            name: torch.optim.Adam(net.parameters(), config.lr, betas=(0.0, 0.99))
            for name, net in (("map", transport.map), ("potential", transport.potential))
        }

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

    def _draw(self, side: Tensor, rng: torch.Generator) -> Tensor:
        """A batch of codes."""
        return side[torch.randint(len(side), (self.config.batch,), generator=rng).to(side.device)]

    def _moved(self, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """A batch of source codes and their move."""
        x = self._draw(self.source, rng)
        u = torch.randn(len(x), self.config.noise, generator=rng).to(x)
        return x, self.move(x, u)

    def _cost(self, x: Tensor, move: Tensor) -> Float[Tensor, " n"]:
        cost = self.transport.cost(move)
        return cost if self.preservation is None else cost + self.preservation(x, move)

    def _through(self, gap: Float[Tensor, " n"]) -> Float[Tensor, ""]:
        """An expectation of the semi-dual: of softplus in the unbalanced form."""
        return (gap if self.config.balanced else functional.softplus(gap)).mean()

    def _step_potential(self, rng: torch.Generator, count: int) -> None:
        with torch.no_grad():
            x, move = self._moved(rng)
            cost = self._cost(x, move)
        both = torch.cat([x + move, self._draw(self.target, rng)])
        with torch.enable_grad():
            penalised = self.config.r1 > 0 and count % self.config.r1_every == 0
            # A compiled network has no second derivative.
            read = self.transport.value if penalised else self.value
            value = read(both.requires_grad_(penalised))
            loss = self._through(value[: len(x)] - cost) + self._through(-value[len(x) :])
            if penalised:
                (slope,) = torch.autograd.grad(value.sum(), both, create_graph=True)
                size = slope.square().sum(dim=(1, 2)).mean()
                loss = loss + size * (self.config.r1 * self.config.r1_every / 2)
            self._descend("potential", loss)

    def _step_map(self, rng: torch.Generator) -> None:
        self.transport.potential.requires_grad_(False)
        with torch.enable_grad():
            x, move = self._moved(rng)
            gap = self._cost(x, move) - self.value(x + move)
            self._descend("map", self._through(gap))
        self.transport.potential.requires_grad_(True)

    def _descend(self, name: str, loss: Float[Tensor, ""]) -> None:
        optimiser = self.optimisers[name]
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


class LatentWassersteinNeural(NeuralEditor):
    """LW neural: the semi-dual solved for adding and for removing."""

    method: ClassVar[str] = "lw_neural"

    @classmethod
    def fit(
        cls,
        data: FitData,
        config: NeuralConfig | None = None,
        *,
        progress: bool = False,
        checkpoints: Path | None = None,
    ) -> "LatentWassersteinNeural":
        """Fit a map and a potential for each direction.

        Args:
            data: Codes, labels and classifier (for lam > 0) of the attribute.
            config: Settings.
            progress: Show bars.
            checkpoints: Folder in which the fit leaves its state, and from which it goes on.

        Raises:
            ValueError: If a code does not fall into the cells, or a checkpoint is of another fit.
        """
        config = config or NeuralConfig()
        pair = data.train.pair(data.attribute)
        sides = [to_tokens(side, config.cells) for side in pair]
        transports: dict[Direction, Transport] = {}
        for direction in config.directions:
            source, target = sides if direction == "add" else sides[::-1]
            seed = 2 * data.seed + (direction == "remove")
            training = SemiDual(source, target, config.cells is not None, config, seed)
            if config.lam:
                training.preservation = _Preserve(data, config, training.transport)
            path = None if checkpoints is None else checkpoints / f"{direction}.safetensors"
            _train(training, path, f"{data.attribute}, {direction}", progress)
            transports[direction] = _rounded(training.average)
        rng = torch.Generator().manual_seed(data.seed)
        noises = torch.randn(config.candidates, config.noise, generator=rng)
        return cls(data.attribute, data.train.space, transports, noises.to(pair.source))


def _train(training: SemiDual, path: Path | None, label: str, progress: bool) -> None:
    if path is not None and path.exists():
        training.load(path)
    steps = training.config.steps
    with tqdm(total=steps, initial=training.done, desc=label, disable=not progress) as bar:
        while training.done < steps:
            training.step()
            bar.update()
            if path and (training.done % _CHECKPOINT_EVERY == 0 or training.done == steps):
                training.save(path)


def _rounded(transport: Transport) -> Transport:
    """The networks' weights as float16 holds them, in which they are saved."""
    for net in (transport.map, transport.potential):
        for weight in net.parameters():
            weight.data = weight.data.half().float()
    return transport


class _Preserve:
    """Eq. 5 as part of the cost: lam / 2 mean_l (1 - gamma_l) (F_l(w') - F_l(w))^2."""

    def __init__(self, data: FitData, config: NeuralConfig, transport: Transport):
        k = data.train.column(data.attribute)
        varies = data.train.y.float().std(dim=0) > 0  # else no code tells what may change
        self.weight = (1 - correlation(data.train.y, k)) * varies * (config.lam / 2)
        self.classifier, self.cells, self.transport = data.classifier, config.cells, transport
        self.layers = data.train.space.layers

    def __call__(self, x: Tensor, move: Tensor) -> Float[Tensor, " n"]:
        """Of standardised tokens and their move."""
        before, after = (self._logits(t) for t in (x, x + move))
        return (self.weight * (after - before).square()).mean(dim=1)

    def _logits(self, t: Tensor) -> Tensor:
        codes = t * self.transport.scale + self.transport.centre
        return self.classifier(from_tokens(codes, self.cells, self.layers))
