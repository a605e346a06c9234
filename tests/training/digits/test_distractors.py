"""Truths that training.digits.distractors must meet: sizes, contrasts and places as documented."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation
from scipy.stats import binomtest, chisquare, kstest

from lwedit.data import (
    MnistDigits,
    MultiMnistConfig,
    load_mnist,
    make_multimnist,
    prepare_digits,
)
from training.digits.distractors import KINDS, add_distractors, draw_distractor

CONFIGS = {"small": MultiMnistConfig(), "paper": MultiMnistConfig.paper()}
CONTRAST = {
    "fragment": (0.4, 1.0), "stroke": (0.4, 1.0), "scratch": (0.1, 0.35), "faint": (0.1, 0.35),
    "smear": (0.15, 0.5), "ghost": (0.1, 0.35),
}
THIRD = {"small": 5, "paper": 10}  # of a digit, which is 15.7 or 31.4 px high
STEP = 0.5 / 255  # rounding to uint8


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def mnist():
    images, labels = load_mnist("test")
    return MnistDigits(images[:300], labels[:300])


@pytest.fixture(scope="module", params=CONFIGS)
def size(request, mnist):
    config = CONFIGS[request.param]
    return request.param, config, prepare_digits(mnist, config)


@pytest.fixture(scope="module")
def made(mnist):
    """500 images of no to four digits, and the same with one distractor each."""
    config = MultiMnistConfig(min_digits=0)
    digits = prepare_digits(mnist, config)
    images = make_multimnist(digits, 500, config, rng(1))
    return config, digits, images, add_distractors(images, digits, config, rng(2))


def inks(kind, digits, config, n=120):
    draw = rng(3)
    return [draw_distractor(kind, digits, config, draw) for _ in range(n)]


# --- single distractors ----------------------------------------------------------------------


def test_contrast_is_uniform_on_the_range_that_is_stated(size):
    _, config, digits = size
    assert tuple(CONTRAST) == KINDS
    for kind, (low, high) in CONTRAST.items():
        peaks = np.array([ink.max() for ink in inks(kind, digits, config)])
        assert kstest(peaks, "uniform", args=(low, high - low)).pvalue > 1e-4, kind
        assert peaks.min() >= low, kind
        assert peaks.max() <= high, kind


@pytest.mark.parametrize("kind", ["fragment", "stroke"])
def test_what_may_be_dark_is_at_most_a_third_of_a_digit_high(size, kind):
    name, config, digits = size
    sides = np.array([ink.shape for ink in inks(kind, digits, config)])
    assert sides[:, 0].max() == THIRD[name]  # reached, not exceeded
    assert 1.7 * THIRD[name] <= sides[:, 1].max() <= 2 * THIRD[name]


def test_a_smear_is_at_most_half_a_digit_high_and_longer_than_high(size):
    name, config, digits = size
    sides = np.array([ink.shape for ink in inks("smear", digits, config)])
    assert sides[:, 0].max() <= config.patch * 5 // 14
    assert sides[:, 1].max() <= 5 * THIRD[name] + 1
    assert (sides[:, 1] > sides[:, 0]).mean() > 0.9


def test_only_what_is_faint_is_as_high_as_a_digit(size):
    _, config, digits = size
    tall = {
        kind for kind in KINDS
        if max(ink.shape[0] for ink in inks(kind, digits, config)) > config.patch // 2
    }
    assert tall == {"scratch", "faint", "ghost"}
    assert max(CONTRAST[kind][1] for kind in tall) == 0.35


def test_a_faint_copy_is_a_whole_digit_scaled(size):
    _, config, digits = size
    boxes = zip(digits.images, digits.boxes, strict=True)
    whole = [patch[top:bottom, left:right] for patch, (top, left, bottom, right) in boxes]
    for ink in inks("faint", digits, config, 40):
        alike = [digit / digit.max() for digit in whole if digit.shape == ink.shape]
        assert min(np.abs(digit - ink / ink.max()).max() for digit in alike) < 1e-9


def test_a_ghost_fades_out_and_is_wider_than_its_digit(size):
    _, config, digits = size
    for ink in inks("ghost", digits, config, 40):
        edge = np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]])
        assert edge.max() < 0.03  # no border that an eye could see
        assert ink.shape[0] >= config.patch * 5 // 7
        assert np.abs(np.diff(ink, axis=0)).max() < 0.25 * ink.max() * 22 / config.patch + STEP


def test_a_kind_that_does_not_exist_is_named(size):
    _, config, digits = size
    with pytest.raises(ValueError, match="kind must be one of fragment, .*, ghost, got 'blot'"):
        draw_distractor("blot", digits, config, rng())


# --- in images -------------------------------------------------------------------------------


def test_the_truth_stays_and_ink_is_only_added(made):
    _, _, images, laid = made
    for before, after in zip(images[1:], laid.images[1:], strict=True):
        np.testing.assert_array_equal(before, after)
    assert (laid.images.images >= images.images).all()
    assert images.images is not laid.images.images
    changed = (laid.images.images != images.images).any(axis=(1, 2, 3))
    assert changed.mean() > 0.98  # the others are hidden by their digit


def test_pixels_change_only_in_one_box_of_the_distractors_size_and_contrast(made):
    _, _, images, laid = made
    most = {"fragment": (5, 10), "stroke": (5, 10), "scratch": (15, 15), "faint": (22, 22),
            "smear": (7, 26), "ghost": (44, 44)}
    for before, after, (kind,) in zip(
        images.images[:, 0], laid.images.images[:, 0], laid.kinds, strict=True
    ):
        rows, columns = np.nonzero(before != after)
        if len(rows):
            assert (np.ptp(rows) < most[KINDS[kind]][0]) & (np.ptp(columns) < most[KINDS[kind]][1])
            assert after[rows, columns].max() / 255 <= CONTRAST[KINDS[kind]][1] + STEP


def test_distractors_touch_a_digit_or_keep_their_distance(made):
    config, _, images, laid = made
    seen = {True: 0, False: 0}
    for i, (touching,) in enumerate(laid.touching):
        changed = (laid.images.images[i, 0] != images.images[i, 0]).nonzero()
        boxes = images.boxes[i, : images.counts[i]]
        if not touching:
            for top, left, bottom, right in boxes:
                near_rows = (changed[0] > top - config.gap - 1) & (changed[0] < bottom + config.gap)
                near_columns = (changed[1] > left - config.gap - 1) & (
                    changed[1] < right + config.gap
                )
                assert not (near_rows & near_columns).any()
        elif len(changed[0]):
            near = binary_dilation(images.images[i, 0] >= 60, np.ones((3, 3)))
            assert near[changed].any()
        seen[bool(touching)] += 1
    assert min(seen.values()) > 125
    assert not laid.touching[images.counts == 0].any()  # there is nothing to touch


def test_kinds_come_with_equal_chance(made):
    assert chisquare(np.bincount(made[3].kinds[:, 0], minlength=len(KINDS))).pvalue > 1e-3


@pytest.mark.slow
def test_the_same_state_of_the_generator_gives_the_same_distractors(made):
    config, digits, images, laid = made
    again, other = (add_distractors(images, digits, config, rng(seed)) for seed in (2, 4))
    np.testing.assert_array_equal(laid.images.images, again.images.images)
    np.testing.assert_array_equal(laid.kinds, again.kinds)
    assert (laid.images.images != other.images.images).any(axis=(1, 2, 3)).mean() > 0.98


def test_share_and_most_are_the_shares_and_numbers_of_distractors(made):
    config, digits, images, _ = made
    laid = add_distractors(images, digits, config, rng(5), share=0.3, most=3)
    numbers = (laid.kinds >= 0).sum(axis=1)
    assert binomtest(int((numbers > 0).sum()), 500, 0.3).pvalue > 1e-3
    assert chisquare(np.bincount(numbers, minlength=4)[1:]).pvalue > 1e-3
    assert not laid.touching[laid.kinds < 0].any()
    without = numbers == 0
    np.testing.assert_array_equal(laid.images.images[without], images.images[without])
    none = add_distractors(images, digits, config, rng(5), share=0.0)
    np.testing.assert_array_equal(none.images.images, images.images)


def test_large_distractors_fit_into_an_image_of_one_patch(mnist):
    config = MultiMnistConfig(size=26, min_digits=0, max_digits=1)
    digits = prepare_digits(mnist, config)
    images = make_multimnist(digits, 60, config, rng())
    laid = add_distractors(images, digits, config, rng(), most=2)
    assert (laid.images.images >= images.images).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"share": 1.5}, r"share must lie in \[0, 1\], got 1.5"),
        ({"most": 0}, "most must be at least 1, got 0"),
    ],
)
def test_impossible_settings_are_named(made, settings, message):
    config, digits, images, _ = made
    with pytest.raises(ValueError, match=message):
        add_distractors(images, digits, config, rng(), **settings)
