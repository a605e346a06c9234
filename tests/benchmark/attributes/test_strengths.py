"""Truths of the search for d: known curves, levels out of reach, the range around d."""

import math

import pytest

from benchmark.presets import AttributeConfig
from benchmark.strengths import choose_strengths, find_d

CONFIG = AttributeConfig(domain="toy")


@pytest.mark.parametrize("scale", [0.13, 0.5, 1.0, 2.7])
def test_d_of_a_known_curve_within_a_sixteenth(scale):
    d, reached = find_d(lambda alpha: 1 - math.exp(-alpha / scale), 0.5, 4.0)
    truth = scale * math.log(2)
    assert reached
    assert truth <= d <= truth * 1.0 + max(truth, 0.125) / 8


def test_the_first_crossing_counts_even_if_the_change_falls_back():
    d, reached = find_d(lambda alpha: 0.6 if 0.4 < alpha < 1.2 else 0.1, 0.5, 4.0)
    assert reached
    assert 0.4 <= d <= 0.5


def test_what_is_not_reached_gets_the_largest_d_and_is_measured_all_the_same():
    found = choose_strengths(lambda alpha: 0.2, CONFIG)
    assert (found.d, found.reached) == (4.0, False)
    assert found.alphas == pytest.approx([4 + 4 * i / 9 for i in range(10)])
    assert all(found.in_range)


def test_strengths_go_on_until_nine_in_ten_is_safe():
    def curve(alpha):
        return min(1.0, alpha / 4)

    found = choose_strengths(curve, CONFIG)
    assert found.d == 2.0
    assert found.alphas[0] == pytest.approx(1.6)
    assert found.alphas[-1] == pytest.approx(4.0)  # at 2 d everything has changed
    slow = choose_strengths(lambda alpha: 1 - math.exp(-alpha), CONFIG)
    times = [alpha / slow.d for alpha, inside in zip(slow.alphas, slow.in_range, strict=True)
             if not inside]
    assert times == pytest.approx([0.8, 2.5, 3.0, 4.0])
    assert sum(slow.in_range) == 10
