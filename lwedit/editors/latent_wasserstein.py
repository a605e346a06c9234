"""Latent Wasserstein (LW): an affine edit that moves one distribution of codes onto another.

Doubinsky, Audebert, Crucianu, Le Borgne, "Wasserstein Loss for Semantic Editing in the Latent
Space of GANs". H minimises L_edit + lambda L_pres (`lwedit.editors.loss`); w' = w + alpha
H(w) adds the attribute for alpha > 0, and alpha < 0 removes it, in Eq. 1 by the same H. With
`back = "mean"` it runs the mean move of H backwards: H was learnt on codes without the attribute,
and how it depends on them says little about codes with it. LW(*) is the core method, lambda = 0,
which never looks at a classifier.

Two solvers of the same loss (`lwedit.editors.solvers`): `AdamSolver`, the paper's
(`lwedit.editors.paper` is its whole recipe), and `AlternateSolver`, the default here because the
noise of mini-batches shrinks codes to their mean. On Gaussians both must find the closed-form map
(`lwedit.transport.gaussian`).
"""

from dataclasses import replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from lwedit.editors.affine import AffineEditor, AffineMap
from lwedit.editors.base import FitData
from lwedit.editors.config import LatentWassersteinConfig
from lwedit.editors.frame import frame_of
from lwedit.editors.loss import Loss, Sides, features_to_preserve, points
from lwedit.editors.problem import Problem, Solution
from lwedit.editors.sides import are_paired, capped, sides_of
from lwedit.transport import blur_from_fraction

__all__ = ["LatentWasserstein", "LatentWassersteinStar", "prepare"]


class LatentWasserstein(AffineEditor):
    """LW.

    Attributes:
        solution: What the solver chose and its held-out loss; None for a loaded editor.
    """

    method: ClassVar[str] = "lw"
    solution: Solution | None = None

    @classmethod
    def fit(
        cls,
        data: FitData,
        config: LatentWassersteinConfig | None = None,
        *,
        progress: bool = False,
    ) -> "LatentWasserstein":
        """Learn the edit.

        Args:
            data: Codes, labels and the latent classifier (used where lambda > 0).
            config: Settings, the defaults if left out.
            progress: Show a bar.

        Raises:
            ValueError: If the codes have one label only, or the settings do not suit them.
        """
        config = LatentWassersteinConfig() if config is None else config
        rng = Generator().manual_seed(data.seed)
        frame = frame_of(data.train.w)
        problem = prepare(data if frame is None else frame.enter(data), config, rng)
        solution = config.solver.solve(problem, rng, progress=progress)
        if config.back == "mean":
            solution = solution._replace(map=_with_mean_back(solution.map, problem))
        if frame is not None:
            solution = solution._replace(map=frame.leave(solution.map))
        editor = cls(data.attribute, data.train.space, solution.map)
        editor.solution = solution
        return editor


class LatentWassersteinStar(LatentWasserstein):
    """LW(*): lambda = 0, whatever the settings say."""

    method: ClassVar[str] = "lw_star"

    @classmethod
    def fit(
        cls,
        data: FitData,
        config: LatentWassersteinConfig | None = None,
        *,
        progress: bool = False,
    ) -> "LatentWasserstein":
        """Learn the edit without the preservation term.

        Args:
            data: Codes and labels; the classifier is not used.
            config: Settings, of which lambda is set to 0.
            progress: Show a bar.
        """
        config = LatentWassersteinConfig() if config is None else config
        return super().fit(data, replace(config, lam=0.0), progress=progress)


def _with_mean_back(map: AffineMap, problem: Problem) -> AffineMap:
    """The same H; alpha < 0 runs its mean move over the source codes backwards."""
    train = problem.train
    return replace(map, back=torch.einsum("n,nld->ld", train.a, map(train.source)))


def prepare(data: FitData, config: LatentWassersteinConfig, rng: Generator) -> Problem:
    """Codes, masses, loss and units for one attribute.

    Args:
        data: Codes, labels and the latent classifier.
        config: Settings.
        rng: Source of subsamples.

    Raises:
        ValueError: If the target attribute is weighed by, a layer to be moved does not exist, a
            side has too few different codes, or the classifier does not predict the attributes that
            the codes are labelled with.
    """
    if data.attribute in config.group_by:
        raise ValueError(f"group_by must not hold the target attribute {data.attribute!r}.")
    both = []
    for latents, most, words in ((data.train, config.most_codes, "train"),
                                 (data.validation, config.held_out, "validation")):
        sides = sides_of(capped(latents, data.attribute, most, rng), data.attribute,
                         config.weights, config.group_by)
        if config.exclude_self_matches:
            _check_masses(sides, data.attribute, words)
        both.append(sides)
    source, target = both[0].source, both[0].target
    features, unit = None, 0.0
    if config.lam > 0:
        features = features_to_preserve(
            data, config.outputs, keep_constant=config.keep_constant
        )
    if features is not None:
        with torch.no_grad():
            u = features(source)
        unit = blur_from_fraction(1.0, u, u, rng)
    mask = _mask(config.layers, data.train.space.layers).to(source.device)
    distance = blur_from_fraction(1.0, points(source, mask), points(target, mask), rng)
    train, held_out = (
        sides._replace(paired=are_paired(points(sides.source, mask), points(sides.target, mask)))
        for sides in both
    )
    loss = Loss(config.lam, features, distance, unit, mask, config.exclude_self_matches)
    return Problem(train, held_out, loss, config.shape, config.rank, config.blur,
                   config.blur_held_out)


def _check_masses(sides: Sides, attribute: str, words: str) -> None:
    """Without self-matches every code needs others that hold half of the mass at least."""
    for codes, mass, has in (
        (sides.source, sides.a, "without"), (sides.target, sides.b, "with")
    ):
        if not float(mass.max()) < 0.5:
            raise ValueError(
                f"{words} must be three different codes at least {has} {attribute!r}, none of "
                f"them half of all: got {len(codes)}, the most frequent {float(mass.max()):.0%}."
            )


def _mask(layers: tuple[int, ...] | None, count: int) -> Float[Tensor, "layers 1"]:
    """1 for the layers that H may move."""
    if layers is None:
        return torch.ones(count, 1)
    if not set(layers) <= set(range(count)):
        raise ValueError(f"layers must lie in 0..{count - 1}, got {layers}.")
    mask = torch.zeros(count, 1)
    mask[list(layers)] = 1.0
    return mask
