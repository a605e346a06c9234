"""Truths that lwedit.generators.checkpoints must meet: a file alone rebuilds the generator."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from lwedit.generators import Generator, GeneratorConfig
from lwedit.generators.checkpoints import (
    MAPPING_FILE,
    generator_metadata,
    load_generator,
    load_weights,
)
from lwedit.generators.flow_mapping import FlowConfig

TINY = GeneratorConfig(
    size=8, image_channels=3, dim=6, mapping_layers=2, channels=(8, 4), mapping_width=7
)


@pytest.fixture
def shipped(tmp_path):
    """A generator and its file in float16, as it is shipped."""
    torch.manual_seed(0)
    generator = Generator(TINY)
    half = {name: value.half() for name, value in generator.state_dict().items()}
    save_file(half, tmp_path / "generator.safetensors", metadata=generator_metadata(TINY))
    return generator, tmp_path / "generator.safetensors"


def test_a_file_alone_gives_sizes_and_weights_back(shipped):
    generator, path = shipped
    loaded = load_generator(path)
    assert loaded.config == TINY
    for name, value in loaded.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, generator.state_dict()[name].half().float())
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())


@pytest.mark.slow
def test_the_loaded_generator_draws_the_same_images(shipped):
    generator, path = shipped
    w = torch.randn(2, TINY.layers, TINY.dim, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = generator(w)
    torch.testing.assert_close(load_generator(path)(w), expected, rtol=5e-3, atol=5e-3)


def test_a_file_without_a_width_has_a_mapping_as_wide_as_w(tmp_path):
    narrow = replace(TINY, mapping_width=0)
    about = generator_metadata(narrow)
    del about["mapping_width"]
    save_file(Generator(narrow).state_dict(), tmp_path / "old.safetensors", metadata=about)
    assert load_generator(tmp_path / "old.safetensors").config == narrow


@pytest.mark.parametrize("name", ["size", "image_channels", "dim", "mapping_layers", "channels"])
def test_a_missing_size_is_named(shipped, name):
    generator, path = shipped
    about = {key: value for key, value in generator_metadata(TINY).items() if key != name}
    save_file(generator.state_dict(), path, metadata=about)
    with pytest.raises(ValueError, match=rf"generator\.safetensors must name '{name}' in its head"):
        load_generator(path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-10], "must be a generator's .safetensors file"),
        (lambda data: b"<html><body>404</body></html>", "must be a generator's .safetensors file"),
        (lambda data: b"", "must be a generator's .safetensors file"),
    ],
)
def test_a_damaged_file_is_refused_by_its_name(shipped, damage, message):
    _, path = shipped
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=rf"generator\.safetensors {message}"):
        load_generator(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": "8,8"}, "must hold the weights of Generator"),
        ({"dim": "7"}, "must hold the weights of Generator"),
        ({"size": "9"}, "size must be a power of two from 4 on, got 9"),
        ({"size": "eight"}, "must be a generator's .safetensors file: invalid literal"),
    ],
)
def test_a_header_that_is_not_that_of_the_weights_is_refused(shipped, changes, message):
    generator, path = shipped
    save_file(generator.state_dict(), path, metadata=generator_metadata(TINY) | changes)
    with pytest.raises(ValueError, match=message):
        load_generator(path)


def test_a_missing_file_and_a_missing_tensor_are_refused(shipped, tmp_path):
    generator, path = shipped
    with pytest.raises(ValueError, match=r"other\.safetensors must be a generator's"):
        load_generator(tmp_path / "other.safetensors")
    state = generator.state_dict()
    del state["synthesis.const"]
    save_file(state, path)
    with pytest.raises(ValueError, match="(?s)must hold the weights of Generator.*synthesis.const"):
        load_weights(Generator(TINY), path)


# --- a flow mapping lies in a file of its own -----------------------------------------------------

FLOW = GeneratorConfig(
    size=8, dim=32, channels=(8, 4), flow=FlowConfig(32, 1, steps=3, guidance=1.5, guide_width=32)
)


def test_a_damaged_description_of_a_flow_is_refused(with_flow):
    generator, path = with_flow
    about = generator_metadata(FLOW) | {"flow": '{"width": 32, "wings": 2}'}
    save_file(generator.synthesis.state_dict(), path, metadata=about)
    with pytest.raises(ValueError, match=r"generator\.safetensors must be a generator's"):
        load_generator(path)


@pytest.fixture
def with_flow(tmp_path):
    torch.manual_seed(0)
    generator = Generator(FLOW)
    with torch.no_grad():
        generator.mapping.velocity.end.weight.normal_()
    path = tmp_path / "generator.safetensors"
    save_file(generator.synthesis.state_dict(), path, metadata=generator_metadata(FLOW))
    save_file(generator.mapping.state_dict(), tmp_path / MAPPING_FILE)
    return generator, path


def test_a_flow_is_read_from_beside_the_generator(with_flow):
    generator, path = with_flow
    loaded = load_generator(path)
    assert loaded.config == FLOW
    z = torch.randn(2, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = generator(generator.codes(z))
    torch.testing.assert_close(loaded(loaded.codes(z)), expected)
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())


def test_a_generator_without_its_flow_says_which_file_is_missing(with_flow):
    _, path = with_flow
    path.with_name(MAPPING_FILE).unlink()
    with pytest.raises(ValueError, match=r"mapping\.safetensors must hold the weights of FlowMap"):
        load_generator(path)


def test_an_html_page_as_flow_is_refused(with_flow):
    _, path = with_flow
    path.with_name(MAPPING_FILE).write_text("<html>404</html>")
    with pytest.raises(ValueError, match=r"mapping\.safetensors must hold the weights of FlowMap"):
        load_generator(path)
