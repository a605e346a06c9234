"""Truths for InterFaceGAN: the normal of a known margin, and scores that a projection must keep."""

import pytest
import torch
from sklearn.svm import SVC

from baselines.interfacegan import (
    InterFaceGan,
    InterFaceGanConditional,
    InterFaceGanConfig,
    normal,
    project_out,
)
from lwedit.classifier import LatentClassifier
from lwedit.editors import FitData
from lwedit.latents import LatentSet, Space

SPACE = Space("hash", "W+", 2, 3)
# Rows: what each of three attributes reads from a flat code; the second correlates with the first.
NORMALS = torch.tensor([[1.0, 0, 0, 0, 0, 0], [0.6, 0.8, 0, 0, 0, 0], [0, 0, 0.6, 0, 0, 0.8]])


class Linear(LatentClassifier):
    """F reads the attributes exactly."""

    def forward(self, w):
        return w.flatten(1) @ NORMALS.T.to(w)


def world(n=2000, seed=0):
    w = torch.randn(n, 2, 3, generator=torch.Generator().manual_seed(seed))
    y = (w.flatten(1) @ NORMALS.T > 0).long()
    latents = LatentSet(w, y, ("k", "l", "m"), SPACE)
    return FitData(latents, latents, Linear(("k", "l", "m"), SPACE, (1,)), "k", 0)


def test_the_normal_of_two_points_is_the_line_between_them():
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    found = normal(x, torch.tensor([0, 1]), torch.tensor([-1.0, 1.0]), InterFaceGanConfig())
    torch.testing.assert_close(found, torch.tensor([0.6, 0.8]))


def test_only_the_surest_codes_count():
    """The two surest lie apart along the first axis, all others along the second."""
    x = torch.tensor([[-1.0, 0.0], [0.0, -9.0], [0.0, 9.0], [1.0, 0.0]])
    score = torch.tensor([-5.0, -1.0, 1.0, 5.0])
    found = normal(x, (score > 0).long(), score, InterFaceGanConfig(chosen=1))
    torch.testing.assert_close(found, torch.tensor([1.0, 0.0]))


def test_the_svm_on_the_gram_matrix_is_the_one_on_the_codes():
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(120, 5, generator=rng)
    score = x[:, 0] + 0.8 * torch.randn(120, generator=rng)
    found = normal(x, (score > 0).long(), score, InterFaceGanConfig(c=0.3))
    other = SVC(C=0.3, kernel="linear").fit(x.numpy() + 7, (score > 0).numpy())
    n = torch.tensor(other.coef_[0]).float()
    torch.testing.assert_close(found, n / n.norm(), atol=2e-3, rtol=0)


def test_the_normal_is_the_one_that_made_the_labels():
    n = InterFaceGan.fit(world()).map.bias.flatten()
    assert torch.cosine_similarity(n, NORMALS[0], dim=0) > 0.995


def test_one_unit_of_alpha_is_the_distance_of_the_class_means():
    data = world()
    for method in (InterFaceGan, InterFaceGanConditional):
        before, after = data.train.pair("k")
        gap = (after.mean(dim=0) - before.mean(dim=0)).norm()
        moved = method.fit(data).displacement(data.train.w[:1]).norm()
        torch.testing.assert_close(moved, gap)


def test_several_conditions_are_all_kept():
    n = torch.randn(6, generator=torch.Generator().manual_seed(2))
    found = project_out(n, NORMALS[1:])
    torch.testing.assert_close(NORMALS[1:] @ found, torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(found.norm(), torch.tensor(1.0))
    # Of one condition it is n - (n . c) c; conditions said twice change nothing.
    one = n - (n @ NORMALS[1]) * NORMALS[1]
    twice = project_out(n, NORMALS[[1, 1]])
    torch.testing.assert_close(twice, one / one.norm(), atol=1e-5, rtol=0)


def test_the_conditional_edit_leaves_the_other_scores():
    data = world()
    plain, conditional = (
        data.classifier(method.fit(data).displacement(data.train.w[:1]))[0]
        for method in (InterFaceGan, InterFaceGanConditional)
    )
    assert plain[1] > 0.5 * plain[0]
    assert conditional[1:].abs().max() < 0.06 * conditional[0]
    chosen = InterFaceGan.fit(data, InterFaceGanConfig(conditions=("l", "m")))
    torch.testing.assert_close(data.classifier(chosen.displacement(data.train.w[:1]))[0],
                               conditional)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [(("k",), "conditions must not hold the target"),
     (("hat",), "attribute must be one of .* got 'hat'")],
)
def test_impossible_conditions_are_named(conditions, message):
    with pytest.raises(ValueError, match=message):
        InterFaceGan.fit(world(50), InterFaceGanConfig(conditions=conditions))


def test_what_leaves_nothing_is_named():
    with pytest.raises(ValueError, match="conditions must leave something"):
        project_out(NORMALS[0], NORMALS[:2])
