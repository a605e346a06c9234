"""Truths that lwedit.metrics.behaviour must meet: lines, steps, translations, rotations."""

import torch

from lwedit.metrics import commutator, linearity, monotone, round_trip


def test_monotone_by_hand():
    score = torch.tensor([[0.1, 0.5, 0.3], [0.4, 0.495, 0.9], [0.9, 0.7, 0.2]])
    assert monotone(score).tolist() == [1.0, 1.0, 0.0]


def test_a_logit_that_grows_with_alpha_is_linear_in_either_direction():
    alpha = torch.linspace(1, 2, 10)
    logits = torch.stack([3 * alpha - 4, -alpha, torch.zeros(10)], dim=1)
    found = linearity(logits.sigmoid(), alpha)
    torch.testing.assert_close(found, torch.tensor([1.0, 1.0, 0.0]), atol=1e-5, rtol=0)


def test_linearity_is_numpys_squared_correlation():
    rng = torch.Generator().manual_seed(0)
    alpha, logits = torch.linspace(0, 1, 8), torch.randn(8, 5, generator=rng)
    for i, found in enumerate(linearity(logits.sigmoid(), alpha)):
        pair = torch.stack([alpha, logits[:, i]]).double()
        torch.testing.assert_close(found.double(), torch.corrcoef(pair)[0, 1] ** 2, atol=1e-5,
                                   rtol=0)


def test_a_translation_undoes_itself_and_a_growth_does_not():
    w = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0))
    moved = w + 1
    assert round_trip(w, moved, moved - 1).max() < 1e-6
    grown = w * 1.5  # alpha = .5 of H(w) = w, and back: 1.5 w * .5
    torch.testing.assert_close(round_trip(w, grown, grown * 0.5), torch.full((4,), 0.5))
    assert round_trip(w, w, w).tolist() == [0.0] * 4


def test_translations_commute_and_a_translation_with_a_growth_does_not():
    w = torch.randn(4, 1, 3, generator=torch.Generator().manual_seed(0))
    assert commutator(w, w + 1 + 2, w + 2 + 1).max() < 1e-6
    ab, ba = (w + 1) * 2, w * 2 + 1
    expected = (ab - ba).flatten(1).norm(dim=1) / (ab - w).flatten(1).norm(dim=1)
    torch.testing.assert_close(commutator(w, ab, ba), expected)
