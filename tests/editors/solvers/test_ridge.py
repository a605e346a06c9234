"""Truths for the ridge regression: scikit-learn, and least squares without a penalty."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from lwedit.editors.solvers import ridge as ridge_module
from lwedit.editors.solvers.ridge import RidgeSystem


def data(blocks=2):
    g = torch.Generator().manual_seed(0)
    x, t = torch.randn(2, 60, blocks, 4, generator=g) + 3
    a = torch.rand(60, generator=g) + 0.1
    return x, t, a / a.sum()


@pytest.mark.parametrize("rows", [4096, 7])
def test_agrees_with_scikit_learn(rows, monkeypatch):
    monkeypatch.setattr(ridge_module, "_ROWS", rows)
    x, t, a = data()
    system = RidgeSystem(x, a)
    weight, bias = system.solve(system.moves(t), 0.3)
    for block in range(2):
        spread = np.cov(x[:, block].numpy().T, aweights=a.numpy(), ddof=0)
        oracle = Ridge(alpha=0.3 * np.trace(spread) / 4)
        oracle.fit(x[:, block].numpy(), t[:, block].numpy(), sample_weight=a.numpy())
        np.testing.assert_allclose(weight[block].numpy(), oracle.coef_, atol=1e-5)
        np.testing.assert_allclose(bias[block].numpy(), oracle.intercept_, atol=1e-5)


def test_affine_moves_are_recovered_and_flat_directions_left_alone():
    x, _, a = data(blocks=1)
    x[:, :, 3] = 5.0  # no variance: nothing may depend on it
    truth = torch.randn(4, 4, generator=torch.Generator().manual_seed(2))
    truth[:, 3] = 0
    system = RidgeSystem(x, a)
    weight, bias = system.solve(system.moves(x @ truth.T + 1), 0.0)
    torch.testing.assert_close(weight[0], truth, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(bias[0], torch.ones(4), atol=1e-4, rtol=1e-4)
