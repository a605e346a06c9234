"""What the tests share: shape checks switched off as users run the code, and the shipped domain."""

import os
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path

import jaxtyping
import pytest
import torch

# Defaults of methods that take long, where a test is about something else.
_QUICK = {"baselines.lightsb.LightSbConfig": {"steps": 20},
          "baselines.ulightot.ULightOtConfig": {"steps": 20},
          "baselines.wstar.WStarConfig": {"steps": 10, "hidden": 8, "drawn": 20},
          "baselines.lw_perceptual.PerceptualConfig": {"steps": 20, "drawn": 40},
          "baselines.lelsd.LelsdConfig": {"steps": 4, "directions": 1, "parts": 2},
          "lwedit.editors.latent_wasserstein_neural.NeuralConfig": {
              "width": 32, "depth": 1, "potential_width": 32, "potential_depth": 1, "steps": 2,
              "batch": 16, "candidates": 2}}

_ROOT = Path(__file__).resolve().parent
# Folders whose files share what takes long to prepare: each goes to one process.
_TOGETHER = (Path("benchmark/attributes"), Path("demo"), Path("domains"))


def pytest_configure(config):
    """Of two processes on two processors each has one thread, and what it starts as well."""
    if hasattr(config, "workerinput"):
        os.environ["OMP_NUM_THREADS"] = "1"
        torch.set_num_threads(1)


def pytest_itemcollected(item):
    """Tests of a file, or of a folder that shares its preparations, run in one process."""
    place = item.path.relative_to(_ROOT)
    together = next((folder for folder in _TOGETHER if place.is_relative_to(folder)), place)
    item.add_marker(pytest.mark.xdist_group(together.as_posix()))


@pytest.fixture(scope="session")
def quick():
    """A context in which methods that take long take few steps."""
    @contextmanager
    def shortened():
        with pytest.MonkeyPatch.context() as patch:
            for place, settings in _QUICK.items():
                module, _, name = place.rpartition(".")
                module = import_module(module)
                patch.setattr(module, name, partial(getattr(module, name), **settings))
            paper = import_module("lwedit.editors.paper")
            few = replace(paper.PAPER.solver, max_steps=20)
            short = replace(paper.PAPER, solver=few)
            patch.setattr(paper, "PAPER", short)
            yield

    return shortened


@pytest.fixture
def unchecked(monkeypatch):
    """Without jaxtyping, as users run the code: the package's own checks must stand alone."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture(scope="session")
def shipped(tmp_path_factory):
    """The shipped digits domain, with a cache of codes that lasts for this run of the tests."""
    # Not above: pytest reads this file before jaxtyping has its hook on the import of lwedit.
    from lwedit.domains import DigitsDomain

    return DigitsDomain.load(cache=tmp_path_factory.mktemp("cache"))
