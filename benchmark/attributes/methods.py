"""Methods of a run: the project's, the floors, and an editor of the user's own from a file."""

import importlib.util
from pathlib import Path

from baselines import METHODS
from benchmark.attributes.settings import AttributeConfig
from benchmark.methods import FLOORS
from lwedit.editors import (
    Editor,
    FitData,
    LatentWasserstein,
    LatentWassersteinConfig,
    LatentWassersteinPaper,
    paper_config,
)

__all__ = ["CEILING", "fit_editor", "load_method", "methods_of", "registry", "seeds_of"]

*_FLOORS, CEILING = FLOORS


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
    if own.method in METHODS or not own.method.isidentifier():
        raise ValueError(
            f"method of {name} must be a new name of letters and digits, got {own.method!r}."
        )
    return own


def registry(config: AttributeConfig) -> dict[str, type[Editor]]:
    """Every method that this run knows by name."""
    if not config.own_method:
        return dict(METHODS)
    own = load_method(config.own_method)
    return {**METHODS, own.method: own}


def methods_of(config: AttributeConfig) -> tuple[str, ...]:
    """Methods in the order of the tables: floors, what was asked for, the ceiling."""
    if not config.floors:
        return config.methods
    return (*_FLOORS, *(name for name in config.methods if name not in FLOORS), CEILING)


def seeds_of(method: str, config: AttributeConfig) -> tuple[int, ...]:
    """Seeds of a method: floors that nobody asked for are measured with the first seed only."""
    return config.seeds if method in config.methods else config.seeds[:1]


def fit_editor(method: type[Editor], data: FitData, config: AttributeConfig) -> Editor:
    """Learn one edit with the settings of the run."""
    if issubclass(method, LatentWassersteinPaper):
        return method.fit(data, paper_config(data.train, data.attribute, biased=True))
    if issubclass(method, LatentWasserstein):
        return method.fit(data, LatentWassersteinConfig(
            blur=config.lw_blur, rounds=config.lw_rounds,
            lam=config.lw_lam, line=config.lw_line, back=config.lw_back,
        ))
    return method.fit(data)
