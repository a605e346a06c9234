"""Truths for the ridge regression tied over cells: scikit-learn when unfolded, a convolution."""


import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch.nn import functional

from lwedit.classifier import LatentClassifier
from lwedit.editors import (
    AlternateSolver,
    FitData,
    LatentWasserstein,
    LatentWassersteinConfig,
)
from lwedit.editors.solvers.ridge import RidgeSystem
from lwedit.editors.solvers.ridge_tied import TiedRidgeSystem
from lwedit.latents import LatentSet, Space

SIDE, PART, N = 3, 2, 400


def codes(blocks=1):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(N, blocks, SIDE**2 * PART, generator=g)
    x[:, :, 1::2] *= 0.5
    a = torch.rand(N, generator=g) + 0.1
    return x + torch.randn(SIDE**2 * PART, generator=g), a / a.sum(), g


def by_convolution(x, kernel, bias):
    """(n, 1, cells part) -> the same, by torch."""
    grid = x[:, 0].view(len(x), SIDE, SIDE, PART).permute(0, 3, 1, 2)
    moved = functional.conv2d(grid, kernel, padding=SIDE - 1)
    return (moved.permute(0, 2, 3, 1).reshape(len(x), 1, -1)) + bias


def test_a_convolution_is_recovered_and_no_other_map_is_found():
    x, a, g = codes()
    x = x - (a @ x[:, 0])  # outside of the grid is the mean code
    kernel = torch.randn(PART, PART, 2 * SIDE - 1, 2 * SIDE - 1, generator=g)
    bias = torch.randn(SIDE**2 * PART, generator=g)
    t = by_convolution(x, kernel, bias)
    system = TiedRidgeSystem(x, a, SIDE)
    weight, found = system.solve(system.moves(t), 1e-9)
    torch.testing.assert_close(x[:, 0] @ weight[0].T + found[0], t[:, 0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found[0], bias, atol=1e-4, rtol=1e-4)
    parts = weight[0].view(SIDE**2, PART, SIDE**2, PART).transpose(1, 2)  # [p, q] = K_(q - p)
    torch.testing.assert_close(parts[0, 1], parts[4, 5])
    torch.testing.assert_close(parts[3, 1], parts[6, 4])
    assert not torch.allclose(parts[0, 1], parts[1, 0], atol=0.1)


def test_agrees_with_scikit_learn_on_unfolded_codes():
    x, a, g = codes(blocks=2)
    t = torch.randn(N, 2, SIDE**2 * PART, generator=g)
    system = TiedRidgeSystem(x, a, SIDE)
    weight, bias = system.solve(system.moves(t), 0.3)
    for block in range(2):
        v = (x[:, block] - a @ x[:, block]).double()
        aim = (t[:, block] - a @ t[:, block]).double()
        grid = v.view(N, SIDE, SIDE, PART).permute(0, 3, 1, 2)
        reach = 2 * SIDE - 1
        rows = functional.unfold(grid, reach, padding=SIDE - 1).transpose(1, 2)  # (n, cells, taps)
        mass = a.repeat_interleave(SIDE**2).double().numpy()
        level = np.cov(v.numpy().T, aweights=a.numpy(), ddof=0).trace() / v.shape[1]
        oracle = Ridge(alpha=0.3 * level * SIDE**2, fit_intercept=False)
        oracle.fit(rows.flatten(0, 1).numpy(), aim.reshape(-1, PART).numpy(), sample_weight=mass)
        expected = oracle.predict(rows.flatten(0, 1).numpy()).reshape(N, -1)
        np.testing.assert_allclose((v.float() @ weight[block].T).numpy(), expected, atol=1e-4)
        shifted = a @ t[:, block] - weight[block] @ (a @ x[:, block])
        torch.testing.assert_close(bias[block], shifted, atol=1e-4, rtol=1e-4)


def test_what_has_no_moves_keeps_a_map_of_zeros():
    x, a, _ = codes(blocks=2)
    t = torch.zeros_like(x)
    t[:, 1] = x[:, 1]
    system = TiedRidgeSystem(x, a, SIDE)
    weight, bias = system.solve(system.moves(t), 1e-6)
    assert not weight[0].any()
    assert not bias[0].any()
    torch.testing.assert_close(weight[1], torch.eye(SIDE**2 * PART), atol=1e-3, rtol=1e-3)


def test_less_noise_is_learned_than_by_a_free_map():
    x, a, g = codes()
    noise = torch.randn(N, 1, SIDE**2 * PART, generator=g)
    free, tied = RidgeSystem(x, a), TiedRidgeSystem(x, a, SIDE)
    learned = [s.solve(s.moves(noise), 1e-3)[0].square().sum() for s in (free, tied)]
    assert learned[1] < 0.6 * learned[0]


def test_errors_name_the_remedy():
    x, a, _ = codes()
    with pytest.raises(ValueError, match="grid must split a code of 18 entries.*take None"):
        TiedRidgeSystem(x, a, 4)
    system = TiedRidgeSystem(x, a, SIDE)
    with pytest.raises(ValueError, match="ridge must be positive"):
        system.solve(system.moves(x), 0.0)
    with pytest.raises(ValueError, match="grid must be None unless the map is one per layer"):
        LatentWassersteinConfig(AlternateSolver(grid=4), shape="full")


def test_latent_wasserstein_ties_the_cells_of_the_layers_it_moves():
    space = Space(generator="a" * 64, name="W+", layers=2, dim=SIDE**2 * PART)
    g = torch.Generator().manual_seed(3)
    w = torch.randn(800, 2, space.dim, generator=g)
    y = torch.arange(800) % 2
    w[y == 1] = 1.5 * w[y == 1] + 1  # targets: wider and shifted, the same in every cell
    latents = LatentSet(w, y[:, None], ("k",), space)
    data = FitData(latents, latents, LatentClassifier(("k",), space, (4,)), "k", 0)
    free, tied = (
        LatentWasserstein.fit(data, LatentWassersteinConfig(
            AlternateSolver(grid=grid, rounds=1, ridge=(1e-2,)), lam=0.0, blur=(0.3,), layers=(1,)
        )).map
        for grid in (None, SIDE)
    )
    parts = tied.weight[1].view(SIDE**2, PART, SIDE**2, PART).transpose(1, 2)
    torch.testing.assert_close(parts[0, 0], parts[8, 8])
    assert not tied.weight[0].any()
    assert not tied.bias[0].any()
    apart = [m.weight[1] - torch.diag(m.weight[1].diagonal()) for m in (free, tied)]
    assert apart[1].square().sum() < 0.5 * apart[0].square().sum()  # off the diagonal is noise
    assert tied.weight[1].diagonal().min() > 0.1  # and on it the widening
