"""Truths of lwedit.judges.identity: cosines by hand, all pairs of strangers, what is missing."""

import sys

import pytest
import torch
from safetensors.torch import save_file

from lwedit.domains.faces import ASSETS
from lwedit.generators.dcgan import load_dcgan
from lwedit.judges.identity import (
    FACENET_SHA256,
    DlibIdentity,
    FaceNetIdentity,
    FeatureIdentity,
    Remembered,
    facenet_path,
    similarity,
    stranger_similarity,
)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def corners(x):
    """Features that are two pixels."""
    return torch.stack([x[:, 0, 0, 0], x[:, 1, -1, -1]], dim=1)


def images(pairs):
    x = torch.zeros(len(pairs), 3, 4, 4)
    x[:, 0, 0, 0], x[:, 1, -1, -1] = torch.tensor(pairs).T
    return x


def test_similarity_is_the_cosine_of_each_pair():
    before = images([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    after = images([[1.0, 1.0], [2.0, 2.0], [0.0, -1.0]])
    measure = FeatureIdentity("corners", corners, batch=2)
    assert similarity(measure, before, after).tolist() == pytest.approx([0.5**0.5, 1, -1])


def test_strangers_are_all_pairs_of_different_images():
    x = torch.randn(7, 3, 4, 4, generator=rng())
    measure = FeatureIdentity("pixels", lambda part: part.flatten(1))
    pairs = [similarity(measure, x[[i]], x[[j]]) for i in range(7) for j in range(7) if i != j]
    expected = torch.cat(pairs).mean().item()
    assert stranger_similarity(measure, x) == pytest.approx(expected, abs=1e-5)
    with pytest.raises(ValueError, match="x must hold at least two images, got 1"):
        stranger_similarity(measure, x[:1])


class Counting:
    """A measure that tells how many images it read."""

    name = "counting"

    def __init__(self):
        self.read = 0

    def embed(self, x):
        self.read += len(x)
        return x.flatten(1)[:, :5]


def test_a_remembered_batch_is_not_read_again_and_has_the_same_vectors():
    counting = Counting()
    measure = Remembered(counting)
    x = torch.randn(6, 3, 4, 4, generator=rng())
    first, again = measure.embed(x), measure.embed(x.clone())
    assert counting.read == 6
    assert measure.name == "counting"
    assert torch.equal(first, x.flatten(1)[:, :5])
    assert torch.equal(first, again)
    assert torch.equal(measure.embed(x.contiguous(memory_format=torch.channels_last)), first)
    assert counting.read == 6


def test_what_a_caller_does_to_vectors_is_not_remembered():
    measure, x = Remembered(Counting()), torch.ones(2, 3, 4, 4)
    measure.embed(x).zero_()
    assert torch.equal(measure.embed(x), torch.ones(2, 5))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda x: torch.cat([x[:1], x[1:].nextafter(x[1:] + 1)]), id="one bit"),
        pytest.param(lambda x: x.flip(0), id="order"),
        pytest.param(lambda x: x[:1], id="fewer"),
        pytest.param(lambda x: x.reshape(2, 3, 2, 8), id="shape"),
        pytest.param(lambda x: x.double(), id="type"),
    ],
)
def test_another_batch_is_read(other):
    counting, x = Counting(), torch.randn(2, 3, 4, 4, generator=rng())
    measure = Remembered(counting)
    measure.embed(x)
    assert torch.equal(measure.embed(other(x)), other(x).flatten(1)[:, :5])
    assert counting.read == 2 + len(other(x))


def test_memory_is_bounded_and_what_was_asked_for_longest_ago_goes_first():
    counting = Counting()
    measure = Remembered(counting, most=6)
    a, b, c = torch.randn(3, 3, 3, 4, 4, generator=rng())
    for x in (a, b, a, c):  # the third is remembered, the fourth drives out b
        measure.embed(x)
    assert counting.read == 9
    measure.embed(a)
    assert counting.read == 9
    measure.embed(b)
    assert counting.read == 12
    large = torch.randn(7, 3, 4, 4, generator=rng(1))
    for _ in range(2):  # more than may be kept
        assert torch.equal(measure.embed(large), large.flatten(1)[:, :5])
    assert counting.read == 26


# --- dlib ------------------------------------------------------------------------------------


@pytest.mark.skipif(not DlibIdentity.available(), reason="optional wheels")
def test_dlib_knows_a_brighter_face_from_a_strangers():
    with torch.no_grad():
        x = load_dcgan(ASSETS / "generator.safetensors")(torch.randn(4, 1, 100, generator=rng(7)))
    measure = DlibIdentity()
    own = similarity(measure, x, (x + 0.05).clamp(-1, 1))
    assert measure.embed(x[:1]).shape == (1, 128)
    assert similarity(measure, x[:1], x[:1]).item() == pytest.approx(1)
    assert own.min() > similarity(measure, x, x.roll(1, dims=0)).max()
    assert stranger_similarity(measure, x) > 0.8  # why a bare cosine says little


def test_without_its_wheels_dlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(ImportError, match=r"pip install -r requirements-faces\.txt"):
        DlibIdentity().embed(torch.zeros(1, 3, 64, 64))


# --- facenet ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def facenet(tmp_path_factory):
    """Weights of the right architecture that say they were made from the published ones."""
    from facenet_pytorch import InceptionResnetV1

    torch.manual_seed(0)
    network = InceptionResnetV1(pretrained=None, classify=False).eval()
    path = tmp_path_factory.mktemp("facenet") / "weights.safetensors"
    save_file(network.state_dict(), path, metadata={"source_sha256": FACENET_SHA256})
    return path, network


@pytest.mark.slow
def test_facenet_reads_enlarged_images_in_its_own_range(facenet, monkeypatch):
    path, network = facenet
    monkeypatch.setenv("LWEDIT_FACENET", str(path))
    assert FaceNetIdentity.available()
    x = torch.full((1, 3, 64, 64), 0.5)
    with torch.no_grad():  # a flat image stays flat; (pixel - 127.5) / 128 of 0.5 * 127.5 + 127.5
        expected = network(torch.full((1, 3, 160, 160), 0.5 * 127.5 / 128))
    torch.testing.assert_close(FaceNetIdentity().embed(x), expected, rtol=1e-3, atol=1e-4)


def test_facenet_is_looked_for_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.delenv("LWEDIT_FACENET", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "checkpoints" / "20180402-114759-vggface2.safetensors"
    assert facenet_path() == path
    assert not FaceNetIdentity.available()


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda path: None, id="missing"),
        pytest.param(lambda path: path.write_text("<html>404 Not Found</html>"), id="error page"),
        pytest.param(lambda path: save_file({"a": torch.zeros(1)}, path), id="unknown source"),
        pytest.param(
            lambda path: save_file({"a": torch.zeros(1)}, path, {"source_sha256": FACENET_SHA256}),
            id="other weights",
        ),
    ],
)
def test_without_its_weights_facenet_says_what_from_where_and_which_hash(tmp_path, write):
    path = tmp_path / "facenet.safetensors"
    write(path)
    message = r"(?s)facenet\.safetensors must hold FaceNet's VGGFace2 weights: .*Download https://"
    with pytest.raises(ValueError, match=message + f".*{FACENET_SHA256}.*convert_facenet"):
        FaceNetIdentity(path)
