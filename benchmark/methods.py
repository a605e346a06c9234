"""Every method of the digits benchmark in one visible table: its name, its editor, its settings.

Beside the methods of `baselines.METHODS` stand variants of them that answer whether the difference
between LT and LW is a choice of layers. They are methods of this benchmark only.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from baselines import METHODS, GaussianTransport, LatentTransformerConfig
from benchmark.presets import NEURAL, RunConfig
from lwedit.editors import (
    Editor,
    FitData,
    LatentWasserstein,
    LatentWassersteinConfig,
    LatentWassersteinNeural,
    LatentWassersteinPaper,
)

__all__ = ["AS_FITTED", "DIGIT_METHODS", "FLOORS", "LABELS", "ONE_SEED", "SHIPPED", "editor_class",
           "fit_digits"]

FLOORS = ("none", "random", "centroids", "gaussian_ot", "nearest")
SHIPPED = ("lw_neural", "lw_paper")  # their fits take longer than a run; see RunConfig.refit
ONE_SEED = ("lw_neural", "lw_paper")  # of those, the first seed is shipped
AS_FITTED = ("lw_paper", "lw_star", "lw", "lw_neural", "lw_every_layer")  # shown at alpha = 1 too
# Restricted to the run's layers after the fit; the others know them in theirs, or edit all.
_RESTRICTED = ("random", "centroids", "lt_restricted", "interfacegan", "interfacegan_cond",
               "lightsb", "wstar")


class _Variant(NamedTuple):
    """A method of the benchmark that is a method of `baselines` with other settings."""

    method: str
    label: str


_VARIANTS = {
    "lt_restricted": _Variant("lt", "LT, edits layers 0–2"),
    "lt_few_layers": _Variant("lt", "LT, trained on layers 0–2"),
    "lw_every_layer": _Variant("lw", "LW, affine (ours), every layer"),
}
LABELS = {
    "none": "no edit",
    "random": "random direction",
    "centroids": "class centroids",
    "gaussian_ot": "Gaussian OT",
    "interfacegan": "InterFaceGAN",
    "interfacegan_cond": "InterFaceGAN, conditional",
    "ganspace": "GANSpace",
    "sefa": "SeFa",
    "lightsb": "LightSB",
    "wstar": "W*",
    "lelsd": "LELSD",
    "lt_star": "LT(*)",
    "lt": "LT",
    "lt_restricted": _VARIANTS["lt_restricted"].label,
    "lt_few_layers": _VARIANTS["lt_few_layers"].label,
    "lw_paper": "LW as published",
    "lw_star": "LW(*)",
    "lw": "LW, affine (ours)",
    "lw_every_layer": _VARIANTS["lw_every_layer"].label,
    "lw_neural": "LW neural (ours)",
    "nearest": "nearest real target",
}
DIGIT_METHODS = (*METHODS, *_VARIANTS)


def editor_class(name: str) -> type[Editor]:
    """The editor of a method or of a variant."""
    return METHODS[_VARIANTS[name].method if name in _VARIANTS else name]


def fit_digits(name: str, data: FitData, config: RunConfig, *, progress: bool = False) -> Editor:
    """Learn one edit with the settings of the run.

    Args:
        name: One of `DIGIT_METHODS`.
        data: Codes of n and n + 1 digits.
        config: Settings of the run.
        progress: Show bars, where a method has some.
    """
    editor, layers = editor_class(name), config.layers or None
    fit: Callable[..., Editor] = editor.fit
    if name == "lt_few_layers":
        fit = partial(editor.fit, config=LatentTransformerConfig(layers=layers))
    elif issubclass(editor, LatentWasserstein) and not issubclass(editor, LatentWassersteinPaper):
        fit = partial(editor.fit, config=_affine(config, name))
    elif issubclass(editor, LatentWassersteinNeural):
        # A run needs no C++ compiler.
        fit = partial(editor.fit, config=replace(NEURAL["digits"], compiled=False))
    elif issubclass(editor, GaussianTransport):
        fit = partial(editor.fit, layers=layers)
    fitted = fit(data, progress=progress) if name in SHIPPED else fit(data)
    if layers and name in _RESTRICTED:
        fitted.restrict(layers)
    return fitted


def _affine(config: RunConfig, name: str) -> LatentWassersteinConfig:
    """LW and LW(*), affine."""
    return LatentWassersteinConfig(
        blur=config.lw_blur, rounds=config.lw_rounds, lam=config.lw_lam, ridge=config.lw_ridge,
        layers=None if name == "lw_every_layer" else config.layers or None,
        grid=config.lw_grid or None, most_codes=config.lw_codes,
    )
