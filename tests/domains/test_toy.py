"""Truths of the toy domain: it can be read back, and its best edit is the optimal map."""

import ot
import pytest
import torch

from lwedit.domains import AttributeDomain, ToyDomain
from lwedit.domains.toy import ATTRIBUTES, CORRELATION, THRESHOLDS, TrueEdit, mixing
from lwedit.metrics import changed, kept_share

DOMAIN = ToyDomain(sizes=(300, 2000))


def sides(k, wanted):
    held = DOMAIN.latents("heldout")
    return held.w[held.y[:, k] != int(wanted)], held.w[held.y[:, k] == int(wanted)]


def test_it_is_an_attribute_domain():
    assert isinstance(DOMAIN, AttributeDomain)
    assert set(DOMAIN.editable) <= set(DOMAIN.attributes)


def test_what_is_drawn_is_read_back():
    w = DOMAIN.latents("heldout").w
    x = DOMAIN.generate(w)
    assert x.shape == (2000, 3, 16, 16)
    assert x.abs().max() <= 1
    torch.testing.assert_close(DOMAIN.read(x), DOMAIN.factors(w), rtol=1e-4, atol=1e-5)


def test_the_judge_never_errs():
    held = DOMAIN.latents("heldout")
    assert torch.equal((DOMAIN.score(DOMAIN.generate(held.w)) > 0.5).long(), held.y)


def test_factors_are_standard_and_only_two_correlate():
    covariance = mixing() @ mixing().T
    expected = torch.eye(12)
    expected[0, 1] = expected[1, 0] = CORRELATION
    torch.testing.assert_close(covariance, expected, rtol=0, atol=1e-6)


def test_the_renderer_has_the_gradient_of_finite_differences():
    w = DOMAIN.latents("train").w[:3].double().requires_grad_()
    weight = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)).double()
    a = mixing().double()

    def loss(code):
        f = code.flatten(1) @ a.T
        ink = (f / (1 + f.abs()) + 1) @ DOMAIN.stencils.flatten(1).double() - 1
        return (ink.unflatten(1, (3, 16, 16)) * weight).sum()

    (exact,) = torch.autograd.grad(loss(w), w)
    x = w.detach().float().requires_grad_()
    (drawn,) = torch.autograd.grad((DOMAIN.generate(x) * weight.float()).sum(), x)
    torch.testing.assert_close(drawn, exact.float(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("k", range(4))
def test_the_true_edit_changes_all_and_nothing_else(k, wanted):
    source, _ = sides(k, wanted)
    editor = TrueEdit(ATTRIBUTES[k], DOMAIN.space)
    x = DOMAIN.generate(source)
    x_edit = DOMAIN.generate(editor.edit(source, 1.0 if wanted else -1.0))
    before, after = DOMAIN.score(x) > 0.5, DOMAIN.score(x_edit) > 0.5
    assert changed(after, k, wanted=wanted).all()
    assert (kept_share(before, after, k) == 1).all()
    torch.testing.assert_close(DOMAIN.identity(x, x_edit), torch.ones(len(x)))


@pytest.mark.parametrize("k", range(4))
def test_the_true_edit_is_the_optimal_map(k):
    """On f_k it costs no more than the optimum between the two halves, and arrives there."""
    source, target = sides(k, wanted=True)
    moved = TrueEdit(ATTRIBUTES[k], DOMAIN.space).edit(source, 1.0)
    before, after, there = (DOMAIN.factors(w)[:, k].double().numpy() for w in
                            (source, moved, target))
    cost = ((after - before) ** 2).mean()
    assert cost == pytest.approx(ot.emd2_1d(before, after), rel=1e-4)  # monotone, hence optimal
    assert ot.emd2_1d(after, there) < 0.01 * cost
    assert (after > THRESHOLDS[k]).all()


def test_there_and_back_is_the_same_code():
    source, _ = sides(0, wanted=True)
    inner = source[(DOMAIN.factors(source)[:, 0] > -2.5) & (DOMAIN.factors(source)[:, 0] < -0.01)]
    editor = TrueEdit("disc", DOMAIN.space)
    back = editor.edit(editor.edit(inner, 1.0), -1.0)
    torch.testing.assert_close(back, inner, rtol=0, atol=1e-4)


def test_strangers_are_no_more_alike_than_chance():
    x = DOMAIN.generate(DOMAIN.latents("heldout").w)
    assert DOMAIN.identity(x, x.roll(1, 0)).mean().abs() < 0.03
    with pytest.raises(ValueError, match="measure must be one of"):
        DOMAIN.identity(x, x, "arcface")


def test_a_saved_true_edit_edits_the_same(tmp_path):
    editor = TrueEdit("ring", DOMAIN.space)
    editor.save(tmp_path)
    w = DOMAIN.latents("heldout").w[:20]
    again = TrueEdit.load(tmp_path, DOMAIN.space)
    assert torch.equal(again.edit(w, 0.7), editor.edit(w, 0.7))
