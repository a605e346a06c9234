"""Truths that lwedit.domains.digits must meet: labels by hand, codes kept, wrong files named."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lwedit.data import MultiMnist, MultiMnistConfig, digits_for
from lwedit.domains import DigitsDomain
from lwedit.domains import digits as module
from lwedit.domains.digits import labels
from lwedit.generators import Generator, GeneratorConfig
from lwedit.generators.checkpoints import generator_metadata
from lwedit.inversion import Encoder
from lwedit.judges import CLASSES, COUNT, DigitJudge
from lwedit.latents import LatentSet, hash_state
from lwedit.vocabulary import to_unit_range

TINY = GeneratorConfig(size=64, dim=16, mapping_layers=1, channels=(16, 8, 8, 8, 8))
FILES = ("generator", "encoder", "judges/count", "judges/classes")


def write(state, path, metadata=None):
    half = {name: v.half() if v.is_floating_point() else v for name, v in state.items()}
    save_file(half, path, metadata=metadata)


def write_assets(folder, config=TINY):
    """The files of a domain whose networks are small and untrained."""
    torch.manual_seed(0)
    (folder / "judges").mkdir(parents=True)
    encoder = Encoder(config.size, 1, config.layers, config.dim)
    write(Generator(config).state_dict(), folder / "generator.safetensors",
          generator_metadata(config))
    write(encoder.state_dict(), folder / "encoder.safetensors")
    DigitJudge(COUNT, width=8).save(folder / "judges" / "count.safetensors")
    DigitJudge(CLASSES, width=8).save(folder / "judges" / "classes.safetensors")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_assets(tmp_path_factory.mktemp("domain") / "assets")


@pytest.fixture
def assets(made, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(made, tmp_path / "assets")


@pytest.fixture
def few(monkeypatch):
    """Forty images a part."""
    monkeypatch.setattr(module, "_SIZES", {"train": 40, "heldout": 40})


# --- labels ----------------------------------------------------------------------------------


def test_labels_by_hand():
    images = MultiMnist(
        images=np.zeros((3, 1, 8, 8), np.uint8),
        counts=np.array([1, 3, 4]),
        classes=np.array([[9, -1, -1, -1], [0, 0, 5, -1], [1, 2, 3, 4]]),
        boxes=np.full((3, 4, 4), -1),
    )
    #   at least 2, 3, 4   has 0, 1, ..., 9
    expected = [
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        [1, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0],
    ]
    assert labels(images).tolist() == expected
    names = ("at_least_2", "at_least_3", "at_least_4", *(f"has_{c}" for c in range(10)))
    assert DigitsDomain.attributes == names


def test_each_task_adds_one_digit():
    tasks = [(task.name, task.count, task.attribute) for task in DigitsDomain.tasks]
    assert tasks == [("1→2", 1, "at_least_2"), ("2→3", 2, "at_least_3"), ("3→4", 3, "at_least_4")]
    assert all((task.adds, task.wanted) == (True, task.count + 1) for task in DigitsDomain.tasks)


def test_each_removal_runs_the_editor_of_the_same_attribute_backwards():
    removals = [(task.name, task.count, task.wanted, task.attribute, task.sides, task.stem)
                for task in DigitsDomain.removals]
    assert removals == [("2→1", 2, 1, "at_least_2", (1, 2), "2to1"),
                        ("3→2", 3, 2, "at_least_3", (2, 3), "3to2"),
                        ("4→3", 4, 3, "at_least_4", (3, 4), "4to3")]
    assert not any(task.adds for task in DigitsDomain.removals)


# --- images ----------------------------------------------------------------------------------


def inks(digits):
    return {
        (patch[top:bottom, left:right].shape, patch[top:bottom, left:right].tobytes())
        for patch, (top, left, bottom, right) in zip(digits.images, digits.boxes, strict=True)
    }


@pytest.mark.slow
def test_no_digit_of_a_held_out_image_was_ever_trained_on(made):
    domain, config = DigitsDomain.load(made), MultiMnistConfig()
    trained_on = inks(digits_for("domain", config)) | inks(digits_for("judges", config))
    held_out = inks(digits_for("heldout", config))
    images = domain.images("heldout")
    assert len(images.counts) >= 2500
    for i, n in enumerate(images.counts):
        for top, left, bottom, right in images.boxes[i, :n]:
            ink = images.images[i, 0, top:bottom, left:right]
            key = (ink.shape, ink.tobytes())
            assert key in held_out
            assert key not in trained_on


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_the_first_images_are_a_part_of_all_and_the_same_every_time(made):
    domain = DigitsDomain.load(made)
    first, again = domain.images("heldout", 7), domain.images("heldout")
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b[:7])
    assert (domain.images("train").images != again.images).any(axis=(1, 2, 3)).all()


# --- codes -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_codes_are_made_once_and_read_afterwards(made, tmp_path, monkeypatch):
    domain = DigitsDomain.load(made, cache=tmp_path / "cache")
    first = domain.latents("heldout")
    images = domain.images("heldout")
    assert torch.equal(first.y, labels(images))
    torch.testing.assert_close(first.w, domain.encoder(to_unit_range(images.images)))
    assert first.space == domain.space
    assert (first.space.name, first.space.layers, first.space.dim) == ("W+", 10, 16)
    assert first.space.generator == hash_state(domain.generator.synthesis.state_dict())

    def fail(self, x, batch=0):
        raise AssertionError("encoded again")

    monkeypatch.setattr(Encoder, "encode", fail)
    again = DigitsDomain.load(made, cache=tmp_path / "cache").latents("heldout")
    assert torch.equal(again.w, first.w)
    assert torch.equal(again.y, first.y)
    assert (again.attributes, again.space) == (first.attributes, first.space)


@pytest.mark.slow
@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("name", ["generator", "encoder"])
def test_codes_of_other_weights_are_not_taken_from_the_cache(assets, tmp_path, name):
    cache = tmp_path / "cache"
    first = DigitsDomain.load(assets, cache).latents("heldout")
    path = assets / f"{name}.safetensors"
    state = load_file(path)
    key = "synthesis.const" if name == "generator" else "base.bias"
    state[key] = state[key] + 1
    write(state, path, generator_metadata(TINY) if name == "generator" else None)
    second = DigitsDomain.load(assets, cache).latents("heldout")
    assert len(list(cache.iterdir())) == 2
    if name == "generator":
        assert torch.equal(first.w, second.w)
        assert first.space.generator != second.space.generator
    else:
        torch.testing.assert_close(second.w, first.w + 1, rtol=0, atol=1e-3)  # float16


@pytest.mark.slow
def test_codes_of_other_images_are_not_taken_from_the_cache(made, tmp_path, monkeypatch):
    domain = DigitsDomain.load(made, cache=tmp_path)
    for size, seed in ((20, 1), (30, 1), (30, 2)):
        monkeypatch.setattr(module, "_SIZES", {"heldout": size})
        monkeypatch.setattr(module, "_SEEDS", {"heldout": seed})
        latents, images = domain.latents("heldout"), domain.images("heldout")
        assert torch.equal(latents.y, labels(images))
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.usefixtures("few")
def test_a_damaged_cache_is_named(made, tmp_path):
    domain = DigitsDomain.load(made, cache=tmp_path)
    domain.latents("heldout")
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=f"{path.name} must be an .npz written by LatentSet"):
        domain.latents("heldout")


def test_the_cache_lies_where_the_environment_says(made, tmp_path, monkeypatch):
    monkeypatch.setenv("LWEDIT_CACHE", str(tmp_path / "elsewhere"))
    assert DigitsDomain.load(made).cache == tmp_path / "elsewhere"
    monkeypatch.delenv("LWEDIT_CACHE")
    assert DigitsDomain.load(made).cache == module.ASSETS.parents[1] / ".cache" / "lwedit"


# --- what the networks see -------------------------------------------------------------------


def test_drawing_in_batches_changes_nothing(made):
    domain = DigitsDomain.load(made)
    w = torch.randn(5, 10, 16, generator=torch.Generator().manual_seed(0))
    x = domain.generate(w, batch=2)
    assert not x.requires_grad
    torch.testing.assert_close(x, domain.generator(w))


def test_scores_are_the_most_probable_answers(made):
    domain = DigitsDomain.load(made)
    x = to_unit_range(domain.images("heldout", 9).images)
    scores = domain.score(x)
    assert torch.equal(scores.count, domain.count_judge(x)[:, 0].argmax(dim=1))
    p = domain.classes_judge(x).softmax(dim=2)
    assert torch.equal(scores.classes, p.argmax(dim=2))
    torch.testing.assert_close(scores.confidence, p.amax(dim=2).amin(dim=1))
    sure = domain.count_judge(x)[:, 0].softmax(dim=1).amax(dim=1)
    torch.testing.assert_close(scores.count_confidence, sure)


# --- files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.unlink(), id="missing"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-99]), id="truncated"),
        pytest.param(lambda path: path.write_text("<html>404 Not Found</html>"), id="error page"),
    ],
)
def test_a_missing_or_damaged_file_is_named(assets, name, damage):
    path = assets / f"{name}.safetensors"
    damage(path)
    with pytest.raises(ValueError, match=f"{path.name} must (be|hold) "):
        DigitsDomain.load(assets)


def test_networks_that_do_not_belong_together_are_named(assets, tmp_path):
    wide = GeneratorConfig(size=64, dim=32, mapping_layers=1, channels=(16, 8, 8, 8, 8))
    other = write_assets(tmp_path / "wide", wide)
    shutil.copy(other / "encoder.safetensors", assets)
    with pytest.raises(ValueError, match=r"encoder\.safetensors must hold the weights of Encoder"):
        DigitsDomain.load(assets)


def test_judges_in_each_others_place_are_named(assets):
    shutil.copy(assets / "judges" / "classes.safetensors", assets / "judges" / "count.safetensors")
    with pytest.raises(ValueError, match=r"count\.safetensors must hold .* \(1, 7\)"):
        DigitsDomain.load(assets)


def test_each_network_has_a_hash_of_its_own(made):
    weights = DigitsDomain.load(made).weights
    assert list(weights) == ["generator", "encoder", "count_judge", "classes_judge"]
    assert len(set(weights.values())) == 4


def test_codes_of_a_file_keep_the_space_of_the_domain(made, tmp_path):
    domain = DigitsDomain.load(made)
    w = torch.zeros(2, 10, 16)
    latents = LatentSet(w, torch.zeros(2, 13).long(), domain.attributes, domain.space)
    latents.save(tmp_path / "codes.npz")
    domain.space.require(LatentSet.load(tmp_path / "codes.npz").space)
