"""Truths that training.digits.mapping_fit must meet: moments of a mixture whose law is known."""

import pytest
import torch

from lwedit.generators import Mapping
from training.digits.mapping_fit import MappingFitConfig, fit_mapping

DIM = 16
CENTRES = torch.tensor([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


PLANE = torch.linalg.qr(torch.randn(DIM, 2, generator=rng(99))).Q


def mixture(n=4000):
    """Three clusters in a plane of the 16 dimensions, and a little noise out of it."""
    flat = CENTRES[torch.randint(3, (n,), generator=rng(1))]
    flat = flat + 0.4 * torch.randn(n, 2, generator=rng(2))
    return 0.3 + flat @ PLANE.T + 0.1 * torch.randn(n, DIM, generator=rng(3))


def make_mapping(seed=0, layers=4, width=0):
    torch.manual_seed(seed)
    return Mapping(DIM, layers, width)


@pytest.mark.slow
def test_the_moments_of_a_mixture_are_found():
    codes, mapping = mixture(), make_mapping(width=64)
    config = MappingFitConfig(
        flow_steps=1500, width=128, depth=2, pairs=8000, path_steps=20, distil_steps=1500, batch=256
    )
    fit_mapping(mapping, codes, config, rng())
    with torch.no_grad():
        w = mapping(torch.randn(4000, DIM, generator=rng(5)))
    truth, found = torch.cov(codes.T), torch.cov(w.T)
    assert (w.mean(dim=0) - codes.mean(dim=0)).norm() < 0.15 * truth.trace().sqrt()
    assert (found - truth).norm() < 0.3 * truth.norm()
    shares = torch.cdist((w - 0.3) @ PLANE, CENTRES).argmin(dim=1).bincount(minlength=3) / 4000
    assert (shares - 1 / 3).abs().max() < 0.12  # no cluster is forgotten


def test_the_mean_code_is_that_of_the_codes():
    codes, mapping = mixture(200), make_mapping()
    fit_mapping(mapping, codes, MappingFitConfig(
        flow_steps=1, width=8, depth=1, pairs=8, path_steps=1, distil_steps=1, batch=8
    ), rng())
    torch.testing.assert_close(mapping.w_mean, codes.mean(dim=0))


def test_fitting_is_a_function_of_first_weights_and_its_generator_alone():
    config = MappingFitConfig(
        flow_steps=5, width=8, depth=1, pairs=8, path_steps=2, distil_steps=3, batch=8
    )
    results = []
    for noise, seed in ((1, 0), (2, 0), (1, 3)):
        mapping = make_mapping()
        torch.manual_seed(noise)
        state = torch.get_rng_state()
        fit_mapping(mapping, mixture(200), config, rng(seed))
        assert torch.equal(torch.get_rng_state(), state)
        results.append(torch.cat([p.detach().flatten() for p in mapping.parameters()]))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
