"""Truths of the network that judges faces, and of its file."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from lwedit.judges.faces import FaceJudge


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def small_judge(attributes=("hat", "beard")):
    """Untrained, no moment at its first value."""
    torch.manual_seed(0)
    judge = FaceJudge(attributes, width=4, features=8).train()
    with torch.no_grad():
        judge(torch.randn(16, 3, 64, 64, generator=rng(1)))
    return judge.eval()


def test_scaled_logits_are_scaled():
    judge, x = small_judge(), torch.randn(5, 3, 64, 64, generator=rng())
    slope, shift = torch.tensor([0.5, 2.0]), torch.tensor([1.0, -1.0])
    expected = judge(x) * slope + shift
    judge.scale_logits(slope, shift)
    torch.testing.assert_close(judge(x), expected)
    both = (expected + judge(x.flip(3))) / 2
    torch.testing.assert_close(judge.probabilities(x, batch=2), both.sigmoid())


def test_an_image_and_its_mirror_image_show_the_same():
    judge, x = small_judge(), torch.randn(5, 3, 64, 64, generator=rng())
    assert (judge(x) - judge(x.flip(3))).abs().max() > 0.001
    torch.testing.assert_close(judge.probabilities(x), judge.probabilities(x.flip(3)))


def test_a_file_gives_the_judge_back_in_halves(tmp_path):
    judge = small_judge()
    judge.save(tmp_path / "judge.safetensors")
    loaded = FaceJudge.load(tmp_path / "judge.safetensors")
    for name, value in judge.state_dict().items():
        expected = value.half().float() if value.is_floating_point() else value
        assert torch.equal(loaded.state_dict()[name], expected), name
    assert (loaded.attributes, loaded.width, loaded.training) == (("hat", "beard"), 4, False)
    assert [path.name for path in tmp_path.iterdir()] == ["judge.safetensors"]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.unlink(), id="missing"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-99]), id="truncated"),
        pytest.param(lambda path: path.write_text("<html>404 Not Found</html>"), id="error page"),
        pytest.param(lambda path: save_file(load_file(path), path), id="no header"),
        pytest.param(
            lambda path: save_file(
                load_file(path),
                path,
                {"face_judge": json.dumps({"attributes": ["a"], "width": 8, "features": 8})},
            ),
            id="other sizes",
        ),
    ],
)
def test_a_wrong_file_is_named(tmp_path, damage):
    path = tmp_path / "judge.safetensors"
    small_judge().save(path)
    damage(path)
    with pytest.raises(ValueError, match=r"judge\.safetensors must hold a judge of faces"):
        FaceJudge.load(path)
