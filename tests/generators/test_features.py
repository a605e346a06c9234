"""Truths for feature maps and style space: the same image, from maps and from styles."""

import pytest
import torch

from lwedit.generators import Generator, GeneratorConfig
from lwedit.generators.dcgan import Dcgan
from lwedit.generators.features import StyleSpace, feature_maps


@pytest.fixture(scope="module")
def stylegan():
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(16, 1, 8, 1, (8, 6, 4)))
    for affines in generator.synthesis.affines():
        for affine in affines:
            torch.nn.init.normal_(affine.bias)
    return generator


def codes(n, layers, dim):
    return torch.randn(n, layers, dim, generator=torch.Generator().manual_seed(0))


def test_styles_draw_what_their_code_draws(stylegan):
    w, space = codes(3, 6, 8), StyleSpace(stylegan)
    s = space.codes(w)
    assert s.shape == (3, 1, space.dim)
    torch.testing.assert_close(space(s), stylegan(w))
    assert not torch.allclose(space(2 * s), stylegan(w))
    torch.testing.assert_close(stylegan(w), space.generator(w))  # no hook is left behind


def test_the_maps_of_styles_are_those_of_the_code(stylegan):
    w, space = codes(2, 6, 8), StyleSpace(stylegan)
    one, other = feature_maps(stylegan, w), feature_maps(space, space.codes(w))
    torch.testing.assert_close(one.image, stylegan(w))
    assert [part.shape[1:] for part in one.maps] == [(8, 4, 4), (6, 8, 8), (6, 8, 8), (4, 16, 16),
                                                     (4, 16, 16)]
    for a, b in zip(one.maps, other.maps, strict=True):
        torch.testing.assert_close(a, b)


def test_a_dcgans_maps_are_its_own_with_gradients_and_without():
    generator, w = Dcgan(5, (4, 3, 2), 1), codes(2, 1, 5)
    expected = [generator.maps(w, depth) for depth in range(3)]
    found = feature_maps(generator, w)
    with torch.no_grad():
        still = feature_maps(generator, w)
    torch.testing.assert_close(found.image, generator(w))
    for a, b, c in zip(expected, found.maps, still.maps, strict=True):
        torch.testing.assert_close(a, b)
        torch.testing.assert_close(a, c)


def test_maps_can_be_differentiated(stylegan):
    w = codes(1, 6, 8).requires_grad_()
    (slope,) = torch.autograd.grad(feature_maps(stylegan, w).maps[2].square().sum(), w)
    assert (slope[0, :3].abs().sum(dim=1) > 0).all()
    assert (slope[0, 3:] == 0).all()  # later layers come after this map


def test_a_network_without_maps_is_named():
    with pytest.raises(ValueError, match="must be a StyleGAN2 or a DCGAN, got Linear"):
        feature_maps(torch.nn.Linear(2, 2), torch.zeros(1, 1, 2))
