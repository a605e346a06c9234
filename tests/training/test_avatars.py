"""Truths that the commands in training/avatars must meet: halves, moved masks, resumed runs."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from lwedit.data.avatars import FACTORS
from training.avatars import judges, train

SMALL = ["--channels", "16", "16", "16", "16", "16", "--dim", "16", "--batch", "4", "--float32"]


def rng(seed=0):
    return np.random.default_rng(seed)


# --- judges ----------------------------------------------------------------------------------


def test_no_portrait_is_in_both_halves_and_every_part_is_in_each():
    halves = [judges.draw_half(4000, rng(i), half) for i, half in enumerate(judges.HALVES)]
    first, second = ({tuple(row) for row in half.tolist()} for half in halves)
    assert not first & second
    for half in halves:
        assert half.shape == (4000, len(FACTORS))
        for column, choices in zip(half.T, FACTORS.values(), strict=True):
            assert len(np.unique(column)) == len(choices)


def test_masks_move_with_their_images():
    """An image that is its own mask still is one after the same moves, up to the noise."""
    masks = torch.randint(2, (16, 8, 8), generator=torch.Generator().manual_seed(0))
    x = masks[:, None].float().expand(-1, 3, -1, -1)
    moved, regions = judges.perturb(x, masks, torch.Generator().manual_seed(1))
    np.testing.assert_array_equal((moved.mean(dim=1) > 0.5).numpy(), regions.bool().numpy())
    assert (regions != masks).any(dim=(1, 2)).all()
    assert (moved - regions[:, None]).abs().max() > 0


@pytest.mark.slow
def test_what_is_trained_is_measured_as_shipped_and_not_trained_again(tmp_path, monkeypatch):
    monkeypatch.setattr(judges, "_BATCH", 4)
    monkeypatch.setattr(judges, "_ASIDE", 20)
    command = ["--out", str(tmp_path), "--images", "8", "--heldout", "20"]
    judges.main(command)
    facts = json.loads((tmp_path / "judges.json").read_text())
    kinds = ("judge", "parser")
    assert list(facts) == [f"{half}_{kind}" for half in judges.HALVES for kind in kinds]
    assert all(fact["images_shown"] == 8 for fact in facts.values())
    judge, parser = (tmp_path / f"scoring_{kind}.safetensors" for kind in kinds)
    accuracy = judges.measure_judge(judge, 20)["accuracy"]
    assert accuracy == facts["scoring_judge"]["accuracy"]
    overlap = judges.measure_parser(parser, 20)["iou"]
    assert overlap["skin"] == facts["scoring_parser"]["iou"]["skin"]
    written = judge.stat().st_mtime_ns
    judges.main(command)
    assert judge.stat().st_mtime_ns == written


# --- the generator ---------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_stops_at_its_limit_and_goes_on(tmp_path):
    train.main(["--out", str(tmp_path), "--images", "8", *SMALL])
    state = json.loads((tmp_path / "state.json").read_text())
    assert (state["steps"], state["images"]) == (2, 8)
    before = load_file(tmp_path / "generator.safetensors")
    train.main(["--out", str(tmp_path), "--limit", "0", *SMALL])
    state = json.loads((tmp_path / "state.json").read_text())
    assert (state["steps"], state["images"]) == (3, 12)
    after = load_file(tmp_path / "generator.safetensors")
    # One step of Adam with running squares from the checkpoint: no weight jumps.
    jumps = [(after[key] - before[key]).abs().max().item() for key in before if "noise" not in key]
    assert 0 < max(jumps) < 0.1


def test_another_architecture_is_refused(tmp_path):
    train.main(["--out", str(tmp_path), "--images", "4", *SMALL])
    with pytest.raises(ValueError, match="folder must hold a model of"):
        train.main(["--out", str(tmp_path), "--images", "8", *SMALL, "--dim", "32"])


def test_a_sheet_is_the_picture_that_an_imaging_library_reads(tmp_path):
    x = rng().integers(256, size=(6, 3, 4, 4), dtype=np.uint8)
    train._write_png(x, tmp_path / "sheet.png", columns=3)
    read = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert read.shape == (8, 12, 3)
    np.testing.assert_array_equal(read[4:, 4:8].transpose(2, 0, 1), x[4])
