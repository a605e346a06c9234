"""Truths that lwedit.vocabulary must meet: round trips, end points, layer order."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lwedit.vocabulary import flatten_codes, from_unit_range, to_unit_range, unflatten_codes


def test_every_pixel_value_survives_the_round_trip():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    np.testing.assert_array_equal(from_unit_range(to_unit_range(pixels)), pixels)


def test_range_ends_and_middle():
    x = to_unit_range(torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 3, 1, 1))
    torch.testing.assert_close(x.flatten(), torch.tensor([-1.0, -0.6, 1.0]))


def test_values_outside_the_range_are_clipped():
    x = torch.tensor([-7.0, 1.5]).reshape(1, 1, 1, 2)
    assert from_unit_range(x).flatten().tolist() == [0, 255]


@settings(deadline=None, max_examples=25)
@given(n=st.integers(0, 4), layers=st.integers(1, 5), dim=st.integers(1, 6))
def test_codes_survive_flattening(n, layers, dim):
    w = torch.randn(n, layers, dim, generator=torch.Generator().manual_seed(n))
    flat = flatten_codes(w)
    torch.testing.assert_close(flat, torch.cat(list(w.unbind(dim=1)), dim=1))
    torch.testing.assert_close(unflatten_codes(flat, layers), w)


def test_wrong_number_of_layers_is_named():
    with pytest.raises(ValueError, match="multiple of layers = 4 columns, got 6"):
        unflatten_codes(torch.zeros(2, 6), 4)
