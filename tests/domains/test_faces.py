"""Truths of lwedit.domains.faces: who labels what, labels kept, wrong files named."""

import json
import shutil

import pytest
import torch
from safetensors.torch import save_file

from lwedit.domains import Abridged, AttributeDomain, FacesDomain
from lwedit.domains import faces as module
from lwedit.generators.dcgan import Dcgan, dcgan_metadata
from lwedit.judges.faces import FACE_ATTRIBUTES, FaceJudge
from lwedit.latents import hash_state


def write_assets(folder):
    """The files of a domain whose networks are small and untrained."""
    (folder / "judges").mkdir(parents=True)
    torch.manual_seed(0)
    generator = Dcgan(6, (8, 8, 8, 8), 3)
    save_file(generator.state_dict(), folder / "generator.safetensors", dcgan_metadata(generator))
    for name in ("naming", "scoring"):
        FaceJudge(width=4, features=8).save(folder / "judges" / f"{name}.safetensors")
    (folder / "judges" / "judges.json").write_text(json.dumps({"scoring": {"mean": 1}}))
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_assets(tmp_path_factory.mktemp("faces") / "assets")


@pytest.fixture
def assets(made, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(made, tmp_path / "assets")


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Forty codes a part."""
    monkeypatch.setattr(module, "_SIZES", {"train": 40, "heldout": 40})


def test_it_is_an_attribute_domain(made):
    domain = FacesDomain.load(made)
    assert isinstance(domain, AttributeDomain)
    assert domain.name == "faces"
    assert domain.attributes == domain.editable == FACE_ATTRIBUTES
    assert (domain.space.name, domain.space.layers, domain.space.dim) == ("Z", 1, 6)
    assert domain.space.generator == hash_state(domain.generator.state_dict())
    assert len(set(domain.weights.values())) == 3
    assert domain.facts() == {"scoring": {"mean": 1}}


def test_each_part_is_labelled_by_its_own_judge(made, tmp_path):
    domain = FacesDomain.load(made, tmp_path)
    train, held = domain.latents("train"), domain.latents("heldout")
    for latents, judge in ((train, domain.naming_judge), (held, domain.scoring_judge)):
        x = domain.generator(latents.w)
        expected = judge(x) + judge(x.flip(3)) > 0
        assert torch.equal(latents.y.bool(), expected)
    assert not torch.equal(train.y, held.y)
    assert torch.equal(domain.score(domain.generate(held.w)) > 0.5, held.y.bool())


def test_codes_are_standard_gaussian_and_no_code_is_in_both_parts(made, monkeypatch):
    monkeypatch.setattr(module, "_SIZES", {"train": 30_000, "heldout": 4_000})
    domain = FacesDomain.load(made)
    train, held = domain.codes("train"), domain.codes("heldout")
    assert (train.shape, held.shape) == ((30_000, 1, 6), (4_000, 1, 6))
    assert train.mean().abs() < 0.01
    assert train.var().item() == pytest.approx(1, abs=0.02)
    assert not set(train[:, 0, 0].tolist()) & set(held[:, 0, 0].tolist())
    assert torch.equal(train, domain.codes("train"))


def test_labels_are_made_once_and_read_afterwards(made, tmp_path, monkeypatch):
    first = FacesDomain.load(made, tmp_path).latents("train")

    def fail(self, x, batch=0):
        raise AssertionError("labelled again")

    monkeypatch.setattr(FaceJudge, "probabilities", fail)
    again = FacesDomain.load(made, tmp_path).latents("train")
    assert torch.equal(again.w, first.w)
    assert torch.equal(again.y, first.y)
    assert (again.attributes, again.space) == (first.attributes, first.space)


def test_the_first_codes_are_labelled_alone_and_alike(made, tmp_path, monkeypatch):
    domain = FacesDomain.load(made, tmp_path)
    assert isinstance(domain, Abridged)
    whole = FacesDomain.load(made, tmp_path / "other").latents("heldout")
    seen, judge = [], FaceJudge.probabilities

    def count(self, x, batch=100):
        seen.append(len(x))
        return judge(self, x, batch)

    monkeypatch.setattr(FaceJudge, "probabilities", count)
    few = domain.abridged("heldout", 7)
    assert sum(seen) == 7
    assert torch.equal(few.w, whole.w[:7])
    assert torch.equal(few.y, whole.y[:7])
    assert torch.equal(domain.abridged("heldout", 10**6).y, whole.y)
    seen.clear()
    assert torch.equal(domain.abridged("heldout", 9).y, whole.y[:9])  # from the whole, now there
    assert not seen
    with pytest.raises(ValueError, match="n must be positive, got 0"):
        domain.abridged("heldout", 0)


@pytest.mark.parametrize(("part", "judge"), [("train", "naming"), ("heldout", "scoring")])
def test_labels_of_other_weights_are_not_taken_from_the_cache(assets, tmp_path, part, judge):
    FacesDomain.load(assets, tmp_path / "cache").latents(part)
    torch.manual_seed(5)
    other = FaceJudge(width=4, features=8)
    other.save(assets / "judges" / f"{judge}.safetensors")
    domain = FacesDomain.load(assets, tmp_path / "cache")
    latents = domain.latents(part)
    assert len(list((tmp_path / "cache").iterdir())) == 2
    expected = getattr(domain, f"{judge}_judge").logits(domain.generator(latents.w)) > 0
    assert torch.equal(latents.y.bool(), expected)


def test_drawing_in_batches_changes_nothing(made):
    domain = FacesDomain.load(made)
    w = torch.randn(5, 1, 6, generator=torch.Generator().manual_seed(0))
    x = domain.generate(w, batch=2)
    assert not x.requires_grad
    torch.testing.assert_close(x, domain.generator(w))


def test_identity_is_one_for_the_same_image_and_named(made):
    domain = FacesDomain.load(made)
    w = torch.randn(4, 1, 6, generator=torch.Generator().manual_seed(0))
    x = domain.generate(w)
    assert domain.identities[-1] == "features"
    same = domain.identity(x, x, "features")
    assert same.tolist() == pytest.approx([1] * 4)
    assert (domain.identity(x, x.flip(0), "features") < 1).all()
    with pytest.raises(ValueError, match=r"measure must be one of .*'features'.*, got 'arcface'"):
        domain.identity(x, x, "arcface")


def test_an_unedited_face_is_read_once_however_many_edits_it_is_compared_with(made, monkeypatch):
    domain = FacesDomain.load(made)
    x = domain.generate(torch.randn(4, 1, 6, generator=torch.Generator().manual_seed(0)))
    expected = [domain.identity(x, x + shift, "features") for shift in (0.1, 0.2)]
    read, features = [], FaceJudge.features
    monkeypatch.setattr(
        FaceJudge, "features", lambda judge, part: read.append(len(part)) or features(judge, part)
    )
    again = FacesDomain.load(made)
    for shift, before in zip((0.1, 0.2), expected, strict=True):
        assert torch.equal(again.identity(x, x + shift, "features"), before)
    assert sum(read) == 3 * len(x)


@pytest.mark.parametrize("name", ["generator", "judges/naming", "judges/scoring"])
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
        FacesDomain.load(assets)


def test_a_judge_of_other_attributes_is_refused(assets):
    FaceJudge(("hat",), width=4, features=8).save(assets / "judges" / "naming.safetensors")
    with pytest.raises(ValueError, match=r"naming\.safetensors must answer \('eyeglasses'"):
        FacesDomain.load(assets)
