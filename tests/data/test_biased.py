"""Truths that lwedit.data.biased must meet: the moments asked for, and nothing more changed."""

import numpy as np
import pytest

from lwedit.data.avatars import ATTRIBUTES, attributes_of, draw_factors
from lwedit.data.biased import BIASES, BiasedAvatars


def rng(seed=0):
    return np.random.default_rng(seed)


def column(name):
    return ATTRIBUTES.index(name)


@pytest.fixture(scope="module")
def biased():
    return BiasedAvatars(BIASES)


@pytest.mark.slow
def test_correlations_are_as_asked(biased):
    """And the shares of the named attributes are the balanced ones."""
    y = attributes_of(biased.draw(10_000, rng(1)))
    rho = np.corrcoef(y.T)
    for (a, b), asked in BIASES.items():
        assert rho[column(a), column(b)] == pytest.approx(asked, abs=0.04), (a, b)
    balanced = attributes_of(draw_factors(20_000, rng(3))).mean(axis=0)
    named = sorted({column(name) for pair in BIASES for name in pair})
    np.testing.assert_allclose(y.mean(axis=0)[named], balanced[named], atol=0.02)


def test_one_pair_leaves_the_others_as_they_were():
    y = attributes_of(BiasedAvatars({("beard", "collar"): 0.4}).draw(20_000, rng(4)))
    balanced = attributes_of(draw_factors(20_000, rng(5)))
    moved = np.abs(np.corrcoef(y.T) - np.corrcoef(balanced.T))
    a, b = column("beard"), column("collar")
    assert moved[a, b] == pytest.approx(0.4, abs=0.03)
    # What excludes or includes one of the two is carried along, nothing else.
    kin = [column(name) for name in ("beard", "collar", "moustache", "hoodie", "blazer",
                                     "dark_hair", "light_hair", "red_hair", "grey_hair")]
    others = np.setdiff1d(np.arange(len(ATTRIBUTES)), kin)
    assert moved[np.ix_(others, range(len(ATTRIBUTES)))].max() < 0.04


def test_a_tilt_of_one_share_is_the_closed_form():
    """Tilting P(beard) alone reweights the two halves: all else is drawn as given beard or not."""
    y = attributes_of(BiasedAvatars({}, {"beard": 0.7}).draw(20_000, rng(6)))
    balanced = attributes_of(draw_factors(50_000, rng(7)))
    beard = balanced[:, column("beard")]
    expected = 0.7 * balanced[beard].mean(axis=0) + 0.3 * balanced[~beard].mean(axis=0)
    np.testing.assert_allclose(y.mean(axis=0), expected, atol=0.02)


def test_the_same_seed_draws_the_same_choices(biased):
    first, again = biased.draw(50, rng(8)), biased.draw(50, rng(8))
    np.testing.assert_array_equal(first, again)
    assert len(first) == 50


def test_moments_that_no_portraits_have_are_refused():
    with pytest.raises(ValueError, match="correlations must be ones that portraits can have"):
        BiasedAvatars({("headwear", "bald"): 0.5})


def test_a_name_that_is_no_attribute_is_refused():
    with pytest.raises(ValueError, match="name must be one of .*, got 'young'"):
        BiasedAvatars({("young", "bald"): 0.5})
