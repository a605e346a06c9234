"""Truths that lwedit.metrics.edits must meet: small cases by hand, symmetries."""

import pytest
import torch

from lwedit.metrics import adversarial_gap, changed, kept_share, rescoring, worst_kept

BEFORE = torch.tensor([[0, 1, 1, 0], [0, 0, 1, 1]]).bool()
AFTER = torch.tensor([[1, 1, 0, 0], [0, 1, 0, 1]]).bool()


def test_change_and_preservation_by_hand():
    assert changed(AFTER, 0, wanted=True).tolist() == [True, False]
    assert changed(AFTER, 0, wanted=False).tolist() == [False, True]
    torch.testing.assert_close(kept_share(BEFORE, AFTER, 0), torch.tensor([2 / 3, 1 / 3]))


def test_the_target_itself_does_not_count_as_kept_or_lost():
    only_target = BEFORE.clone()
    only_target[:, 2] = ~only_target[:, 2]
    assert kept_share(BEFORE, only_target, 2).tolist() == [1.0, 1.0]


def test_the_worst_attribute_is_named():
    worst = worst_kept(BEFORE, AFTER, 0)
    assert (worst.share.item(), worst.attribute.item()) == (0.0, 2)
    assert worst_kept(BEFORE, AFTER, 2).attribute.item() in (0, 1)


def test_no_edit_changes_nothing_and_keeps_all():
    assert kept_share(BEFORE, BEFORE, 1).tolist() == [1.0, 1.0]
    assert worst_kept(BEFORE, BEFORE, 1).share.item() == 1.0
    scores = torch.rand(5, 3)
    assert rescoring(scores, scores).tolist() == [0.0, 0.0, 0.0]


def test_strengths_are_a_leading_axis():
    both = torch.stack([BEFORE, AFTER])
    torch.testing.assert_close(kept_share(BEFORE, both, 0)[1], kept_share(BEFORE, AFTER, 0))
    assert worst_kept(BEFORE, both, 0).share.tolist() == [1.0, 0.0]
    assert changed(both, 0, wanted=True).shape == (2, 2)


def test_rescoring_by_hand():
    before = torch.tensor([[0.2, 0.8], [0.4, 0.6]])
    after = torch.tensor([[0.9, 0.7], [0.7, 0.6]])
    torch.testing.assert_close(rescoring(before, after), torch.tensor([0.5, -0.05]))


def test_the_gap_is_what_only_the_classifier_sees():
    latent = torch.tensor([True, True, True, False])
    image = torch.tensor([True, False, False, False])
    assert adversarial_gap(latent, image).item() == pytest.approx(0.5)
    assert adversarial_gap(image, latent).item() == pytest.approx(-0.5)


def test_one_attribute_has_no_others():
    with pytest.raises(ValueError, match="besides the target"):
        kept_share(BEFORE[:, :1], AFTER[:, :1], 0)
