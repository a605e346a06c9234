"""Truths that FID and KID must meet: closed forms, POT, an explicit double loop."""

import ot
import pytest
import torch

from lwedit.metrics import frechet_distance, kernel_distance


def cloud(n, dim, seed):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_fid_of_a_translation_is_its_squared_length():
    u = cloud(200, 6, 0)
    assert frechet_distance(u, u + 0.5) == pytest.approx(6 * 0.25, rel=1e-6)


def test_fid_agrees_with_pot():
    u, v = cloud(300, 5, 0), cloud(200, 5, 1) @ cloud(5, 5, 2)
    a, b = (x.T.cov(correction=0) for x in (u, v))
    distance = ot.gaussian.bures_wasserstein_distance(u.mean(0), v.mean(0), a, b)
    assert frechet_distance(u, v) == pytest.approx(float(distance) ** 2, rel=1e-6)


def test_kid_agrees_with_the_double_loop():
    u, v = cloud(7, 3, 0), cloud(9, 3, 1) + 1

    def kernel(a, b):
        return (float(a @ b) / 3 + 1) ** 3

    def mean_of(pairs):
        pairs = list(pairs)
        return sum(kernel(a, b) for a, b in pairs) / len(pairs)

    expected = (
        mean_of((u[i], u[j]) for i in range(7) for j in range(7) if i != j)
        + mean_of((v[i], v[j]) for i in range(9) for j in range(9) if i != j)
        - 2 * mean_of((a, b) for a in u for b in v)
    )
    assert kernel_distance(u, v) == pytest.approx(expected, rel=1e-10)


def test_kid_has_no_bias_where_the_distributions_are_equal():
    values = [kernel_distance(cloud(60, 4, 2 * i), cloud(60, 4, 2 * i + 1)) for i in range(200)]
    values = torch.tensor(values)
    assert abs(float(values.mean())) < 4 * float(values.std()) / 200**0.5


def test_too_few_points_are_named():
    with pytest.raises(ValueError, match="two points at least, got 1 and 5"):
        kernel_distance(cloud(1, 3, 0), cloud(5, 3, 1))
