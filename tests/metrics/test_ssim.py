"""Truths that lwedit.metrics.ssim must meet: SciPy's Gaussian filter, closed forms, symmetries."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from lwedit.metrics import ssim

C1, C2 = 0.01**2, 0.03**2


def images(n=3, channels=1, side=20, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(n, channels, side, side, generator=rng, dtype=torch.float64) - 1


def by_scipy(a, b):
    """Eq. 13 of two planes in [0, 1], with SciPy's filter where its window lies inside."""

    def mean(v):
        return gaussian_filter(v, 1.5, radius=5)[5:-5, 5:-5]

    mu_a, mu_b = mean(a), mean(b)
    covariance = mean(a * b) - mu_a * mu_b
    variances = mean(a * a) - mu_a**2 + mean(b * b) - mu_b**2
    luminance = (2 * mu_a * mu_b + C1) / (mu_a**2 + mu_b**2 + C1)
    return (luminance * (2 * covariance + C2) / (variances + C2)).mean()


def test_agrees_with_scipys_filter():
    x, y = images(channels=2), images(channels=2, seed=1)
    y = 0.7 * x + 0.3 * y
    expected = [
        np.mean([by_scipy(a, b) for a, b in zip((p + 1) / 2, (q + 1) / 2, strict=True)])
        for p, q in zip(x.numpy(), y.numpy(), strict=True)
    ]
    np.testing.assert_allclose(ssim(x, y).numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize(("a", "b"), [(0.0, 1.0), (0.2, 0.8), (0.5, 0.5)])
def test_flat_images_compare_by_luminance_alone(a, b):
    x, y = (torch.full((1, 1, 12, 12), 2 * v - 1, dtype=torch.float64) for v in (a, b))
    expected = (2 * a * b + C1) / (a * a + b * b + C1)
    assert ssim(x, y).item() == pytest.approx(expected, rel=1e-9)


def test_equal_images_reach_one_and_others_do_not():
    x, y = images(), images(seed=1)
    torch.testing.assert_close(ssim(x, x), torch.ones(3, dtype=torch.float64))
    assert (ssim(x, y).abs() < 0.5).all()
    assert (ssim(x, -x) < 0).all()  # structure turned round


def test_symmetric_and_blind_to_turning_both_images():
    x, y = images(), 0.5 * images() + 0.5 * images(seed=1)
    torch.testing.assert_close(ssim(y, x), ssim(x, y))
    torch.testing.assert_close(ssim(x.mT.flip(2), y.mT.flip(2)), ssim(x, y))


def test_each_image_is_compared_on_its_own():
    x, y = images(), images(seed=1)
    alone = torch.cat([ssim(x[i : i + 1], y[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(ssim(x, y), alone)


def test_an_image_smaller_than_the_window_is_named():
    with pytest.raises(ValueError, match=r"x must be at least 11 pixels .* got \(1, 1, 20, 10\)"):
        ssim(torch.zeros(1, 1, 20, 10), torch.zeros(1, 1, 20, 10))
