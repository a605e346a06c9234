"""Truths of LW as published: its settings to the letter, and a fit that can be stopped anywhere."""

from dataclasses import replace

import pytest
import torch

from lwedit.classifier import ClassifierConfig, LatentClassifier
from lwedit.editors import (
    AdamSolver,
    FitData,
    LatentWasserstein,
    LatentWassersteinPaper,
    paper,
    paper_config,
)
from lwedit.editors.solvers.adam import Descent
from lwedit.latents import LatentSet, Space
from training.paper import fit_resumable
from training.paper import main as command

NAMES = ("k", "eyeglasses", "rare", "common", "never")


def latents(n, seed):
    """Two Gaussians, the second one unit further, and labels of other attributes."""
    rng = torch.Generator().manual_seed(seed)
    k = torch.arange(n) % 2
    w = torch.randn(n, 2, 3, generator=rng) + k[:, None, None]
    share = torch.tensor([0.0, 0.4, 0.1, 0.8, 0.0])
    y = (torch.rand(n, 5, generator=rng) < share).long()
    y[:, 0] = k
    return LatentSet(w, y, NAMES, Space("h", "W+", 2, 3))


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch):
    few = replace(paper.PAPER.solver, max_steps=60, check_every=10)
    monkeypatch.setattr(paper, "PAPER", replace(paper.PAPER, solver=few))


@pytest.fixture(scope="module")
def data():
    train = latents(90, 0)
    classifier = LatentClassifier.fit(train, ClassifierConfig(hidden=(8,), epochs=2),
                                      torch.Generator().manual_seed(0))
    return FitData(train, latents(60, 1), classifier, "k", 3)


def test_the_settings_are_the_paper_s(data):
    config = paper_config(data.train, "k", biased=False)
    assert isinstance(config.solver, AdamSolver)
    assert (config.solver.lr, config.solver.batch, config.lam) == (1e-3, None, 1.0)
    assert (config.layers, config.exclude_self_matches, config.back) == (None, False, "map")
    assert (config.weights, config.group_by) == ("none", ())
    assert paper_config(data.train, "eyeglasses", biased=False).lam == 15.0
    biased = paper_config(data.train, "k", biased=True)
    assert (biased.weights, biased.group_by) == ("prose", ("common", "eyeglasses"))
    assert set(paper_config(data.train, "common", biased=True).group_by) == {"k", "eyeglasses"}
    # Whoever has k has twice what nobody else has: no combination is on both sides.
    twice = LatentSet(data.train.w, data.train.y[:, [0, 0]], ("k", "again"), data.train.space)
    assert paper_config(twice, "k", biased=True).weights == "none"


def test_the_same_map_adds_and_removes(data, tmp_path):
    editor = LatentWassersteinPaper.fit(data)
    w = data.validation.w
    move = editor.displacement(w)
    assert 0.02 < move.mean() < 0.1  # sixty steps of 1e-3 towards 1
    torch.testing.assert_close(editor.edit(w, -1.0), w - move)
    editor.save(tmp_path)
    held = (tmp_path / "weights.safetensors").stat().st_size
    assert held < 2 * (2 * 3 * 3 + 2 * 3) + 400  # two bytes an entry, and a header
    loaded = LatentWassersteinPaper.load(tmp_path, w_space(data))
    assert torch.equal(loaded.edit(w, 1.3), editor.edit(w, 1.3))


def w_space(data):
    return data.train.space


def test_a_fit_that_is_stopped_and_taken_up_ends_in_the_same_bits(data, tmp_path, monkeypatch):
    whole = fit_resumable(data, tmp_path / "whole", most_batch=20)
    step, made = Descent.step, []

    def stumbling(self):
        made.append(self.steps)
        if len(made) in (7, 30, 31):
            raise KeyboardInterrupt
        return step(self)

    monkeypatch.setattr(Descent, "step", stumbling)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            fit_resumable(data, tmp_path / "parts", most_batch=20, every=0.0)
    parts = fit_resumable(data, tmp_path / "parts", most_batch=20, every=0.0)
    assert made.count(6) == 2  # it went on from where it was, not from the start
    assert made[7] == 6
    assert parts.solution.steps == whole.solution.steps
    assert torch.equal(parts.map.weight, whole.map.weight)
    assert torch.equal(parts.map.bias, whole.map.bias)


def test_it_is_the_fit_of_the_method_at_the_same_settings(data, tmp_path):
    """Batches of other seeds end elsewhere by what Adam's noise is, not further."""
    slow = fit_resumable(data, tmp_path)
    plain = LatentWasserstein.fit(data, paper_config(data.train, "k", biased=False))
    assert slow.solution.loss == pytest.approx(plain.solution.loss, abs=0.02)
    assert float((slow.map.bias - plain.map.bias).abs().max()) < 0.05


def test_states_of_another_fit_are_refused(data, tmp_path):
    fit_resumable(data, tmp_path, most_batch=20)
    with pytest.raises(ValueError, match="runs must hold a fit of the same codes and settings"):
        fit_resumable(data, tmp_path, most_batch=21)
    (tmp_path / "state.safetensors").write_bytes(b"no state")
    with pytest.raises(ValueError, match="the state of a fit must be readable, remove"):
        fit_resumable(data, tmp_path, most_batch=20)


def test_a_batch_of_one_is_refused(capsys):
    with pytest.raises(SystemExit):
        command(["--most-batch", "1"])
    assert "--most-batch: must be at least 2, got 1" in capsys.readouterr().err
