"""Truths for the ablation: strengths by hand, paired gains, one change a variant."""

from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from baselines import METHODS
from benchmark.ablate.layers import groups_of, layer_roles
from benchmark.ablate.measure import _gains, equal_strength, measure
from benchmark.ablate.page import winner
from benchmark.ablate.variants import BASES, FLOORS, PRESETS, Variant, variants_of
from benchmark.methods import affine_config
from benchmark.presets import settings_of
from benchmark.runs import Key, Trial, Verdicts
from lwedit.classifier import LatentClassifier
from lwedit.editors import (
    AdamSolver,
    AffineMap,
    AlternateSolver,
    FitData,
    LatentWassersteinConfig,
)
from lwedit.latents import LatentSet, Space
from lwedit.metrics.collapse import Collapse

SPACE = Space("h", "Z", 1, 1)


def test_variants_change_settings_that_exist():
    known = {field.name for kind in (LatentWassersteinConfig, AdamSolver, AlternateSolver)
             for field in fields(kind)}
    for domain in ("digits", "faces"):
        for name, variant in variants_of(domain).items():
            assert set(variant.changes) <= known, name
            assert variant.method in METHODS
            settings = {**BASES[domain], **variant.changes}
            if "weights" in variant.changes:
                settings["group_by"] = ("l",)
            affine_config(settings)
            if variant.method == "lw" and variant.what != "base":
                assert any(BASES[domain].get(k, "") != v for k, v in variant.changes.items()), name
    assert "layer 0 only" not in variants_of("faces")


def test_strength_is_the_smallest_with_the_share_or_the_most_convincing():
    classifier = LatentClassifier(("k",), SPACE, ())
    with torch.no_grad():
        classifier.net[0].weight.fill_(1.0)
        classifier.net[0].bias.fill_(-1.0)
    w = torch.tensor([0.0, -0.5, -1.0, -50.0])[:, None, None]
    mover = METHODS["centroids"]("k", SPACE, AffineMap(None, torch.ones(1, 1)))
    assert equal_strength(mover, classifier, w, 0.5) == (1.55, 0.5)  # -0.5 + 1.55 > 1
    assert equal_strength(mover, classifier, w, 0.9) == (2.05, 0.75)  # one never gets there


def test_gains_are_paired_by_image():
    def run(changed):
        return {"changed": np.array(changed), "kept": np.ones(4)}

    seen = {("e", "centroids"): [run([0.0, 1, 0, 1])], ("e", "base"): [run([1.0, 1, 1, 1])],
            ("other", "base"): [run([0.0, 0, 0, 0])]}
    (row,) = _gains("e", seen, PRESETS["smoke"])
    assert (row["variant"], row["floor"]) == ("base", FLOORS[0])
    assert row["changed"][0] == pytest.approx(0.5)
    assert row["kept"] == [0.0, 0.0, 0.0]


class Layered:
    """A run whose layer 0 is drawn; the latent classifier reads layer 1."""

    config = SimpleNamespace(domain="faces")
    domain = SimpleNamespace(weights={"generator": "g"})

    def __init__(self):
        space = Space("h", "W+", 2, 1)
        near = torch.linspace(-0.01, 0.01, 5)[:, None, None].expand(5, 2, 1)
        w = torch.cat([near, 1 + near])
        latents = LatentSet(w, (w[:, 0] > 0.5).long(), ("k",), space)
        classifier = LatentClassifier(("k",), space, ())
        with torch.no_grad():
            classifier.net[0].weight.copy_(torch.tensor([[0.0, 1.0]]))
            classifier.net[0].bias.fill_(-0.5)
        self.made = FitData(latents, latents, classifier, "k", 0)

    def key(self, method, edit, seed):
        return Key(method, "k", "add", seed)

    def trial(self, key):
        pair = self.made.train.pair("k")

        def sees(w):
            return w[:, 0, 0] > 0.5

        def judge(w, w_edit):
            return Verdicts(sees(w_edit).float(), torch.ones(len(w)))

        return Trial(self.made, pair.source, pair.target, pair.source, judge, sees)


def test_the_base_of_a_domain_is_the_benchmarks_own_settings():
    for domain, base in BASES.items():
        own = settings_of(domain)["lw"]
        assert {name: base[name] for name in own} == own | {"lam": 0.0}


def test_a_stopped_ablation_goes_on_where_it_was(tmp_path, monkeypatch):
    preset = replace(PRESETS["smoke"], seeds=(0, 1), resamples=5)
    variants = {name: Variant("floor", name, {}) for name in FLOORS[:1]}
    monkeypatch.setattr("benchmark.ablate.measure.EDITS", {"faces": ("k",)})
    monkeypatch.setattr("benchmark.ablate.measure.collapse", lambda w, y: Collapse(1.0, 1.0))
    first = measure(Layered(), variants, preset, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1  # floors have one draw
    assert first["rows"][0]["changed"][0] == first["rows"][0]["flipped"] == 1.0
    monkeypatch.setattr("benchmark.ablate.measure.fit_variant", None)  # would stop at a second fit
    assert measure(Layered(), variants, preset, tmp_path) == first
    with pytest.raises(TypeError):  # other settings are another fit
        measure(Layered(), variants, replace(preset, codes=4), tmp_path)


def test_layers_that_draw_are_told_from_layers_that_convince():
    rows = {tuple(row["layers"]): row for row in layer_roles(Layered(), "k")}
    found = {group: (row["flipped"], row["changed"]) for group, row in rows.items()}
    assert found == {(0,): (0.0, 1.0), (1,): (1.0, 0.0), (0, 1): (1.0, 1.0)}
    assert groups_of(1) == []
    assert (5, 6, 7, 8, 9) in groups_of(10)


def test_a_winner_is_named_only_beyond_the_interval():
    assert winner([0.1, 0.05, 0.2]) == "LW"
    assert winner([-0.1, -0.2, -0.05]) == "floor"
    assert winner([0.1, -0.01, 0.2]) == "-"
