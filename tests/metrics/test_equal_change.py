"""Truths of lwedit.metrics.equal_change: lines, first crossings, levels out of reach."""

import numpy as np
import pytest
import torch

from lwedit.metrics import area_under, at_change, reaches

CHANGE = torch.tensor([0.0, 0.4, 0.8, 1.0], dtype=torch.float64)
VALUE = torch.tensor([1.0, 0.9, 0.7, 0.2], dtype=torch.float64)


@pytest.mark.parametrize("level", [0.0, 0.1, 0.4, 0.5, 0.79, 0.8, 0.9, 1.0])
def test_on_a_rising_curve_it_is_linear_interpolation(level):
    expected = np.interp(level, CHANGE.numpy(), VALUE.numpy())
    assert at_change(CHANGE, VALUE, level).item() == pytest.approx(expected)


def test_a_level_that_is_not_reached_has_no_value():
    half = CHANGE / 2
    assert not reaches(half, 0.9)
    assert at_change(half, VALUE, 0.9).isnan()
    assert area_under(half, VALUE, 0.9).isnan()


def test_the_way_up_counts_not_the_way_down():
    change = torch.tensor([0.0, 0.9, 0.3, 0.9], dtype=torch.float64)
    value = torch.tensor([1.0, 0.8, 0.5, 0.1], dtype=torch.float64)
    assert at_change(change, value, 0.9).item() == pytest.approx(0.8)
    assert at_change(change, value, 0.45).item() == pytest.approx(0.9)


def test_a_plateau_is_read_where_it_begins():
    change = torch.tensor([0.0, 0.5, 0.5, 0.6], dtype=torch.float64)
    assert at_change(change, VALUE, 0.5).item() == pytest.approx(0.9)


def test_resamples_are_a_leading_axis():
    batch = torch.stack([CHANGE, CHANGE / 2, CHANGE.sqrt()])
    found = at_change(batch, VALUE.expand(3, -1), 0.6)
    alone = torch.stack([at_change(row, VALUE, 0.6) for row in batch])
    torch.testing.assert_close(found, alone, equal_nan=True)


def test_the_area_of_a_straight_line_and_of_no_loss():
    line = torch.tensor([1.0, 0.0], dtype=torch.float64)
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert area_under(ends, line, 0.9).item() == pytest.approx(0.55)
    assert area_under(ends, torch.ones(2).double(), 0.9).item() == pytest.approx(1.0)
