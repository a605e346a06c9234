"""Truths of lwedit.domains.ffhq: what is converted draws the same, what is missing is said how."""

import hashlib
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open

from lwedit.domains import AttributeDomain
from lwedit.domains.ffhq import (
    CELEBA_ATTRIBUTES,
    SOURCES,
    FfhqDomain,
    convert,
    default_folder,
    guide,
    missing,
)
from lwedit.domains.ffhq.__main__ import main
from lwedit.domains.ffhq.convert import origin
from lwedit.judges.faces import FaceJudge
from lwedit.latents import hash_state
from tests.domains.published_ffhq import write_arrays, write_checkpoint
from tests.generators.published import drawn


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with everything, and the state that the generator was made from."""
    folder = tmp_path_factory.mktemp("ffhq")
    state = write_checkpoint(folder / "psp.pt")
    convert(folder / "psp.pt", folder)
    write_arrays(folder)
    return folder, state


@pytest.fixture
def domain(made):
    return FfhqDomain.load(made[0])


def test_it_is_an_attribute_domain_of_w_plus(domain):
    assert isinstance(domain, AttributeDomain)
    assert (domain.name, domain.space.name) == ("ffhq", "W+")
    assert (domain.space.layers, domain.space.dim) == (8, 64)
    assert domain.space.generator == hash_state(domain.generator.state_dict())
    assert domain.weights.keys() == {"generator", "encoder"}
    assert len(domain.attributes) == 40
    assert domain.attributes.index("Eyeglasses") == 15
    assert domain.attributes.index("Smiling") == 31


def test_the_converted_generator_draws_what_the_published_one_does(domain, made):
    w = torch.randn(3, 8, 64, generator=torch.Generator().manual_seed(0))
    truth = drawn(made[1], w)
    torch.testing.assert_close(domain.generate(w).double(), truth, rtol=1e-4, atol=1e-4)


def test_a_photo_becomes_a_code_about_the_mean(domain):
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    w = domain.encode(x)
    assert w.shape == (2, 8, 64)
    assert torch.equal(domain.encoder.latent_avg, torch.linspace(-1, 1, 64).expand(8, 64))
    assert torch.equal(domain.generator.w_mean, torch.linspace(-1, 1, 64))


def test_the_header_names_what_it_was_made_from(made):
    folder, _ = made
    digest = hashlib.sha256((folder / "psp.pt").read_bytes()).hexdigest()
    for name in ("generator", "encoder"):
        with safe_open(folder / f"{name}.safetensors", "pt") as file:
            about = file.metadata()
        assert about["source"] == "psp.pt"
        assert about["source_sha256"] == digest
    assert json.loads(about["psp"])["kind"] == "psp"


def test_codes_and_labels_are_split_as_lt_does(domain, made):
    codes, labels = np.load(made[0] / "celebahq_dlatents_psp.npy"), np.load(
        made[0] / "celebahq_anno.npy")
    train, held = domain.latents("train"), domain.latents("heldout")
    assert (len(train), len(held)) == (270, 30)
    assert np.array_equal(torch.cat([train.w, held.w]).numpy(), codes)
    assert np.array_equal(torch.cat([train.y, held.y]).numpy(), labels)
    assert len(domain.latents("train", most=50)) == 50
    assert train.attributes == CELEBA_ATTRIBUTES


def test_constant_and_rare_attributes_are_not_edited(domain, tmp_path, made):
    assert set(CELEBA_ATTRIBUTES) - set(domain.editable) == {"Bald", "Blurry"}
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "generator.safetensors").write_bytes((made[0] / "generator.safetensors").read_bytes())
    assert FfhqDomain.load(bare).editable == ()


def test_a_judge_that_the_user_brings_scores_images(made, tmp_path):
    for name in ("generator.safetensors", "encoder.safetensors"):
        (tmp_path / name).write_bytes((made[0] / name).read_bytes())
    domain = FfhqDomain.load(tmp_path)
    x = domain.generate(torch.randn(2, 8, 64, generator=torch.Generator().manual_seed(2)))
    with pytest.raises(ValueError, match="must hold judge.safetensors, an attribute network"):
        domain.score(x)
    torch.manual_seed(0)
    FaceJudge(CELEBA_ATTRIBUTES, width=4, features=8).save(tmp_path / "judge.safetensors")
    domain = FfhqDomain.load(tmp_path)
    assert domain.score(x).shape == (2, 40)
    assert domain.identities[-1] == "features"
    assert domain.identity(x, x, "features") == pytest.approx(torch.ones(2).numpy(), abs=1e-5)
    with pytest.raises(ValueError, match="measure must be one of"):
        domain.identity(x, x, "arcface")
    FaceJudge(width=4, features=8).save(tmp_path / "judge.safetensors")
    with pytest.raises(ValueError, match="must answer CelebA's attributes, in their order"):
        FfhqDomain.load(tmp_path)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder that the environment names."""
    monkeypatch.setenv("LWEDIT_FFHQ", str(tmp_path / "weights"))
    return tmp_path / "weights"


def test_nothing_there_is_one_line_with_the_way_to_get_it(folder):
    assert default_folder() == folder
    assert missing() == ("generator.safetensors", "encoder.safetensors")
    with pytest.raises(ValueError, match="must hold generator.safetensors, and does") as e:
        FfhqDomain.load()
    assert "psp_ffhq_encode.pt or e4e_ffhq_encode.pt or stylegan2-ffhq-config-f.pt" in str(e.value)
    assert "\n" not in str(e.value)


def test_without_encoder_or_codes_the_rest_works(folder, made):
    folder.mkdir()
    (folder / "generator.safetensors").write_bytes((made[0] / "generator.safetensors").read_bytes())
    assert missing() == ("encoder.safetensors",)
    domain = FfhqDomain.load()
    with pytest.raises(ValueError, match="must hold encoder.safetensors to read photos. Download"):
        domain.encode(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ValueError, match=r"must hold celebahq_dlatents_psp.npy and celebahq_anno"):
        domain.latents("train")


def test_an_encoder_of_another_generator_is_refused(folder, made):
    folder.mkdir()
    torch.save({"g_ema": _other_generator(), "latent_avg": torch.zeros(6)}, folder / "g.pt")
    convert(folder / "g.pt")
    (folder / "encoder.safetensors").write_bytes((made[0] / "encoder.safetensors").read_bytes())
    with pytest.raises(ValueError, match=r"must make codes of shape \(6, 6\) .*, got \(8, 64\)"):
        FfhqDomain.load()


def _other_generator():
    from tests.generators.published import made_state

    return made_state()


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("celebahq_dlatents_psp.npy", np.zeros((300, 8, 63), np.float32),
         r"codes must be floats of shape \(n, 8, 64\).*got float32 \(300, 8, 63\)"),
        ("celebahq_dlatents_psp.npy", np.zeros((300, 8, 64), np.int32), "codes must be floats"),
        ("celebahq_dlatents_psp.npy", np.full((300, 8, 64), np.nan, np.float32), "must be finite"),
        ("celebahq_dlatents_psp.npy", np.zeros((301, 8, 64), np.float32), "a code for each of the"),
        ("celebahq_dlatents_psp.npy", np.zeros((299, 8, 64), np.float32), "a code for each of the"),
        ("celebahq_anno.npy", np.zeros((300, 39), int), r"labels must have shape \(n, 40\)"),
        ("celebahq_anno.npy", 2 * np.ones((300, 40), int), r"labels must be 0 or 1, .* holds '2'"),
    ],
)
def test_arrays_are_checked_at_the_door(folder, made, name, array, message):
    folder.mkdir()
    for file in made[0].iterdir():
        if file.suffix != ".pt":
            (folder / file.name).write_bytes(file.read_bytes())
    np.save(folder / name, array)
    with pytest.raises(ValueError, match=message):
        FfhqDomain.load().latents("train")


def test_a_web_page_as_an_array_is_refused(folder, made):
    folder.mkdir()
    (folder / "generator.safetensors").write_bytes((made[0] / "generator.safetensors").read_bytes())
    for name in ("celebahq_dlatents_psp.npy", "celebahq_anno.npy"):
        (folder / name).write_bytes(b"<html>quota exceeded</html>")
    with pytest.raises(ValueError, match="labels must be an array, .* is a web page"):
        FfhqDomain.load().latents("train")


def test_the_command_converts_and_says_what_is_there(folder, made, capsys):
    main(["--folder", str(folder), "convert", str(made[0] / "psp.pt")])
    told = capsys.readouterr().out
    assert "generator.safetensors" in told
    assert "not one that is known here: compare it with a source that you trust" in told
    main(["--folder", str(folder)])
    told = capsys.readouterr().out
    assert "here     generator.safetensors" in told
    assert "missing  celebahq_anno.npy" in told
    assert "InterDigitalInc/latent-transformer" in told
    assert FfhqDomain.load(folder).encoder is not None


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"<!doctype html>", "it is a web page"), (b"PK\x03\x04" + b"\0" * 99, "truncated or damaged"),
     (b"\x80\x03cdnnlib.tflib.network", "truncated or damaged")],
)
def test_the_command_ends_with_one_line_where_there_is_no_checkpoint(
    folder, tmp_path, capsys, content, message
):
    (tmp_path / "file.pt").write_bytes(content)
    with pytest.raises(SystemExit) as error:
        main(["--folder", str(folder), "convert", str(tmp_path / "file.pt")])
    assert error.value.code == 1
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert not folder.exists()


def test_another_architecture_is_one_line(folder, tmp_path):
    torch.save({"g_ema": {"progression.0.weight": torch.zeros(2)}}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"must be StyleGAN2, pSp or e4e: state must hold 'conv1"):
        convert(tmp_path / "other.pt")


def test_known_hashes_are_recognised():
    for source in SOURCES:
        if source.sha256:
            assert len(source.sha256) == 64
            assert source.name in origin(source.sha256)
            assert source.sha256 in guide(source.gives)
