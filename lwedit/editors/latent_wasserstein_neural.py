"""LW with a neural map, fitted: which codes are moved onto which, and what they pay for.

A direction is a transport of its own (`lwedit.editors.semi_dual`). With lam > 0, Eq. 5 of LW's
paper enters as part of the cost: what an edit may not change has its price.
"""

from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from lwedit.classifier import correlation
from lwedit.editors.base import FitData
from lwedit.editors.neural import NeuralEditor
from lwedit.editors.semi_dual import Labels, SemiDual
from lwedit.editors.token_transport import (
    Direction,
    NeuralConfig,
    Transport,
    from_tokens,
    to_tokens,
)

__all__ = ["LatentWassersteinNeural"]

_CHECKPOINT_EVERY = 250  # steps


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
            ValueError: If a code does not fall into the cells, the attribute is none of
                `config.counts`, a code to remove from shows no class, or a checkpoint is of
                another fit.
        """
        config = config or NeuralConfig()
        transports: dict[Direction, Transport] = {}
        for direction in config.directions:
            source, target, labels = _sides(data, config, adding=direction == "add")
            seed, tied = 2 * data.seed + (direction == "remove"), config.cells is not None
            training = SemiDual(source, target, tied, config, seed, labels)
            if config.lam:
                training.preservation = _Preserve(data, config, training.transport)
            path = None if checkpoints is None else checkpoints / f"{direction}.safetensors"
            _train(training, path, f"{data.attribute}, {direction}", progress)
            transports[direction] = _rounded(training.average)
        rng = torch.Generator().manual_seed(data.seed)
        noises = torch.randn(config.candidates, config.noise, generator=rng)
        return cls(data.attribute, data.train.space, transports, noises.to(data.train.w))


def _train(training: SemiDual, path: Path | None, label: str, progress: bool) -> None:
    if path is not None and path.exists():
        training.load(path)
    steps = training.config.steps
    training.learn_to_read(progress)
    with tqdm(total=steps, initial=training.done, desc=label, disable=not progress) as bar:
        while training.done < steps:
            training.step()
            bar.update()
            if path and (training.done % _CHECKPOINT_EVERY == 0 or training.done == steps):
                training.save(path)


def _sides(
    data: FitData, config: NeuralConfig, *, adding: bool
) -> tuple[Tensor, Tensor, Labels | None]:
    """Tokens to move and tokens to reach, with their labels if the settings have any.

    With labels the codes of every number of things are there, of each equally many. Where a thing
    is removed, images that show a class twice are left out: their labels, which say only that it is
    there, do not tell what is left.
    """
    counts = config.counts or (data.attribute,)
    more = torch.stack([data.train.labels(name) for name in counts], dim=1)
    if not config.classes:
        few, many = (to_tokens(side, config.cells) for side in data.train.pair(data.attribute))
        return (few, many, None) if adding else (many, few, None)
    if data.attribute not in counts:
        raise ValueError(f"attribute must be one of counts, {counts}, got {data.attribute!r}.")
    shown = torch.stack([data.train.labels(name) for name in config.classes], dim=1)
    n = more.sum(dim=1)
    once = shown.sum(dim=1) - n
    usable = torch.ones_like(n, dtype=torch.bool) if adding else once == once.max()
    y = torch.cat([shown, more], dim=1).to(data.train.w)
    tokens = to_tokens(data.train.w, config.cells)
    found = [(usable & (n == c)).nonzero()[:, 0] for c in n.unique().tolist()]
    most = min(map(len, found))
    found = [some[:most] for some in found]
    few, many = torch.cat(found[:-1]), torch.cat(found[1:])
    source, target = (few, many) if adding else (many, few)
    if not adding and not (most and shown[source].any(dim=1).all()):
        raise ValueError(f"every code that loses one of classes, {config.classes}, must show one.")
    return tokens[source], tokens[target], Labels(y[source], y[target], adding)


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
