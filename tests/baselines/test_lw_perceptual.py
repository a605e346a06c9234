"""Truths for LW with a perceptual cost: features that are a known linear function of the code."""

from dataclasses import replace

import pytest
import torch

from baselines.lw_perceptual import (
    LatentWassersteinPerceptual,
    Metric,
    PerceptualConfig,
    learn_metric,
)
from baselines.wstar_flow import pairwise
from lwedit.classifier import LatentClassifier
from lwedit.editors import (
    AffineMap,
    AlternateSolver,
    FitData,
    LatentWasserstein,
    LatentWassersteinConfig,
)
from lwedit.latents import LatentSet, Space
from lwedit.transport import gaussian_map
from lwedit.transport.gaussian import Moments

CORE = LatentWassersteinConfig(AlternateSolver(), lam=0.0, blur=(0.15,))
EXACT = PerceptualConfig(CORE, floor=1e-4)
B = torch.tensor([[2.0, 0.5, 0.0], [0.0, 0.3, 1.0], [0.0, 0.0, 1.0]])  # phi(w) = B w


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def data(n=1200):
    """Two Gaussians of three numbers whose covariances have other axes than B."""
    roots = torch.tensor([[1.0, 0, 0], [0.6, 0.8, 0], [0, 0.3, 0.7]]), torch.tensor(
        [[0.5, 0, 0], [-0.5, 1.0, 0], [0.4, 0.6, 0.9]])
    mean = torch.tensor([0.5, -1.0, 1.5])
    w = torch.cat([normal(n, 3) @ roots[0].T, normal(n, 3, seed=1) @ roots[1].T + mean])
    y = torch.stack([torch.arange(2 * n) >= n, w[:, 1] > 0], dim=1).long()
    latents = LatentSet(w[:, None], y, ("k", "l"), Space("hash", "Z", 1, 3))
    torch.manual_seed(0)
    classifier = LatentClassifier(("k", "l"), latents.space, (4,))
    classifier.centre.copy_(torch.tensor([1.0, -1.0, 0.5]))
    moments = [Moments(m.double(), (root @ root.T).double())
               for m, root in zip((0 * mean, mean), roots, strict=True)]
    return FitData(latents, latents, classifier, "k", 0), moments


def features(w):
    return w.flatten(1) @ B.T


def test_the_metric_is_that_of_the_features():
    w = normal(300, 1, 3) * torch.tensor([1.0, 2.0, 0.5])
    found = learn_metric(w, pairwise(features(w)), 1, EXACT, torch.Generator().manual_seed(0))[0]
    expected = B.T @ B
    torch.testing.assert_close(found / found.trace(), expected / expected.trace(), atol=0.01,
                               rtol=0)


def test_cells_of_two_layers_share_their_block_and_layers_do_not():
    w, a, b = normal(300, 2, 8), torch.tensor([[1.0, 0.8], [0.0, 0.5]]), torch.eye(2) * 0.4
    seen = torch.cat([w[:, i].unflatten(1, (4, 2)) @ part.T for i, part in enumerate((a, b))], 1)
    rng = torch.Generator().manual_seed(0)
    found = learn_metric(w, pairwise(seen.flatten(1)), 4, EXACT, rng)
    expected = torch.stack([a.T @ a, b.T @ b])
    torch.testing.assert_close(found / found.sum(), expected / expected.sum(), atol=0.02, rtol=0)
    metric = Metric.of(found, w, 1e-4)
    block = metric.matrix[0, :2, :2]
    torch.testing.assert_close(metric.matrix[0], torch.kron(torch.eye(4), block))
    with pytest.raises(ValueError, match="cells must divide a code of 8 entries, got 3"):
        learn_metric(w, pairwise(seen.flatten(1)), 3, EXACT, rng)


def test_what_no_feature_sees_still_costs_its_floor():
    w = normal(200, 1, 2)
    metric = Metric.of(torch.diag(torch.tensor([2.0, 0.0]))[None], w, 0.1)
    length = metric.matrix[0].square().diagonal()
    torch.testing.assert_close(length[1] / length[0], torch.tensor(0.1 / 1.9))
    moved = w @ metric.matrix[0]
    torch.testing.assert_close(moved.var(dim=0).sum(), w.var(dim=0).sum())


def test_there_and_back_is_the_same_edit_and_the_same_classifier():
    held, _ = data(50)
    metric = Metric.of((B.T @ B)[None], held.train.w, 0.05)
    inside = metric.enter(held)
    torch.testing.assert_close(inside.classifier(inside.train.w), held.classifier(held.train.w))
    map = AffineMap(normal(1, 3, 3), normal(1, 3, seed=1), back=normal(1, 3, seed=2))
    for outside, within in (
        (metric.leave(map)(held.train.w), map(inside.train.w)),
        (metric.leave(map).backwards(held.train.w), map.backwards(inside.train.w)),
    ):
        torch.testing.assert_close(outside @ metric.matrix[0], within, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_gaussians_are_joined_by_the_optimal_map_of_the_perceptual_cost():
    held, (source, target) = data()
    m = torch.linalg.cholesky((B.T @ B).double()).T  # |m x| = |B x|
    seen = [Moments(m @ one.mean, m @ one.covariance @ m.T) for one in (source, target)]
    map, plain = gaussian_map(*seen), gaussian_map(source, target)
    x = held.train.pair("k").source
    aim = torch.linalg.solve(m, map.weight @ m @ x[:, 0].double().T + map.bias[:, None]).T
    other = x[:, 0].double() @ plain.weight.T + plain.bias
    edits = {"perceptual": LatentWassersteinPerceptual.fit(held, EXACT, features=features),
             "plain": LatentWasserstein.fit(held, CORE)}
    moved = {name: editor.edit(x, 1.0)[:, 0] for name, editor in edits.items()}

    def error(one, another):
        """In the perceptual distance; directions that it hardly sees are free in w."""
        seen = [(part @ B.T.double()).norm() for part in (one - another, aim - x[:, 0])]
        return float(seen[0] / seen[1])

    assert error(aim, other) > 0.15  # the two truths differ
    assert error(moved["perceptual"].double(), aim) < 0.07
    assert error(moved["plain"].double(), other) < 0.07


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="lw must have shape per_layer or translation, got 'full'"):
        PerceptualConfig(replace(CORE, shape="full"))
    with pytest.raises(ValueError, match=r"floor must lie in \(0, 1\], got 0.0"):
        PerceptualConfig(floor=0.0)
    with pytest.raises(ValueError, match="drawn must be at least 10, got 3"):
        PerceptualConfig(drawn=3)
