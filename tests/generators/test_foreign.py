"""Truths of lwedit.generators.foreign: three layouts are read, and nothing in a file is run."""

import argparse
import io
import pickle
from pathlib import Path

import pytest
import torch

from lwedit.generators.foreign import read_foreign
from tests.generators.published import made_state


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
    with pytest.raises(ValueError, match=r"must hold tensors and numbers only, it holds other"):
        read_foreign(place)
    assert not target.exists()
    torch.load(place, weights_only=False)  # the trap is one
    assert target.exists()


def test_a_bare_pickle_is_not_opened(place, tmp_path):
    target = tmp_path / "ran"
    place.write_bytes(pickle.dumps({"G_ema": Trap(target)}))
    with pytest.raises(ValueError, match="it is a bare pickle, as NVIDIA publishes: .*never opene"):
        read_foreign(place)
    assert not target.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html><head><title>Google Drive", "it is a web page: the download was"),
        (b"\n  <HTML>\n", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "it is a Git LFS pointer"),
        (b"", "it is empty"),
        (b"PNG or whatever", "its first bytes are not those of a file by torch.save"),
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
        ({"g_ema": {}, "latent_avg": 3}, "must hold latent_avg as a tensor, got int"),
        ({}, "it holds nothing"),
    ],
)
def test_another_layout_is_refused_by_what_it_holds(place, held, message):
    torch.save(held, place)
    with pytest.raises(ValueError, match=message):
        read_foreign(place)
