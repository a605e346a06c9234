"""Truths of the perceptual distance: equal, opposite and orthogonal features by hand."""

import pytest
import torch

from lwedit.metrics import perceptual_distance


def maps(*layers):
    return [torch.tensor(layer, dtype=torch.float64).reshape(1, -1, 1, 1) for layer in layers]


def test_equal_maps_are_at_distance_nought_whatever_their_length():
    assert perceptual_distance(maps([3.0, 4.0]), maps([6.0, 8.0])).item() == pytest.approx(0)


def test_orthogonal_features_are_at_two_and_opposite_ones_at_four():
    assert perceptual_distance(maps([1.0, 0.0]), maps([0.0, 5.0])).item() == pytest.approx(2)
    assert perceptual_distance(maps([1.0, 2.0]), maps([-1.0, -2.0])).item() == pytest.approx(4)


def test_layers_and_places_are_averaged():
    a, b = torch.zeros(2, 2, 1, 2), torch.zeros(2, 2, 1, 2)
    a[:, 0], b[:, 0] = 1, 1
    b[1, 0, 0, 1], b[1, 1, 0, 1] = 0, 1  # one of two places of the second image is orthogonal
    same = torch.ones(2, 3, 4, 4)
    found = perceptual_distance([a, same], [b, same])
    torch.testing.assert_close(found, torch.tensor([0.0, 0.5]))


def test_places_without_any_feature_are_alike():
    nothing = torch.zeros(1, 3, 2, 2)
    assert perceptual_distance([nothing], [nothing]).item() == 0


def test_other_layers_are_named():
    with pytest.raises(ValueError, match="other must hold the same layers as maps"):
        perceptual_distance(maps([1.0]), maps([1.0], [2.0]))
