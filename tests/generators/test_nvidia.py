"""Truths of lwedit.generators.nvidia: NVIDIA's files draw what the equations say."""

import math
import pickle

import numpy as np
import pytest
import torch

from lwedit.generators.foreign import foreign_generator, read_foreign
from tests.generators.published_nvidia import (
    SOURCE,
    drawn,
    made_module,
    made_pickle,
    made_state,
    made_tensorflow,
    mapped,
    nvidia_modules,
)


@pytest.fixture(scope="module")
def state():
    return made_state()


@pytest.fixture
def place(tmp_path):
    return tmp_path / "network.pkl"


def codes(layers=6, dim=6, seed=1):
    return torch.randn(2, layers, dim, generator=torch.Generator().manual_seed(seed))


def read(place, content):
    place.write_bytes(content)
    return foreign_generator(read_foreign(place))


def same_images(generator, state, w):
    images = generator.double()(w.double())
    torch.testing.assert_close(images, drawn(state, w), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_images_are_those_of_the_equations(place, state, protocol):
    generator = read(place, made_pickle(state, protocol=protocol))
    difference = generator(codes()).double() - drawn(state, codes())
    assert difference.abs().max() < 1e-4
    same_images(generator, state, codes())


@pytest.mark.slow
def test_a_file_of_64_px_with_eight_layers_of_mapping(place):
    state = made_state(widths=(12, 12, 8, 8, 4), dim=12, layers=8)
    w = codes(10, 12)
    generator = read(place, made_pickle(state))
    assert (generator.config.size, generator.config.mapping_layers) == (64, 8)
    assert (generator(w).double() - drawn(state, w)).abs().max() < 1e-4


def test_the_mapping_and_the_mean_are_those_of_the_file(place, state):
    generator = read(place, made_pickle(state))
    z = torch.randn(5, 6, generator=torch.Generator().manual_seed(2))
    assert torch.equal(generator.w_mean, state["mapping.w_avg"])
    w = mapped(state, z)
    torch.testing.assert_close(generator.mapping(z).double(), w, rtol=1e-4, atol=1e-4)
    w = state["mapping.w_avg"] + 0.7 * (mapped(state, z) - state["mapping.w_avg"])
    torch.testing.assert_close(generator.codes(z, truncation=0.7)[:, 3].double(), w, rtol=1e-4,
                               atol=1e-4)


def test_the_source_in_a_file_is_not_run_and_would_be(place, state, tmp_path):
    target = tmp_path / "ran"
    source = SOURCE.format(str(target))
    content = made_pickle(state, source)
    for file in (content, made_tensorflow(state, source)):
        same_images(read(place, file), state, codes())
        assert not target.exists()
    with nvidia_modules():
        pickle.loads(content)  # the trap is one
    assert target.exists()


def test_a_tensorflow_file_draws_the_same(place, state):
    same_images(read(place, made_tensorflow(state)), state, codes())


def test_a_state_alone_in_half_precision(place, state):
    half = {f"module.{name}": value.half() for name, value in state.items()}
    torch.save({"G_ema": half}, place)
    rounded = {name: value.half().float() for name, value in state.items()}
    same_images(foreign_generator(read_foreign(place)), rounded, codes())


def test_without_noise_the_strength_is_zero(place, state):
    quiet = {name: value for name, value in state.items() if "noise" not in name}
    same_images(read(place, made_pickle(quiet)), quiet, codes())


@pytest.mark.slow
def test_without_a_mean_it_is_estimated(place, state):
    with_mean = read(place, made_pickle(state))
    with nvidia_modules():
        network = made_module(state)
        del network.state["_modules"]["mapping"].state["_buffers"]["w_avg"]
        content = pickle.dumps({"G_ema": network})
    z = torch.randn(20_000, 6, generator=torch.Generator().manual_seed(9))
    estimated, exact = read(place, content).w_mean, mapped(state, z).mean(dim=0)
    assert (estimated - exact).abs().max() < 0.05 * mapped(state, z).std()
    assert not torch.equal(estimated, with_mean.w_mean)


@pytest.mark.slow
def test_a_clamp_that_does_not_act_is_left_out_and_one_that_acts_is_refused(place, state):
    layer = "synthesis.b16.conv1"
    wide = made_pickle(state, change={layer: {"conv_clamp": 256}})
    same_images(read(place, wide), state, codes())
    clamped = made_pickle(state, change={layer: {"conv_clamp": 2}})
    with pytest.raises(ValueError, match=r"conv_clamp = 2 must not act, .*: activations reach \d"):
        read(place, clamped)
    assert not torch.allclose(drawn(state, codes(), clamp=2), drawn(state, codes()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"": {"c_dim": 10}}, "c_dim must be 0: the generator is class-conditional"),
        ({"synthesis.b8": {"architecture": "resnet"}},
         "synthesis.b8.architecture must be 'skip' to be supported, got 'resnet'"),
        ({"synthesis.b8": {"architecture": "orig"}}, "must be 'skip' to be supported, got 'orig'"),
        ({"synthesis.b4.conv1": {"activation": "relu"}},
         "synthesis.b4.conv1.activation must be 'lrelu' to be supported, got 'relu'"),
        ({"mapping.fc1": {"bias_gain": 1.0}}, "mapping.fc1.bias_gain must be 0.01 to be supported"),
        ({"synthesis.b4.conv1": {"activation": ["lrelu"] * 99}}, "got list"),
    ],
)
def test_what_a_generator_cannot_express_is_refused_by_name(place, state, change, message):
    with pytest.raises(ValueError, match=message) as error:
        read(place, made_pickle(state, change=change))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: s.update({"synthesis.b8.skip.weight": torch.ones(8, 8, 1, 1)}), "which has no"),
        (lambda s: s.update({"mapping.embed.weight": torch.ones(6, 9)}), "class-conditional"),
        (lambda s: s.pop("synthesis.b8.torgb.bias"), "state must hold 'synthesis.b8.torgb.bias'"),
        (lambda s: s.pop("synthesis.b8.conv0.noise_const"), "must hold 'synthesis.b8.conv0.noise"),
        (lambda s: s.update({"mapping.fc0.weight": torch.ones(6, 9)}), "z must be as long as w"),
        (lambda s: s.update({"synthesis.input.weight": torch.ones(2, 2)}), "it is StyleGAN3's"),
        (lambda s: s.update({"mapping.mlp.fc0.weight": torch.ones(6, 6)}), "it is StyleGAN-T's"),
        (lambda s: s["synthesis.b8.conv1.bias"].fill_(math.nan), "conv1.bias' must be finite"),
        (lambda s: s.update({"synthesis.b8.conv1.affine.weight": torch.ones(8, 7)}),
         r"'synthesis.b8.conv1.affine.weight' must have shape \(8, 6\), got \(8, 7\)"),
    ],
)
def test_another_network_is_refused_by_what_differs(place, state, edit, message):
    other = {name: value.clone() for name, value in state.items()}
    edit(other)
    with pytest.raises(ValueError, match=message):
        read(place, made_pickle(other))


def test_another_filter_is_refused(place, state):
    with nvidia_modules():
        network = made_module(state)
        block = network.state["_modules"]["synthesis"].state["_modules"]["b8"]
        block.state["_buffers"]["resample_filter"] = torch.ones(2, 2) / 4
        content = pickle.dumps({"G_ema": network})
    with pytest.raises(ValueError, match=r"b8.resample_filter' must be the \[1, 3, 3, 1\] filter"):
        read(place, content)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"label_size": 5}, "label_size must be 0: the generator is class-conditional"),
     ({"architecture": "resnet"}, "architecture must be 'skip' to be supported, got 'resnet'"),
     ({"mapping_lrmul": 0.02}, "mapping_lrmul must be 0.01 to be supported, got 0.02"),
     ({"resample_kernel": [1, 1]}, "resample_kernel must be .* to be supported")],
)
def test_options_of_tensorflow_networks_are_refused_by_name(place, state, options, message):
    with pytest.raises(ValueError, match=message):
        read(place, made_tensorflow(state, **options))


def test_stylegan_of_2018_is_refused(place, state):
    first = {**state, "synthesis.b8.conv1.style": np.float32(1) * torch.ones(3)}
    with pytest.raises(ValueError, match="must be StyleGAN2's, which has no 'synthesis/8x8"):
        read(place, made_tensorflow(first))
