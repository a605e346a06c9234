"""Truths of lwedit.domains.ffhq.convert: all or nothing is written, whatever the file holds."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from lwedit.domains.ffhq import FfhqDomain, convert
from lwedit.domains.ffhq.__main__ import main
from lwedit.generators import published
from lwedit.generators.checkpoints import load_generator
from lwedit.inversion.psp import load_psp
from tests.domains.published_ffhq import write_checkpoint
from tests.generators.published import made_state
from tests.generators.published_nvidia import SOURCE, drawn, made_pickle
from tests.generators.published_nvidia import made_state as nvidia_state


def test_the_command_converts_a_file_by_nvidia_and_runs_nothing_in_it(tmp_path, capsys):
    state = nvidia_state()
    place, folder = tmp_path / "network.pkl", tmp_path / "weights"
    place.write_bytes(made_pickle(state, SOURCE.format(str(tmp_path / "ran"))))
    main(["--folder", str(folder), "convert", str(place)])
    assert "generator.safetensors" in capsys.readouterr().out
    assert not (tmp_path / "ran").exists()
    generator = FfhqDomain.load(folder).generator
    w = torch.randn(2, 6, 6, generator=torch.Generator().manual_seed(0))
    assert (generator(w).double() - drawn(state, w)).abs().max() < 1e-4
    assert torch.equal(generator.w_mean, state["mapping.w_avg"])


@pytest.mark.slow
def test_an_encoder_without_a_mean_starts_from_the_generators(tmp_path):
    write_checkpoint(tmp_path / "psp.pt")
    held = torch.load(tmp_path / "psp.pt")
    del held["latent_avg"]
    held["state_dict"] = {f"module.{name}": value for name, value in held["state_dict"].items()}
    held["opts"] |= {"exp_dir": Path("runs"), "learning_rate": np.float32(0.1)}
    torch.save(held, tmp_path / "psp.pt")
    convert(tmp_path / "psp.pt", tmp_path)
    domain = FfhqDomain.load(tmp_path)
    assert domain.generator.w_mean.abs().max() > 0
    assert torch.equal(domain.encoder.latent_avg, domain.generator.w_mean.expand(8, 64))


@pytest.mark.slow
def test_where_one_file_cannot_be_written_none_is(tmp_path, monkeypatch):
    write_checkpoint(tmp_path / "psp.pt")
    folder = tmp_path / "weights"

    def full(state, path, metadata):
        save_file(state, path, metadata)
        if path.stem == "encoder":
            raise OSError("no space left")

    # By its name: the package gives `convert` to the function of the same name.
    monkeypatch.setattr(sys.modules["lwedit.domains.ffhq.convert"], "save_file", full)
    with pytest.raises(ValueError, match="weights must be a folder to write in: no space left"):
        convert(tmp_path / "psp.pt", folder)
    assert list(folder.iterdir()) == []
    with pytest.raises(ValueError, match="psp.pt must be a folder to write in"):
        convert(tmp_path / "psp.pt", tmp_path / "psp.pt")


def saved(held, **options):
    buffer = io.BytesIO()
    torch.save(held, buffer, **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file of each layout."""
    place = tmp_path_factory.mktemp("whole") / "psp.pt"
    write_checkpoint(place)
    small = {"g_ema": made_state((2, 2), 2, 2), "latent_avg": torch.zeros(2)}
    return (saved(small), saved(small, _use_new_zipfile_serialization=False),
            made_pickle(nvidia_state((2, 2), 2)), place.read_bytes())


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_file_is_converted_or_refused_in_one_line(
    tmp_path, monkeypatch, unchecked, files, data
):
    monkeypatch.setattr(published, "_SAMPLES", 100)
    content = bytearray(files[data.draw(st.integers(0, len(files) - 1), "file")])
    place, folder = tmp_path / "file.pt", tmp_path / "weights"
    for _ in range(data.draw(st.integers(1, 4), "changes")):
        # Most bytes are weights: half of the changes go where names and instructions are.
        most = data.draw(st.sampled_from([len(content) - 1, min(2500, len(content) - 1)]), "most")
        start = data.draw(st.integers(0, most), "start")
        kind = data.draw(st.sampled_from(["set", "cut", "insert", "repeat", "end"]), "kind")
        length = data.draw(st.integers(0, 40), "length")
        some = data.draw(st.binary(min_size=1, max_size=8), "bytes")
        part = {"set": some, "cut": b"", "insert": some + content[start : start + length],
                "repeat": content[start : start + length] * 2, "end": b""}[kind]
        content[start : len(content) if kind == "end" else start + max(length, 1)] = part
        if not content:
            break
    place.write_bytes(content)
    try:
        written, error = convert(place, folder).written, ""
    except ValueError as refusal:
        written, error = (), str(refusal)
    assert error.isprintable()
    for path in written:
        load = load_generator if path.stem == "generator" else load_psp
        assert all(value.isfinite().all() for value in load(path).state_dict().values())
        path.unlink()
    assert not folder.exists() or not any(folder.iterdir())
