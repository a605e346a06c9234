"""Truths of lwedit.generators.foreign: checkpoints as people have them, and none is run."""

import argparse
import io
from pathlib import Path

import numpy as np
import pytest
import torch

from lwedit.generators.foreign import foreign_generator, read_foreign
from tests.generators.published import drawn, made_state


@pytest.fixture
def place(tmp_path):
    return tmp_path / "checkpoint.pt"


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_rosinality(place):
    state, mean = made_state(), torch.arange(6.0)
    torch.save({"g_ema": state, "latent_avg": mean, "g": {}, "d": {}}, place)
    read = read_foreign(place)
    assert same(read.generator, state)
    assert torch.equal(read.latent_avg, mean)
    assert read.encoder == {}


def test_one_trained_there_has_options_as_a_namespace_and_no_mean(place):
    state = made_state()
    torch.save({"g_ema": state, "args": argparse.Namespace(size=16, path="x")}, place)
    read = read_foreign(place)
    assert same(read.generator, state)
    assert read.latent_avg is None


@pytest.mark.parametrize("options", [{"encoder_type": "GradualStyleEncoder"},
                                     argparse.Namespace(encoder_type="GradualStyleEncoder")])
def test_psp_with_its_encoder_and_options(place, options):
    state = made_state()
    whole = {f"decoder.{name}": value for name, value in state.items()}
    whole["encoder.input_layer.0.weight"] = torch.ones(2, 2)
    torch.save({"state_dict": whole, "opts": options, "latent_avg": torch.ones(6, 6)}, place)
    read = read_foreign(place)
    assert same(read.generator, state)
    assert list(read.encoder) == ["input_layer.0.weight"]
    assert read.options["encoder_type"] == "GradualStyleEncoder"


def test_a_bare_state_and_the_format_before_zip(place):
    state = made_state()
    torch.save(state, place, _use_new_zipfile_serialization=False)
    assert same(read_foreign(place).generator, state)


class Trap:
    """What a hostile file holds: a call."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def test_code_in_a_checkpoint_is_not_run(place, tmp_path):
    target = tmp_path / "ran"
    torch.save({"g_ema": made_state(), "hook": Trap(target)}, place)
    with pytest.raises(ValueError, match=r"numbers and text only: it names .*getattr. Nothing in"):
        read_foreign(place)
    assert not target.exists()
    torch.load(place, weights_only=False)  # the trap is one
    assert target.exists()


@pytest.mark.parametrize("prefix", ["module.", ""])
@pytest.mark.parametrize("where", ["beside", "inside", "numpy", "list"])
def test_the_mean_wherever_it_lies_and_prefixes_of_parallel_training(place, prefix, where):
    state, mean = made_state(), torch.arange(6.0)
    inside = {"latent_avg": mean} if where == "inside" else {}
    beside = {"beside": mean, "numpy": mean.numpy(), "list": mean.tolist()}.get(where)
    held = {"g_ema": {f"{prefix}{k}": v for k, v in {**state, **inside}.items()}}
    torch.save(held | ({} if beside is None else {"latent_avg": beside}), place)
    read = read_foreign(place)
    assert same(read.generator, state)
    assert torch.equal(read.latent_avg, mean)


def test_a_training_checkpoint_with_optimisers_and_discriminator_in_half_precision(place):
    state = {name: value.half() for name, value in made_state().items()}
    weights = [torch.nn.Parameter(torch.ones(3))]
    optimiser = torch.optim.Adam(weights)
    weights[0].sum().backward()
    optimiser.step()
    torch.save({"g": {}, "d": {"convs.0.0.weight": torch.ones(2)}, "g_ema": state, "d_optim":
                optimiser.state_dict(), "ada_aug_p": np.float64(0.1)}, place)
    generator = foreign_generator(read_foreign(place))
    w = torch.randn(1, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(generator.double()(w), drawn(state, w), rtol=1e-9, atol=1e-9)


def test_without_noise_theirs_is_drawn_once(place):
    state = made_state()
    kept = {name: value for name, value in state.items() if not name.startswith("noises")}
    torch.save({"g_ema": kept, "latent_avg": torch.zeros(6)}, place)
    first, second = (foreign_generator(read_foreign(place)) for _ in range(2))
    w = torch.randn(2, 6, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(first(w), second(w))
    own = {name: value for name, value in first.named_buffers() if name.endswith(".noise")}
    for j, (_, noise) in enumerate(sorted(own.items(), key=lambda item: item[1].numel())):
        state[f"noises.noise_{j}"] = noise[None, None]
    torch.testing.assert_close(first(w).double(), drawn(state, w), rtol=1e-4, atol=1e-4)
    spread = torch.cat([noise.flatten() for noise in own.values()]).std()
    assert 0.9 < float(spread) < 1.1


def test_options_of_paths_and_numpy_objects_are_data(place):
    whole = {f"decoder.{name}": value for name, value in made_state().items()}
    whole["encoder.input_layer.0.weight"] = torch.ones(2, 2)
    options = {"exp_dir": Path("runs") / "one", "learning_rate": np.float64(1e-4),
               "start_from_latent_avg": np.bool_(True), "lambdas": np.ones(2),
               "encoder_type": "GradualStyleEncoder", "device": torch.device("cuda:0")}
    torch.save({"state_dict": whole, "opts": options}, place)
    read = read_foreign(place)
    assert read.options["exp_dir"] == "runs/one"
    assert read.options["learning_rate"] == 1e-4
    assert read.options["start_from_latent_avg"] is True
    assert read.latent_avg is None


def test_e4e_is_told_by_its_options_where_they_do_not_name_it(place):
    whole = {f"decoder.{name}": value for name, value in made_state().items()}
    whole["encoder.input_layer.0.weight"] = torch.ones(2, 2)
    torch.save({"state_dict": whole, "opts": {"w_discriminator_lambda": 0.1}}, place)
    assert read_foreign(place).options["encoder_type"] == "Encoder4Editing"
    torch.save({"state_dict": whole, "opts": {"lr": 0.1}}, place)
    with pytest.raises(ValueError, match="opts must name encoder_type, which tells pSp's"):
        read_foreign(place)


def test_hyperstyle_and_class_conditional_generators_are_named(place):
    state = made_state()
    torch.save({"state_dict": {"hypernet.conv1.weight": torch.ones(2), "decoder.a": torch.ones(1)}},
               place)
    with pytest.raises(ValueError, match="it is HyperStyle's, whose hypernetwork is not supported"):
        read_foreign(place)
    torch.save({"g_ema": {**state, "embed.weight": torch.ones(10, 6)}}, place)
    with pytest.raises(ValueError, match="'embed.weight' is of a class-conditional one"):
        foreign_generator(read_foreign(place))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html><head><title>Google Drive", "it is a web page: the download was"),
        (b"\n  <HTML>\n", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "it is a Git LFS pointer"),
        (b"", "it is empty"),
        (b"PNG or whatever", "its first bytes are not those of a file by torch.save or pickle"),
    ],
)
def test_what_is_no_checkpoint_is_named_in_one_line(place, content, message):
    place.write_bytes(content)
    with pytest.raises(ValueError, match=rf"point.pt must be a checkpoint, and {message}") as e:
        read_foreign(place)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_file_says_so_in_one_line(place, share, zipped):
    buffer = io.BytesIO()
    torch.save({"g_ema": made_state()}, buffer, _use_new_zipfile_serialization=zipped)
    place.write_bytes(buffer.getvalue()[: int(share * len(buffer.getvalue()))])
    with pytest.raises(ValueError, match="it is truncated or damaged: download it again") as e:
        read_foreign(place)
    assert "\n" not in str(e.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"none.pt must be a checkpoint: No such file"):
        read_foreign(tmp_path / "none.pt")
    with pytest.raises(ValueError, match="must be a checkpoint: Is a directory"):
        read_foreign(tmp_path)


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"params_ema": {}, "step": 1}, "must hold 'g_ema' .* it holds params_ema, step"),
        ({"state_dict": {"encoder.a": torch.ones(1)}}, "it holds state_dict"),
        ([torch.ones(1)], "must hold a dictionary, got list"),
        ({"g_ema": {}, "latent_avg": 3}, "latent_avg must be a tensor or an array, got int"),
        ({}, "it holds nothing"),
    ],
)
def test_another_layout_is_refused_by_what_it_holds(place, held, message):
    torch.save(held, place)
    with pytest.raises(ValueError, match=message):
        read_foreign(place)
