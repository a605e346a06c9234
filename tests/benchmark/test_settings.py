"""Settings stand in one place, reach the fit, and one that nothing reads is an error."""

import ast
from pathlib import Path

import pytest
import torch

from benchmark.ablate.variants import BASES
from benchmark.methods import REGISTRY, Method, fit_editor, registry
from benchmark.presets import PRESETS, config_class, preset, settings_of
from demo import fit_editors
from lwedit.classifier import LatentClassifier
from lwedit.editors import AffineEditor, AffineMap, FitData
from lwedit.latents import LatentSet, Space

ROOT = Path(__file__).resolve().parents[2]
DOMAINS = ("digits", "faces", "toy", "codes", "ffhq")
KINDS = {"ClassifierConfig", "LatentTransformerConfig", "LatentWassersteinConfig", "NeuralConfig"}
# Where a solver is compared with a formula or with another solver, not a method on a domain.
NO_METHODS = {"benchmark/transport/exactness.py", "benchmark/transport/solvers.py"}


def sets_something(source):
    """Whether the settings of a method are written down in a source."""
    return any(
        isinstance(node, ast.Call) and ast.unparse(node.func).rsplit(".", 1)[-1] in KINDS
        and any(keyword.arg for keyword in node.keywords)
        for node in ast.walk(ast.parse(source))
    )


def test_settings_of_methods_are_written_down_in_one_place():
    paths = [path for top in ("benchmark", "demo") for path in (ROOT / top).rglob("*.py")]
    found = {str(path.relative_to(ROOT)) for path in paths if sets_something(path.read_text())}
    assert found - NO_METHODS == {"benchmark/presets.py"}


def test_a_second_place_would_be_found():
    assert sets_something("from lwedit import editors as e\nx = e.LatentWassersteinConfig(lam=.7)")
    assert not sets_something("LatentWassersteinConfig(**settings)")


def test_page_and_ablation_read_the_benchmarks_settings():
    assert fit_editors.settings_of is settings_of
    for domain, base in BASES.items():
        assert {**settings_of(domain)["lw"], "lam": 0.0}.items() <= base.items()


@pytest.mark.parametrize("domain", DOMAINS)
def test_settings_are_of_methods_that_are_there(domain):
    assert set(settings_of(domain)) - {"classifier", "data"} <= set(registry(domain))
    with pytest.raises(ValueError, match=f"changes must be of .* on {domain}, got 'lw_mlp'"):
        settings_of(domain, lw_mlp={"rounds": 2})


@pytest.mark.parametrize("domain", ["digits", "faces", "toy", "codes"])
def test_every_preset_holds_the_settings_of_its_domain(domain):
    for name in PRESETS[domain]:
        config = preset(name, domain)
        assert isinstance(config, config_class(domain))
        assert set(config.settings) == set(settings_of(domain))
        config.learning  # noqa: B018, raises if a setting is unknown
    assert preset("default", domain).settings == settings_of(domain)
    assert preset("smoke", "faces").settings["lw"] == settings_of("faces")["lw"] | {"rounds": 2}


def test_settings_reach_the_fit_and_layers_the_editor():
    seen = []

    class Watched(AffineEditor):
        @classmethod
        def fit(cls, data, config=None):
            seen.append(config)
            return cls("k", SPACE, AffineMap(None, torch.zeros(2, 3)))

    method = Method(Watched, "w", "#000000", configure=lambda data, **given: given)
    editor = fit_editor(method, DATA, {"rounds": 3, "restrict": (1,)})
    assert seen == [{"rounds": 3}]
    assert editor.layers == (1,)
    assert fit_editor(method, DATA).layers is None
    assert seen[1] is None


@pytest.mark.parametrize("name", list(REGISTRY))
def test_a_setting_that_a_method_does_not_have_is_an_error(name):
    with pytest.raises(TypeError):
        fit_editor(REGISTRY[name], DATA, {"no_such_setting": 1})


def _data():
    space = Space("h", "W+", 2, 3)
    w = torch.randn(40, 2, 3, generator=torch.Generator().manual_seed(0))
    latents = LatentSet(w, (torch.arange(40) % 2)[:, None], ("k",), space)
    return space, FitData(latents, latents, LatentClassifier(("k",), space, (4,)), "k", 0)


SPACE, DATA = _data()
