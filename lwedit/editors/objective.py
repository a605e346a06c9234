"""The loss of Latent Wasserstein, prepared for one attribute.

    L = L_edit + lambda L_pres
    L_edit = W(w', y)            Eq. 4, cost |w' - y|^2 / 2
    L_pres = W(u(w'), u(w))      Eq. 5, cost |u - u'|^2 / 2 with u_l = sqrt(1 - gamma_lk) F_l

W is the Sinkhorn divergence. Eq. 5 needs no cost of its own: it is the squared distance between
points u. (The paper prints it as "L_edit = W(mu_s, mu_s)"; the text makes it the divergence of
edited from unedited sources.) F are logits, as in LT, or probabilities: the paper does not say.

Both solvers take a `Problem` and return the map with the lowest loss on held-out codes, where
the loss is always measured with the same blur, so that candidates of different blur compare.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from lwedit.classifier import correlation
from lwedit.editors.affine import AffineMap
from lwedit.editors.base import FitData
from lwedit.editors.config import LatentWassersteinConfig
from lwedit.latents import LatentSet
from lwedit.transport import (
    blur_from_fraction,
    divergence,
    sample_weights,
    sinkhorn_divergence,
)
from lwedit.vocabulary import flatten_codes, unflatten_codes

__all__ = ["Displacement", "Problem", "Sides", "Solution", "prepare"]

_PAIRS, _NEAR = 200, 0.35  # codes that tell whether sets are paired, and how near pairs are

Features = Callable[[Tensor], Tensor]
Displacement = Callable[[Tensor], Tensor]  # H, (n, layers, dim) -> (n, layers, dim)


class Sides(NamedTuple):
    """Source codes with masses, and target codes.

    Attributes:
        source: Codes without the attribute.
        target: Codes with it.
        a: Masses of the source, summing to 1.
        b: Masses of the target, uniform.
    """

    source: Float[Tensor, "n_s layers dim"]
    target: Float[Tensor, "n_t layers dim"]
    a: Float[Tensor, " n_s"]
    b: Float[Tensor, " n_t"]


class Solution(NamedTuple):
    """What a solver found.

    Attributes:
        map: H.
        loss: Its held-out loss.
        blur: The candidate it was fitted with.
        ridge: The penalty of its last regression, 0 for Adam.
        steps: Rounds or steps that led to it.
    """

    map: AffineMap
    loss: float
    blur: float
    ridge: float
    steps: int


@dataclass(frozen=True)
class Problem:
    """Everything a solver needs.

    Attributes:
        train: Sides to fit on.
        held_out: Sides to choose on.
        features: u of Eq. 5, None where lambda is 0.
        distance: Median distance between source and target codes, the unit of blur.
        feature_distance: The same between the u of two source codes.
        config: Settings.
        mask: 1 for the layers that H may move, 0 for the others.
        paired: Whether every target is a changed source, among the codes to fit on and among those
            to choose on. Such codes are no independent samples: a code's own match is part of both
            plans then and cancels by itself (`lwedit.transport.plans`).
    """

    train: Sides
    held_out: Sides
    features: Features | None
    distance: float
    feature_distance: float
    config: LatentWassersteinConfig
    mask: Float[Tensor, "layers 1"]
    paired: tuple[bool, bool] = (False, False)

    def own_match(self, *, held_out: bool = False) -> bool:
        """Whether L_edit's debiasing terms let a code match itself."""
        return not self.config.leave_one_out or self.paired[held_out]

    def points(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n moved"]:
        """Codes as L_edit sees them: without the layers that H may not move.

        Those would only blur the plan: a source code whose other layers resemble a target's is no
        closer to it where it can move. They are left out rather than set to 0, because costs
        take time for every coordinate.
        """
        return _moved(w, self.mask)

    def whole(self, v: Float[Tensor, "n moved"]) -> Float[Tensor, "n flat"]:
        """Moves of `points` as moves of whole codes, 0 in the layers that stay."""
        may = self.mask[:, 0].bool()
        full = v.new_zeros(len(v), len(may), v.shape[1] // int(may.sum()))
        full[:, may] = unflatten_codes(v, int(may.sum()))
        return flatten_codes(full)

    def loss(
        self, sides: Sides, edited: Float[Tensor, "n_s layers dim"], fraction: float
    ) -> Float[Tensor, ""]:
        """L on one set of codes, differentiable in the edited ones.

        Args:
            sides: Codes and masses.
            edited: w' for every source code.
            fraction: Blur as a fraction of the median distances.
        """
        config = self.config
        x, y = self.points(edited), self.points(sides.target)
        total = sinkhorn_divergence(
            x, y, blur=fraction * self.distance, a=sides.a, b=sides.b, scaling=config.scaling
        )
        if self.features is None:
            return total
        preserved = sinkhorn_divergence(
            self.features(edited), self.features(sides.source),
            blur=fraction * self.feature_distance, a=sides.a, b=sides.a, scaling=config.scaling,
        )
        return total + config.lam * preserved

    @torch.no_grad()
    def held_out_loss(self, map: Displacement) -> float:
        """L of a map on held-out codes, at the blur that all candidates share."""
        sides, fraction = self.held_out, self.config.blur_held_out
        edited = sides.source + map(sides.source)
        total = divergence(
            self.points(edited), self.points(sides.target),
            (fraction * self.distance) ** 2, sides.a, sides.b,
            own_match=self.own_match(held_out=True),
        )
        if self.features is None:
            return total
        # u(w') and u(w) are the same codes before and after, not independent samples: here the
        # match of a code with itself is part of both plans and cancels by itself.
        preserved = divergence(
            self.features(edited), self.features(sides.source),
            (fraction * self.feature_distance) ** 2, sides.a, sides.a,
        )
        return total + self.config.lam * preserved


def prepare(data: FitData, config: LatentWassersteinConfig, rng: Generator) -> Problem:
    """Codes, masses, features and units for one attribute.

    Args:
        data: Codes, labels and the latent classifier.
        config: Settings.
        rng: Source of subsamples.

    Raises:
        ValueError: If the target attribute is weighed by, a layer to be moved does not exist, or
            the classifier does not predict the attributes that the codes are labelled with.
    """
    if data.attribute in config.group_by:
        raise ValueError(f"group_by must not hold the target attribute {data.attribute!r}.")
    train = _sides(_capped(data.train, data.attribute, config.most_codes, rng),
                   data.attribute, config, "train")
    held_out = _sides(_capped(data.validation, data.attribute, config.held_out, rng),
                      data.attribute, config, "validation")
    features, unit = None, 0.0
    if config.lam > 0:
        features = _features(data, config)
    if features is not None:
        with torch.no_grad():
            u = features(train.source)
        unit = blur_from_fraction(1.0, u, u, rng)
    mask = _mask(config.layers, data.train.space.layers).to(train.source.device)
    distance = blur_from_fraction(1.0, _moved(train.source, mask), _moved(train.target, mask), rng)
    paired = tuple(_paired(_moved(sides.source, mask), _moved(sides.target, mask))
                   for sides in (train, held_out))
    return Problem(train, held_out, features, distance, unit, config, mask, paired)


def _paired(x: Float[Tensor, "n moved"], y: Float[Tensor, "m moved"]) -> bool:
    """Whether target codes lie much nearer to source codes than target codes to each other.

    The mean move is taken off before, once roughly and once between the pairs that it gives. The
    denser cloud has nearer neighbours by chance, as (m / n)^(1 / dimensions).
    """
    some = torch.arange(0, len(y), max(len(y) // _PAIRS, 1), device=y.device)
    centre = y.mean(dim=0)
    x, y = x - centre, y - centre
    own = torch.cdist(y[some], y)
    own[torch.arange(len(some)), some] = torch.inf
    shift = y.mean(dim=0) - x.mean(dim=0)
    nearest = torch.cdist(y[some] - shift, x).argmin(dim=1)
    shift = (y[some] - x[nearest]).median(dim=0).values
    across = torch.cdist(y[some] - shift, x).min(dim=1).values
    chance = min(len(y) / len(x), 1.0) ** (1 / x.shape[1])
    return float((across / own.min(dim=1).values).median()) < _NEAR * chance


def _moved(
    w: Float[Tensor, "n layers dim"], mask: Float[Tensor, "layers 1"]
) -> Float[Tensor, "n moved"]:
    return flatten_codes(w[:, mask[:, 0].bool()])


def _mask(layers: tuple[int, ...] | None, count: int) -> Float[Tensor, "layers 1"]:
    if layers is None:
        return torch.ones(count, 1)
    if not set(layers) <= set(range(count)):
        raise ValueError(f"layers must lie in 0..{count - 1}, got {layers}.")
    mask = torch.zeros(count, 1)
    mask[list(layers)] = 1.0
    return mask


def _sides(
    latents: LatentSet, attribute: str, config: LatentWassersteinConfig, what: str
) -> Sides:
    source, target = latents.pair(attribute)
    has = latents.labels(attribute) == 1
    by = latents.labels_of(config.group_by)
    a = sample_weights(by[~has], by[has], config.weights)
    b = torch.full_like(target[:, 0, 0], 1 / len(target))
    source, a = _merged(source, a)
    target, b = _merged(target, b)
    for codes, mass, words in ((source, a, "without"), (target, b, "with")):
        if config.leave_one_out and not float(mass.max()) < 0.5:
            raise ValueError(
                f"{what} must be three different codes at least {words} {attribute!r}, none of "
                f"them half of all: got {len(codes)}, the most frequent {float(mass.max()):.0%}."
            )
    return Sides(source, target, a, b)


def _merged(
    w: Float[Tensor, "n layers dim"], mass: Float[Tensor, " n"]
) -> tuple[Float[Tensor, "m layers dim"], Float[Tensor, " m"]]:
    """Equal codes as one with the mass of all; codes that differ come back as they are.

    A copy would be as good a match as the code itself, which `leave_one_out` is to keep away.
    """
    axis = torch.randn(w[0].numel(), generator=torch.Generator().manual_seed(0)).to(w).double()
    along = (flatten_codes(w).double() * axis).sum(dim=1)  # the same for equal codes only
    _, group = along.unique(return_inverse=True)
    count = int(group.max()) + 1
    if count == len(w):
        return w, mass
    first = torch.full((count,), len(w), device=w.device).scatter_reduce(
        0, group, torch.arange(len(w), device=w.device), "amin")
    return w[first], mass.new_zeros(count).index_add(0, group, mass)


def _capped(latents: LatentSet, attribute: str, cap: int, rng: Generator) -> LatentSet:
    """At most `cap` codes of each label, drawn at random where there are more."""
    y = latents.labels(attribute)
    if max(int((y == label).sum()) for label in (0, 1)) <= cap:
        return latents
    order = torch.randperm(len(latents), generator=rng).to(y.device)
    keep = [order[y[order] == label][:cap] for label in (0, 1)]
    return latents.subset(torch.cat(keep))


def _features(data: FitData, config: LatentWassersteinConfig) -> Features | None:
    """u_l = sqrt(1 - gamma_lk) F_l; attribute k itself has gamma = 1 and drops out.

    None where that leaves nothing to preserve.
    """
    classifier = data.classifier
    data.train.space.require(classifier.space)
    if classifier.attributes != data.train.attributes:
        raise ValueError(
            f"classifier must predict the attributes of the codes, {data.train.attributes}, got "
            f"{classifier.attributes}."
        )
    gamma = correlation(data.train.y, data.train.column(data.attribute))
    scale = (1 - gamma).sqrt()
    if not config.keep_constant:
        varies = (data.train.y != data.train.y[:1]).any(dim=0)
        scale = torch.where(varies, scale, 0.0)
    if not scale.any():
        return None

    def features(w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n attributes"]:
        logits = classifier(w)
        return scale * (logits.sigmoid() if config.outputs == "probabilities" else logits)

    return features
