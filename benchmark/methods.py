"""Every method of the benchmark in one visible table: its editor, and how it is shown.

A new method is one file with its editor and one entry here; its settings, where they are not its
defaults, stand in `benchmark.presets`. Beside the methods of `baselines` stand variants of them
that answer whether the difference between LT and LW on digits is a choice of layers. Colours are
Okabe and Ito's; each method also has a line style and a marker of its own, so that figures are
readable by the colour-blind and in grey.
"""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import baselines as others
from baselines import METHODS
from baselines.lw_perceptual import PerceptualConfig
from benchmark.presets import RunConfig
from lwedit.editors import (
    AdamSolver,
    AlternateSolver,
    Editor,
    FitData,
    LatentWasserstein,
    LatentWassersteinConfig,
    NeuralConfig,
    paper_config,
)

__all__ = ["FLOORS", "REGISTRY", "Method", "affine_config", "drawn", "fit_editor", "label_of",
           "load_method", "look_of", "methods_of", "registry", "seeds_of", "shipped_seeds"]

_SOLVERS: dict[str, type] = {"adam": AdamSolver, "alternate": AlternateSolver}
Line = str | tuple[int, tuple[int, ...]]


class Method(NamedTuple):
    """A method of the benchmark.

    Attributes:
        editor: What is fitted.
        label: Its name in tables and figures.
        colour: Of its curve.
        line: Style of its curve, as matplotlib's.
        marker: Of its curve.
        configure: Its settings from fit data and the entries of `benchmark.presets.settings_of`;
            without it the entries are arguments of the fit.
        floor: "floor" for what every method should beat, "ceiling" for what none can.
        shipped: For how many seeds the digits have fitted editors in the repository, since a fit
            takes longer than a run; 0 for those that are fitted in the run.
        as_fitted: Whether alpha = 1 means something, so that digits show it as well.
        domains: Where there is such a method, everywhere if empty.
    """

    editor: type[Editor]
    label: str
    colour: str
    line: Line = "-"
    marker: str = "o"
    configure: Callable[..., Any] | None = None
    floor: str = ""
    shipped: int = 0
    as_fitted: bool = False
    domains: tuple[str, ...] = ()


def affine_config(settings: Mapping[str, Any]) -> LatentWassersteinConfig:
    """Settings of LW from one flat table, in which a solver's stand beside the others.

    Args:
        settings: Fields of `LatentWassersteinConfig` and of both solvers; "solver" names which of
            them is meant, and what only the other one reads is left out.
    """
    kind = _SOLVERS[settings.get("solver", "alternate")]
    mine = {field.name for field in fields(kind)}
    of_solvers = {field.name for solver in _SOLVERS.values() for field in fields(solver)}
    rest = {name: value for name, value in settings.items() if name not in of_solvers | {"solver"}}
    return LatentWassersteinConfig(
        kind(**{name: value for name, value in settings.items() if name in mine}), **rest
    )


def _affine(_: FitData, **settings: Any) -> LatentWassersteinConfig:
    return affine_config(settings)


def _perceptual(_: FitData, **settings: Any) -> PerceptualConfig:
    return PerceptualConfig(affine_config(settings))


def _neural(_: FitData, **settings: Any) -> NeuralConfig:
    return NeuralConfig(**settings)


def _paper(data: FitData, **settings: Any) -> LatentWassersteinConfig:
    return paper_config(data.train, data.attribute, **settings)


def _transformer(_: FitData, **settings: Any) -> others.LatentTransformerConfig:
    return others.LatentTransformerConfig(**settings)


_DIGITS = ("digits",)
_LT, _LW = others.LatentTransformer, LatentWasserstein
REGISTRY: dict[str, Method] = {
    "none": Method(METHODS["none"], "no edit", "#555555", ":", "x", floor="floor"),
    "random": Method(METHODS["random"], "random direction", "#999999", "--", "+", floor="floor"),
    "centroids": Method(METHODS["centroids"], "class centroids", "#56B4E9", (0, (1, 1)), "v",
                        floor="floor"),
    "gaussian_ot": Method(METHODS["gaussian_ot"], "Gaussian OT", "#009E73", (0, (3, 1, 1, 1)), "^",
                          floor="floor"),
    "interfacegan": Method(METHODS["interfacegan"], "InterFaceGAN", "#117733", "-", "<"),
    "interfacegan_cond": Method(METHODS["interfacegan_cond"], "InterFaceGAN, conditional",
                                "#117733", "--", ">"),
    "ganspace": Method(METHODS["ganspace"], "GANSpace", "#AA4499", (0, (5, 1)), "p"),
    "sefa": Method(METHODS["sefa"], "SeFa", "#DDAA33", (0, (5, 1)), "h"),
    "lightsb": Method(METHODS["lightsb"], "LightSB", "#44AA99", "-.", "d"),
    "ulightot": Method(METHODS["ulightot"], "ULightOT", "#44AA99", (0, (5, 1)), "D"),
    "wstar": Method(METHODS["wstar"], "W*", "#332288", (0, (3, 1, 1, 1)), "X"),
    "lelsd": Method(METHODS["lelsd"], "LELSD", "#999933", "-.", "H"),
    "lt_star": Method(METHODS["lt_star"], "LT(*)", "#E69F00", "--", "s", _transformer),
    "lt": Method(_LT, "LT", "#D55E00", "-", "s", _transformer),
    "lw_paper": Method(METHODS["lw_paper"], "LW as published", "#56B4E9", "-.", "D", _paper,
                       shipped=1, as_fitted=True),
    "lw_star": Method(METHODS["lw_star"], "LW(*)", "#000000", "--", "o", _affine, as_fitted=True),
    "lw": Method(_LW, "LW, affine (ours)", "#0072B2", "-", "o", _affine, as_fitted=True),
    "lw_perceptual": Method(METHODS["lw_perceptual"], "LW, perceptual cost", "#0072B2", "-.", "^",
                            _perceptual, as_fitted=True),
    "lw_neural": Method(METHODS["lw_neural"], "LW neural (ours)", "#882255", "-", "P", _neural,
                        shipped=1, as_fitted=True),
    "lt_restricted": Method(_LT, "LT, edits layers 0–2", "#B2182B", ":", "s", _transformer,
                            domains=_DIGITS),
    "lt_few_layers": Method(_LT, "LT, trained on layers 0–2", "#B2182B", "-.", "s", _transformer,
                            domains=_DIGITS),
    "lw_every_layer": Method(_LW, "LW, affine (ours), every layer", "#0072B2", ":", "o", _affine,
                             as_fitted=True, domains=_DIGITS),
    "nearest": Method(METHODS["nearest"], "nearest real target", "#CC79A7", ":", "*",
                      floor="ceiling"),
}
FLOORS = tuple(name for name, method in REGISTRY.items() if method.floor)  # the last: the ceiling
_OWN = (("#8B6508", "-.", "D"), ("#5D3A9B", "-.", "P"), ("#B2182B", "-.", "X"))


def look_of(name: str) -> Method:
    """How a method looks; those of the user's own share three looks."""
    own = _OWN[sum(map(ord, name)) % len(_OWN)]
    return REGISTRY.get(name) or Method(METHODS["none"], name, *own)


def label_of(name: str) -> str:
    """A method's name in tables and figures."""
    return look_of(name).label


def drawn(name: str) -> str:
    """An attribute's name as figures show it, in which a dollar is a dollar."""
    return name.replace("_", " ").replace("$", r"\$")


def registry(domain: str, own_method: str = "") -> dict[str, Method]:
    """Every method that a run on a domain knows by name.

    Args:
        domain: Its name.
        own_method: FILE.py:CLASS of the user's own editor, or empty.
    """
    known = {name: one for name, one in REGISTRY.items()
             if not one.domains or domain in one.domains}
    if own_method:
        editor = load_method(own_method)
        known[editor.method] = look_of(editor.method)._replace(editor=editor)
    return known


def methods_of(config: RunConfig, *, adds: bool = True) -> tuple[str, ...]:
    """Methods in the order of the tables: floors, what was asked for, the ceiling.

    Args:
        config: Settings of the run.
        adds: Whether the edit adds; real codes of the target class say nothing of removing.
    """
    *floors, ceiling = FLOORS
    named = config.methods
    if config.floors:
        named = (*floors, *(name for name in named if name not in FLOORS), ceiling)
    return tuple(name for name in named if adds or name != ceiling)


def seeds_of(name: str, config: RunConfig) -> tuple[int, ...]:
    """Seeds of a method: floors that nobody asked for are measured with the first seed only."""
    if name not in config.methods:
        return config.seeds[:1]
    return config.seeds[: shipped_seeds(name, config) or None]


def shipped_seeds(name: str, config: RunConfig) -> int:
    """For how many seeds a method's editors are read from the repository in a run."""
    return look_of(name).shipped if config.domain == "digits" else 0


def fit_editor(method: Method, data: FitData, settings: Mapping[str, Any] | None = None) -> Editor:
    """Learn one edit.

    Args:
        method: Which.
        data: Codes with labels and the latent classifier.
        settings: Those of the method, its defaults where there are none; "restrict" names the
            layers that it may move once it is fitted.
    """
    given = dict(settings or {})
    restrict = given.pop("restrict", None)
    fit: Callable[..., Editor] = method.editor.fit
    if given and method.configure is not None:
        fitted = fit(data, method.configure(data, **given))
    else:
        fitted = fit(data, **given)
    return fitted if restrict is None else fitted.restrict(tuple(restrict))


def load_method(place: str) -> type[Editor]:
    """The editor class that a user names as FILE.py:CLASS.

    The file is Python and is run: name files that you would run.

    Raises:
        ValueError: If there is no such file or class, or it is not an Editor of a new name.
    """
    path, _, name = place.rpartition(":")
    if not path or not Path(path).is_file():
        raise ValueError(f"method-file must be FILE.py:CLASS and the file exist, got {place!r}.")
    spec = importlib.util.spec_from_file_location(f"own_{Path(path).stem}", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"method-file must name a Python file, got {place!r}.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        own = getattr(module, name)
    except Exception as error:
        raise ValueError(f"method-file {place!r} could not be used: {error!r}.") from error
    if not (isinstance(own, type) and issubclass(own, Editor)):
        raise ValueError(f"method-file must name a subclass of lwedit's Editor, got {place!r}.")
    missing = sorted(getattr(own, "__abstractmethods__", ()))
    if missing or not isinstance(getattr(own, "method", None), str):
        lacks = ", ".join([*missing, *([] if hasattr(own, "method") else ["method"])])
        raise ValueError(f"method-file must name a complete Editor, {name} lacks {lacks}.")
    if own.method in REGISTRY or not own.method.isidentifier():
        raise ValueError(
            f"method of {name} must be a new name of letters and digits, got {own.method!r}."
        )
    return own
