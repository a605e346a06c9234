"""Truths of Eq. 4 and 5 with features that are a formula: units, selection, curvature."""

from dataclasses import replace

import pytest
import torch

from lwedit.classifier import LatentClassifier
from lwedit.editors import AffineMap, FitData, LatentWassersteinConfig
from lwedit.editors.latent_wasserstein import prepare
from lwedit.editors.loss import Loss, Sides
from lwedit.editors.solvers.gradient import NegativeGradient
from lwedit.latents import LatentSet, Space
from lwedit.transport import divergence

LAYERS, DIM, N = 3, 2, 120
SPACE = Space("h", "W+", LAYERS, DIM)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def fit_data(n=N):
    """Targets lie further; of two attributes the second is had by every fourth code."""
    w = torch.randn(2 * n, LAYERS, DIM, generator=rng())
    k = torch.arange(2 * n) % 2
    w = w + k[:, None, None]
    latents = LatentSet(w, torch.stack([k, (torch.arange(2 * n) % 4 == 1).long()], dim=1),
                        ("k", "l"), SPACE)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        classifier = LatentClassifier(("k", "l"), SPACE, (8,)).eval()
    return FitData(latents, latents, classifier, "k", 0)


def problem(**settings):
    return prepare(fit_data(), LatentWassersteinConfig(**settings), rng())


def features(data, w):
    """u of Eq. 5, the correlation by its formula; every code with l has k."""
    gamma = torch.corrcoef(data.train.y.T.double())[0, 1].abs().float()
    return (1 - gamma).sqrt() * data.classifier(w)[:, 1:]


def test_blur_of_each_term_is_in_the_unit_of_what_it_compares():
    data, found = fit_data(), problem(lam=2.0).loss
    x, y = data.train.pair("k")
    with torch.no_grad():
        u = features(data, x)
    across = torch.cdist(x.flatten(1), y.flatten(1))
    assert found.distance == pytest.approx(float(across.median()))
    assert found.feature_distance == pytest.approx(float(torch.cdist(u, u).median()), rel=1e-4)
    assert found.distance > 1.5 * found.feature_distance


@pytest.mark.parametrize("excluded", [True, False])
def test_held_out_codes_choose_by_the_whole_loss(excluded):
    """Both terms, lambda times the second; self-matches are excluded from the first alone."""
    data = fit_data()
    found = problem(lam=30.0, exclude_self_matches=excluded)
    move = AffineMap(None, torch.full((LAYERS, DIM), 0.4))
    x, y = data.validation.pair("k")
    edited = x + 0.4
    with torch.no_grad():
        u = [features(data, w) for w in (edited, x)]
    a = torch.full((N,), 1 / N)
    eps = [(0.3 * unit) ** 2 for unit in (found.loss.distance, found.loss.feature_distance)]
    edit = divergence(edited.flatten(1), y.flatten(1), eps[0], a, a, exclude_self_matches=excluded)
    kept = divergence(*u, eps[1], a, a)
    assert found.held_out_loss(move) == pytest.approx(edit + 30 * kept, rel=1e-3)
    assert 30 * kept > 0.05 * edit


def test_the_joint_move_is_divided_by_the_curvature_of_all_layers():
    """With one linear feature u = j w the curvature of a layer is 1 + lambda layers j j^T."""
    x = torch.randn(N, LAYERS, DIM, generator=rng())
    y = torch.randn(N, LAYERS, DIM, generator=rng(1)) + 1
    j = torch.randn(LAYERS, DIM, generator=rng(2))
    a = torch.full((N,), 1 / N)
    plain = Loss(2.0, None, 2.0, 1.0, torch.ones(LAYERS, 1), True)
    loss = replace(plain, features=lambda w: torch.einsum("nld,ld->n", w, j)[:, None])
    free, joint = (
        NegativeGradient(which, Sides(x, y, a, a), 0.5, line=False, blocks=LAYERS, rng=rng(3))(x)
        for which in (plain, loss)
    )  # at x itself nothing is to be preserved yet: only the curvature differs
    curvature = torch.eye(DIM) + 2.0 * LAYERS * j[:, :, None] * j[:, None, :]
    expected = torch.linalg.solve(curvature, free.view(N, LAYERS, DIM)[..., None])
    torch.testing.assert_close(joint, expected.flatten(1), rtol=1e-3, atol=1e-4)
