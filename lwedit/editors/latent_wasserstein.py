"""Latent Wasserstein (LW): an affine edit that moves one distribution of codes onto another.

Doubinsky, Audebert, Crucianu, Le Borgne, "Wasserstein Loss for Semantic Editing in the Latent
Space of GANs". H minimises L_edit + lambda L_pres (`lwedit.editors.objective`); w' = w + alpha
H(w) adds the attribute for alpha > 0, and alpha < 0 removes it, in Eq. 1 by the same H. With
`back = "mean"` it runs the mean move of H backwards: H was learnt on codes without the attribute,
and how it depends on them says little about codes with it. LW(*) is the core method, lambda = 0,
which never looks at a classifier.

Two solvers of the same loss: `solver_adam`, the paper's (`lwedit.editors.paper` is its whole
recipe), and `solver_alternate`, the default here because the noise of mini-batches shrinks codes to
their mean. On Gaussians both must find the closed-form map (`lwedit.transport.gaussian`).
"""

from dataclasses import replace
from typing import ClassVar

import torch

from lwedit.editors.affine import AffineEditor, AffineMap
from lwedit.editors.base import FitData
from lwedit.editors.config import LatentWassersteinConfig
from lwedit.editors.frame import frame_of
from lwedit.editors.objective import Problem, Solution, prepare
from lwedit.editors.solver_adam import solve_adam
from lwedit.editors.solver_alternate import solve_alternate

__all__ = ["LatentWasserstein", "LatentWassersteinStar"]

_SOLVERS = {"adam": solve_adam, "alternate": solve_alternate}


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
        rng = torch.Generator().manual_seed(data.seed)
        frame = frame_of(data.train.w)
        problem = prepare(data if frame is None else frame.enter(data), config, rng)
        solution = _SOLVERS[config.solver](problem, rng, progress=progress)
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
