"""The loss of Latent Wasserstein (Eq. 4 and 5), written once for every solver.

    L = L_edit + lambda L_pres
    L_edit = W(w', y)            Eq. 4, cost |w' - y|^2 / 2
    L_pres = W(u(w'), u(w))      Eq. 5, cost |u - u'|^2 / 2 with u_l = sqrt(1 - gamma_lk) F_l

W is the Sinkhorn divergence. Eq. 5 needs no cost of its own: it is the squared distance between
points u. (The paper prints it as "L_edit = W(mu_s, mu_s)"; the text makes it the divergence of
edited from unedited sources.) F are logits, as in LT, or probabilities: the paper does not say.

A term is given as the two `Clouds` between which W is taken. Who asks says what is wanted of W: its
value with autograd (`solvers.adam`), its converged value (held-out codes), or its negative gradient
(`solvers.gradient`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from lwedit.classifier import correlation
from lwedit.editors.base import FitData
from lwedit.vocabulary import flatten_codes, unflatten_codes

__all__ = ["Clouds", "Features", "Loss", "Outputs", "Sides", "features_to_preserve"]

Features = Callable[[Tensor], Tensor]  # u of Eq. 5, (n, layers, dim) -> (n, attributes)
Outputs = Literal["logits", "probabilities"]
Value = TypeVar("Value", float, Tensor)


class Sides(NamedTuple):
    """Source codes with masses, and target codes.

    Attributes:
        source: Codes without the attribute.
        target: Codes with it.
        a: Masses of the source, summing to 1.
        b: Masses of the target, uniform.
        paired: Whether every target is a changed source. Such codes are no independent samples: a
            code's match with itself is part of both plans then and cancels
            (`lwedit.transport.plans`).
    """

    source: Float[Tensor, "n_s layers dim"]
    target: Float[Tensor, "n_t layers dim"]
    a: Float[Tensor, " n_s"]
    b: Float[Tensor, " n_t"]
    paired: bool = False


class Clouds(NamedTuple):
    """What W compares in one term of the loss.

    Attributes:
        x: Points that move with the edit.
        y: Points that stay.
        a: Masses of x.
        b: Masses of y.
        blur: Square root of eps, in the units of the points.
        exclude_self_matches: Whether a point is barred from itself in W's debiasing terms.
    """

    x: Float[Tensor, "n points"]
    y: Float[Tensor, "m points"]
    a: Float[Tensor, " n"]
    b: Float[Tensor, " m"]
    blur: float
    exclude_self_matches: bool


@dataclass(frozen=True)
class Loss:
    """L for one attribute, on any codes.

    Attributes:
        lam: lambda.
        features: u of Eq. 5, None where lambda is 0 or nothing is to be preserved.
        distance: Median distance between source and target codes, the unit of blur in Eq. 4.
        feature_distance: The same between the u of two source codes, in Eq. 5.
        mask: 1 for the layers that H may move, 0 for the others.
        exclude_self_matches: Whether self-matches are excluded from the debiasing terms of Eq. 4.
    """

    lam: float
    features: Features | None
    distance: float
    feature_distance: float
    mask: Float[Tensor, "layers 1"]
    exclude_self_matches: bool

    def __call__(
        self, sides: Sides, edited: Float[Tensor, "n_s layers dim"], fraction: float,
        divergence: Callable[[Clouds], Value],
    ) -> Value:
        """L = L_edit + lambda L_pres.

        Args:
            sides: Codes and masses.
            edited: w' for every source code.
            fraction: Blur as a fraction of the median distances.
            divergence: W of two clouds.
        """
        total = divergence(self.edit(sides, edited, fraction))
        if self.features is None:
            return total
        return total + self.lam * divergence(self.preservation(sides, edited, fraction))

    def edit(
        self, sides: Sides, edited: Float[Tensor, "n_s layers dim"], fraction: float
    ) -> Clouds:
        """What L_edit compares: w' and y (Eq. 4)."""
        return Clouds(points(edited, self.mask), points(sides.target, self.mask), sides.a, sides.b,
                      fraction * self.distance, self.exclude_self_matches and not sides.paired)

    def preservation(
        self, sides: Sides, edited: Float[Tensor, "n_s layers dim"], fraction: float
    ) -> Clouds:
        """What L_pres compares: u(w') and u(w) (Eq. 5).

        They are the same codes before and after, not independent samples: the match of a code with
        itself is part of both plans and cancels.
        """
        assert self.features is not None
        return Clouds(self.features(edited), self.features(sides.source), sides.a, sides.a,
                      fraction * self.feature_distance, False)

    def whole(self, v: Float[Tensor, "n points"]) -> Float[Tensor, "n flat"]:
        """Moves of L_edit's points as moves of whole codes, 0 in the layers that stay."""
        may = self.mask[:, 0].bool()
        full = v.new_zeros(len(v), len(may), v.shape[1] // int(may.sum()))
        full[:, may] = unflatten_codes(v, int(may.sum()))
        return flatten_codes(full)


def points(
    w: Float[Tensor, "n layers dim"], mask: Float[Tensor, "layers 1"]
) -> Float[Tensor, "n points"]:
    """Codes as L_edit sees them: without the layers that H may not move.

    Those would only blur the plan: a source code whose other layers resemble a target's is no
    closer to it where it can move. They are left out rather than set to 0, because costs take time
    for every coordinate.
    """
    return flatten_codes(w[:, mask[:, 0].bool()])


def features_to_preserve(
    data: FitData, outputs: Outputs, *, keep_constant: bool
) -> Features | None:
    """u_l = sqrt(1 - gamma_lk) F_l (Eq. 5); attribute k itself has gamma = 1 and drops out.

    Args:
        data: Codes, labels and F.
        outputs: Which outputs of F.
        keep_constant: Whether attributes that never vary in the training codes are preserved too.

    Returns:
        The features, or None where there is nothing to preserve.

    Raises:
        ValueError: If F does not predict the attributes that the codes are labelled with.
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
    if not keep_constant:
        varies = (data.train.y != data.train.y[:1]).any(dim=0)
        scale = torch.where(varies, scale, 0.0)
    if not scale.any():
        return None

    def features(w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n attributes"]:
        logits = classifier(w)
        return scale * (logits.sigmoid() if outputs == "probabilities" else logits)

    return features
