"""LW to the letter, as published: the recipe of the paper with nothing of this project in it.

Doubinsky, Audebert, Crucianu, Le Borgne, section 4.1: H affine, all layers, 0 at the start; Adam
1e-3 on batches of min(n_s, n_t) codes of each side; GeomLoss; early stopping on held-out codes;
lambda = 1, 15 for glasses; w' = w + alpha H(w) both ways (Eq. 1); source codes of the biased data
set weighed over its most common attributes, as section 3.2 says in words. Its own matches are in
the debiasing terms, as GeomLoss has them, also where early stopping looks.

The paper is silent on four things, decided once and never tuned: one map a layer, as its rival LT;
blur .3 of the median distance between a source and a target code (GeomLoss's own .05 makes plans
of single pairs, which shrink the codes further); 1,000 held-out codes a side, looked at every 20
steps, five looks without a gain end the fit; the two most common attributes are weighed.
"""

from dataclasses import replace
from typing import ClassVar

import torch

from lwedit.editors.affine import AffineMap
from lwedit.editors.base import FitData
from lwedit.editors.config import LatentWassersteinConfig
from lwedit.editors.latent_wasserstein import LatentWasserstein
from lwedit.editors.solvers import AdamSolver
from lwedit.latents import LatentSet, Space

__all__ = ["PAPER", "LatentWassersteinPaper", "half", "paper_config"]

PAPER = LatentWassersteinConfig(
    solver=AdamSolver(lr=1e-3, batch=None, max_steps=1_000, check_every=20, patience=5),
    shape="per_layer", layers=None, lam=1.0, blur=(0.3,), blur_held_out=0.3,
    exclude_self_matches=False, back="map", most_codes=1_000_000, held_out=1_000,
)
_LAMBDA = {"eyeglasses": 15.0, "glasses": 15.0}
_COMMON = 2  # attributes that masses go by


def paper_config(
    latents: LatentSet, attribute: str, *, biased: bool, most_batch: int | None = None
) -> LatentWassersteinConfig:
    """The settings of the paper for one edit.

    Args:
        latents: Training codes, whose labels say which attributes are most common.
        attribute: Target attribute.
        biased: Whether codes with and without an attribute differ in others for no reason but how
            they were collected, as faces do. Of images of n and of n + 1 digits they do by nature.
        most_batch: Most codes a side in a step; a number is a deviation, to be said.
    """
    assert isinstance(PAPER.solver, AdamSolver)
    config = replace(PAPER, lam=_LAMBDA.get(attribute.lower(), 1.0),
                     solver=replace(PAPER.solver, batch=most_batch))
    common = _common(latents, attribute) if biased else ()
    return replace(config, weights="prose", group_by=common) if common else config


def _common(latents: LatentSet, attribute: str) -> tuple[str, ...]:
    """The most common attributes beside the target, as many as both sides have combinations of."""
    has = latents.labels(attribute) == 1
    shares = dict(zip(latents.attributes, latents.y.float().mean(dim=0).tolist(), strict=True))
    others = [name for name in shares if name != attribute and 0 < shares[name] < 1]
    names = sorted(others, key=lambda name: -shares[name])[:_COMMON]
    while names:
        by = latents.labels_of(tuple(names))
        seen = {tuple(row) for row in by[~has].tolist()} & {tuple(row) for row in by[has].tolist()}
        if seen:
            break
        names.pop()
    return tuple(names)


class LatentWassersteinPaper(LatentWasserstein):
    """LW as published; kept in half precision."""

    method: ClassVar[str] = "lw_paper"

    @classmethod
    def fit(
        cls,
        data: FitData,
        config: LatentWassersteinConfig | None = None,
        *,
        progress: bool = False,
    ) -> "LatentWassersteinPaper":
        """Learn the edit.

        Args:
            data: Codes, labels and the latent classifier.
            config: From `paper_config`; that of data without bias if left out.
            progress: Show a bar.

        Raises:
            ValueError: If the codes have one label only.
        """
        if config is None:
            config = paper_config(data.train, data.attribute, biased=False)
        fitted = super().fit(data, config, progress=progress)
        editor = cls(data.attribute, data.train.space, half(fitted.map))
        editor.solution = fitted.solution
        return editor

    def state(self) -> dict[str, torch.Tensor]:
        """The map in half precision, which holds it exactly."""
        return {name: part.half() for name, part in super().state().items()}

    @classmethod
    def restore(
        cls, state: dict[str, torch.Tensor], attribute: str, space: Space
    ) -> "LatentWassersteinPaper":
        """Inverse of `state`.

        Args:
            state: What `state` gave.
            attribute: What the edit adds.
            space: Where its codes live.
        """
        whole = {name: part.float() for name, part in state.items()}
        return cls(attribute, space, AffineMap.of(whole))


def half(map: AffineMap) -> AffineMap:
    """The same map with entries that half precision can hold."""
    weight = None if map.weight is None else map.weight.half().float()
    return AffineMap(weight, map.bias.half().float())
