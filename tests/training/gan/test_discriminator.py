"""Truths that training.gan.discriminator must meet, and R1 beside it.

A reference with SciPy's convolutions, a NumPy loop, permutations, closed forms of the penalty.
"""

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from torch import nn

from lwedit.generators import GeneratorConfig
from training.gan.discriminator import Discriminator, EqualConv, minibatch_deviation
from training.gan.trainer import gradient_penalty

FIR = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def make_discriminator(size, channels, image_channels=1):
    config = GeneratorConfig(size, image_channels, dim=4, mapping_layers=1, channels=channels)
    discriminator = Discriminator(config).double().requires_grad_(False)
    for i, parameter in enumerate(discriminator.parameters()):
        parameter.copy_(normal(*parameter.shape, seed=i))
    return discriminator


# --- reference: one image, features (c, h, w), NumPy and SciPy only ---------------------------


def filtered(x, padding):
    return np.stack([correlate2d(np.pad(c, padding), FIR, "valid") for c in x])


def convolved(x, conv, mode="same"):
    weight = conv.weight.numpy() / np.sqrt(conv.weight[0].numel())
    y = np.stack([sum(correlate2d(c, k, mode) for c, k in zip(x, w, strict=True)) for w in weight])
    return y if conv.bias is None else y + conv.bias.numpy()[:, None, None]


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def residual(x, block):
    y = leaky(convolved(x, block.conv0)) * np.sqrt(2)
    y = leaky(convolved(filtered(y, 2), block.conv1, "valid")[:, ::2, ::2]) * np.sqrt(2)
    return (y + convolved(filtered(x, 1)[:, ::2, ::2], block.skip)) / np.sqrt(2)


def reference(discriminator, x):
    """Logit of one image; alone in its batch it has no deviation but the 1e-8 under the root."""
    y = leaky(convolved(x, discriminator.from_image)) * np.sqrt(2)
    for block in discriminator.blocks:
        y = residual(y, block)
    y = np.concatenate([y, np.full((1, 4, 4), 1e-4)])
    y = leaky(convolved(y, discriminator.conv)) * np.sqrt(2)
    fc, out = discriminator.fc, discriminator.out
    y = fc.weight.numpy() @ y.ravel() / np.sqrt(y.size) + fc.bias.numpy()
    y = leaky(y) * np.sqrt(2)
    return out.weight.numpy()[0] @ y / np.sqrt(y.size) + out.bias.item()


@pytest.mark.parametrize(
    ("size", "channels", "image_channels"),
    [(4, (3,), 1), (8, (4, 3), 1), (16, (5, 4, 3), 3)],
)
def test_logit_agrees_with_the_reference(size, channels, image_channels):
    discriminator = make_discriminator(size, channels, image_channels)
    x = normal(3, image_channels, size, size, seed=50)
    for image in x:
        logit = discriminator(image[None]).item()
        assert logit == pytest.approx(reference(discriminator, image.numpy()), rel=1e-9)


@pytest.mark.parametrize("k", [1, 3])
def test_downsampling_convolution_is_filter_then_every_other_pixel(k):
    conv = EqualConv(2, 3, k, down=True, gain=1.3).double().requires_grad_(False)
    torch.nn.init.normal_(conv.bias)
    x = normal(1, 2, 8, 6)
    smooth = filtered(x[0].numpy(), k // 2 + 1)
    expected = 1.3 * convolved(smooth, conv, "valid")[:, ::2, ::2]
    np.testing.assert_allclose(conv(x)[0].numpy(), expected, atol=1e-12)


# --- minibatch standard deviation ------------------------------------------------------------


@pytest.mark.parametrize(("n", "group", "used"), [(8, 4, 4), (6, 4, 6), (2, 4, 2), (1, 4, 1)])
def test_deviation_agrees_with_a_loop(n, group, used):
    x = normal(n, 3, 2, 5)
    y = minibatch_deviation(x, group)
    torch.testing.assert_close(y[:, :3], x)
    values = x.numpy()
    for i in range(n):
        mates = [j for j in range(n) if j % (n // used) == i % (n // used)]
        assert len(mates) == used
        expected = np.sqrt(values[mates].var(axis=0) + 1e-8).mean()
        np.testing.assert_allclose(y[i, 3].numpy(), expected)


def test_order_within_a_group_does_not_matter():
    discriminator = make_discriminator(8, (4, 3))
    x = normal(8, 1, 8, 8, seed=50)
    within = torch.tensor([2, 1, 4, 3, 6, 5, 0, 7])  # evens among themselves, odds stay
    torch.testing.assert_close(discriminator(x[within]), discriminator(x)[within])
    across = torch.tensor([1, 0, 2, 3, 4, 5, 6, 7])
    assert not torch.allclose(discriminator(x[across]), discriminator(x)[across])


# --- R1 --------------------------------------------------------------------------------------


class Linear(nn.Module):
    def __init__(self, a):
        super().__init__()
        self.a = nn.Parameter(a)

    def forward(self, x):
        return x.flatten(1) @ self.a + 5


class Quadratic(nn.Module):
    def __init__(self, matrix):
        super().__init__()
        self.matrix = nn.Parameter(matrix)

    def forward(self, x):
        v = x.flatten(1)
        return 0.5 * (v @ self.matrix * v).sum(dim=1)


def test_penalty_of_a_linear_discriminator_is_its_squared_slope():
    a = normal(12)
    penalty = gradient_penalty(Linear(a), normal(5, 3, 2, 2, seed=1))
    torch.testing.assert_close(penalty, a.square().sum())


def test_gradient_of_the_penalty_of_a_linear_discriminator_is_twice_its_slope():
    discriminator = Linear(normal(12))
    gradient_penalty(discriminator, normal(5, 3, 2, 2, seed=1)).backward()
    torch.testing.assert_close(discriminator.a.grad, 2 * discriminator.a.detach())


def test_penalty_of_a_quadratic_discriminator_matches_its_formula_and_finite_differences():
    matrix, x, step = normal(6, 6), normal(4, 1, 2, 3, seed=1), 1e-5
    discriminator = Quadratic(matrix)
    penalty = gradient_penalty(discriminator, x).item()
    symmetric = (matrix + matrix.t()) / 2
    expected = (x.flatten(1) @ symmetric).square().sum(dim=1).mean().item()
    assert penalty == pytest.approx(expected, rel=1e-12)
    shifts = step * torch.eye(6).double().reshape(6, 1, 1, 2, 3)
    with torch.no_grad():
        slopes = [(discriminator(x + s) - discriminator(x - s)) / (2 * step) for s in shifts]
    numeric = torch.stack(slopes).square().sum(dim=0).mean().item()
    assert penalty == pytest.approx(numeric, rel=1e-7)


def test_penalty_of_the_network_matches_finite_differences():
    discriminator = make_discriminator(8, (4, 3))
    x, step = normal(2, 1, 8, 8, seed=50), 1e-6
    shifts = step * torch.eye(64).double().reshape(64, 1, 1, 8, 8)
    total = 0.0
    for image in range(2):  # through the deviation an image also moves the other one's logit
        mask = torch.zeros(2, 1, 1, 1).double().index_fill(0, torch.tensor(image), 1)
        for shift in shifts:
            up, down = (discriminator(x + sign * mask * shift).sum() for sign in (1, -1))
            total += ((up - down) / (2 * step)).square().item()
    assert gradient_penalty(discriminator, x).item() == pytest.approx(total / 2, rel=1e-5)


# --- sizes -----------------------------------------------------------------------------------


def test_published_configuration_has_the_published_parameters():
    """Against the total that NVIDIA's stylegan2-ada-pytorch prints at 1024 px: 29012513."""
    with torch.device("meta"):
        discriminator = Discriminator(GeneratorConfig.published(1024))
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == 29012513
