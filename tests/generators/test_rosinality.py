"""Truths of lwedit.generators.rosinality: the converted generator draws what the published does."""

import pytest
import torch

from lwedit.generators.published import mean_code
from lwedit.generators.rosinality import from_rosinality, rosinality_config
from tests.generators.published import drawn, made_state, mapped


@pytest.fixture(scope="module")
def state():
    return made_state()


def test_sizes_are_read_off_the_weights(state):
    config = rosinality_config(state)
    assert (config.size, config.dim, config.mapping_layers, config.layers) == (16, 6, 3, 6)
    assert config.channels == (8, 8, 4)
    assert config.image_channels == 3


def test_images_are_those_of_the_equations(state):
    generator = from_rosinality(state, torch.zeros(6)).double()
    w = torch.randn(3, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(generator(w), drawn(state, w), rtol=1e-10, atol=1e-10)


def test_the_mapping_is_that_of_the_equations(state):
    generator = from_rosinality(state, torch.zeros(6)).double()
    z = torch.randn(5, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    torch.testing.assert_close(generator.mapping(z), mapped(state, z), rtol=1e-10, atol=1e-10)


def test_every_layer_of_w_plus_reaches_the_layer_it_is_published_for(state):
    generator = from_rosinality(state, torch.zeros(6)).double()
    w = torch.randn(1, 6, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    for layer in range(6):
        moved = w.clone()
        moved[:, layer] += 1
        expected = drawn(state, moved) - drawn(state, w)
        assert expected.abs().max() > 1e-3
        torch.testing.assert_close(generator(moved) - generator(w), expected, rtol=1e-8, atol=1e-9)


def test_the_mean_code_is_taken_where_it_is_stated_and_estimated_where_not(state):
    stated = torch.arange(6.0)
    assert torch.equal(from_rosinality(state, stated).w_mean, stated)
    rows = stated.expand(6, 6)
    assert torch.equal(from_rosinality(state, rows).w_mean, stated)
    estimated = from_rosinality(state).w_mean
    z = torch.randn(20_000, 6, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    spread = mapped(state, z).std(dim=0)
    assert ((estimated - mapped(state, z).mean(dim=0)).abs() < 0.05 * spread).all()


def test_an_estimated_mean_can_be_repeated(state):
    generator = from_rosinality(state, torch.zeros(6))
    assert torch.equal(mean_code(generator, 500), mean_code(generator, 500))


def test_the_published_size_has_the_published_number_of_floats():
    # 30,370,060 parameters of configuration F (Karras et al., 2020), and one stored noise image a
    # convolution.
    with torch.device("meta"):
        state = made_state_on_meta()
    noise = sum(value.numel() for name, value in state.items() if name.startswith("noises"))
    kernels = sum(value.numel() for name, value in state.items() if name.endswith("kernel"))
    assert noise == 16 + 2 * sum(4**i for i in range(3, 11))
    parameters = sum(value.numel() for value in state.values()) - noise - kernels
    assert parameters == 30_370_060


def made_state_on_meta():
    from lwedit.generators import Generator, GeneratorConfig
    from lwedit.generators.rosinality import _names

    config = GeneratorConfig.published()
    ours = Generator(config).state_dict()
    return {theirs: ours[name] for name, theirs in _names(config)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("input.input"), "state must hold 'input.input'"),
        (lambda s: s.pop("style.1.weight"), "state must hold 'style.1.weight'"),
        (lambda s: s.pop("conv1.conv.weight"), "state must hold 'conv1.conv.weight'"),
        (lambda s: s.pop("convs.3.activate.bias"), "state must hold 'convs.3.activate.bias'"),
        (lambda s: s.pop("noises.noise_2"), "state must hold 'noises.noise_2'"),
        (lambda s: s.update({"convs.0.conv.weight": torch.zeros(1, 8, 8, 1, 1)}),
         r"'convs.0.conv.weight' must have shape \(8, 8, 3, 3\), got \(1, 8, 8, 1, 1\)"),
        (lambda s: s.update({"to_rgb1.conv.modulation.bias": torch.zeros(7)}),
         r"'to_rgb1.conv.modulation.bias' must have shape \(8,\), got \(7,\)"),
        (lambda s: s.update({"convs.0.conv.blur.kernel": torch.ones(4, 4) / 16}),
         r"'convs.0.conv.blur.kernel' must be the \[1, 3, 3, 1\] filter"),
        (lambda s: s.update({"final_linear.weight": torch.zeros(1)}),
         "a StyleGAN2 generator's, which has no 'final_linear.weight'"),
    ],
)
def test_another_architecture_is_refused_by_the_entry_that_differs(state, change, message):
    other = dict(state)
    change(other)
    with pytest.raises(ValueError, match=message):
        from_rosinality(other, torch.zeros(6))


def test_a_mean_of_another_length_is_refused(state):
    with pytest.raises(ValueError, match=r"latent_avg must have shape \(6,\) or \(6, 6\), got"):
        from_rosinality(state, torch.zeros(4, 6))
