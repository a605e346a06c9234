"""Worked examples of the sample weights of section 3.2."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lwedit.transport import sample_weights

# Source: 3 codes of group 0, 1 of group 1. Target: 1 of group 0, 4 of group 1.
SOURCE = torch.tensor([[0], [0], [0], [1]])
TARGET = torch.tensor([[0], [1], [1], [1], [1]])


def test_prose_gives_groups_the_share_of_the_target():
    expected = torch.tensor([1 / 15, 1 / 15, 1 / 15, 4 / 5])
    torch.testing.assert_close(sample_weights(SOURCE, TARGET, "prose"), expected)


def test_printed_formula_gives_less_where_the_target_has_more():
    raw = torch.tensor([1 / 3, 1 / 3, 1 / 3, 1 / 4])
    torch.testing.assert_close(sample_weights(SOURCE, TARGET, "printed"), raw / raw.sum())


def test_none_is_uniform():
    torch.testing.assert_close(sample_weights(SOURCE, TARGET, "none"), torch.full((4,), 0.25))


@pytest.mark.parametrize("mode", ["prose", "printed"])
def test_groups_without_target_get_nothing(mode):
    source = torch.tensor([[0, 0], [0, 1], [1, 1]])
    target = torch.tensor([[0, 0], [1, 1], [1, 0]])
    torch.testing.assert_close(sample_weights(source, target, mode), torch.tensor([0.5, 0.0, 0.5]))


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="must share a combination"):
        sample_weights(torch.tensor([[0]]), torch.tensor([[1]]), "prose")


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=30),
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=30),
)
def test_prose_reproduces_the_target_where_groups_are_shared(source, target):
    shared = set(source) & set(target)
    if not shared:
        return
    a = sample_weights(torch.tensor(source), torch.tensor(target), "prose")
    total = sum(target.count(group) for group in shared)
    for group in shared:
        mass = sum(float(m) for m, s in zip(a, source, strict=True) if s == group)
        assert mass == pytest.approx(target.count(group) / total, abs=1e-5)
