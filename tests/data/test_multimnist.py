"""Truths that lwedit.data.multimnist must meet: the labels describe the pixels exactly."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from PIL import Image
from scipy.stats import chisquare

from lwedit.data import MnistDigits, MultiMnistConfig, digits_for, make_multimnist, prepare_digits
from lwedit.data.mnist import load_mnist
from lwedit.data.multimnist import Digits

INK = 40  # as documented: what is fainter is the blur of resampling
CONFIGS = {"small": MultiMnistConfig(), "paper": MultiMnistConfig.paper()}


def rng(seed=0):
    return np.random.default_rng(seed)


def crop(image, box):
    top, left, bottom, right = box
    return image[top:bottom, left:right]


@pytest.fixture(scope="module")
def mnist():
    images, labels = load_mnist("test")
    return MnistDigits(images[:400], labels[:400])


@pytest.fixture(scope="module", params=CONFIGS)
def made(request, mnist):
    """Configuration, the digits that were placed, and 300 images of them."""
    config = CONFIGS[request.param]
    digits = prepare_digits(mnist, config)
    return config, digits, make_multimnist(digits, 300, config, rng())


def boxes_of(images, i):
    return images.boxes[i, : images.counts[i]]


def test_counts_classes_and_boxes_fill_the_same_slots(made):
    config, _, images = made
    used = np.arange(config.max_digits) < images.counts[:, None]
    np.testing.assert_array_equal(images.classes >= 0, used)
    np.testing.assert_array_equal((images.boxes >= 0).all(axis=2), used)
    assert (images.classes[~used] == -1).all()
    assert (images.boxes[~used] == -1).all()


def test_each_box_holds_a_digit_of_its_class_and_the_rest_is_paper(made):
    _, digits, images = made
    known = {}  # ink of a digit, cut to its box -> its class
    for patch, box, label in zip(digits.images, digits.boxes, digits.labels, strict=True):
        known[crop(patch, box).shape, crop(patch, box).tobytes()] = label
    for i, image in enumerate(images.images[:, 0]):
        rest = image.copy()
        for box, label in zip(boxes_of(images, i), images.classes[i], strict=False):
            ink = crop(image, box)
            assert known[ink.shape, ink.tobytes()] == label
            crop(rest, box)[:] = 0
        assert not rest.any()


def test_ink_touches_the_four_sides_of_its_box(made):
    _, _, images = made
    for i, image in enumerate(images.images[:, 0]):
        for box in boxes_of(images, i):
            dark = crop(image, box) >= INK
            assert dark[0].any()
            assert dark[-1].any()
            assert dark[:, 0].any()
            assert dark[:, -1].any()


def test_boxes_keep_their_distance_from_each_other_and_the_border(made):
    config, _, images = made
    for i in range(len(images.counts)):
        boxes = boxes_of(images, i)
        assert (boxes[:, :2] >= config.gap).all()
        assert (boxes[:, 2:] <= config.size - config.gap).all()
        for a, b in combinations(boxes, 2):
            between = np.maximum(a[:2] - b[2:], b[:2] - a[2:])  # pixels of paper, down and across
            assert between.max() >= config.gap


def test_the_same_state_of_the_generator_gives_the_same_images(mnist):
    digits = prepare_digits(mnist, MultiMnistConfig())
    first, again, other = (
        make_multimnist(digits, 20, MultiMnistConfig(), rng(seed)) for seed in (5, 5, 6)
    )
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first.images != other.images).any(axis=(1, 2, 3)).all()


def test_counts_are_uniform(mnist):
    digits = prepare_digits(mnist, MultiMnistConfig())
    counts = make_multimnist(digits, 4000, MultiMnistConfig(), rng()).counts
    assert chisquare(np.bincount(counts, minlength=5)[1:]).pvalue > 1e-3


def test_classes_come_in_the_shares_of_the_pool(mnist):
    config = replace(MultiMnistConfig(), max_digits=1)
    classes = make_multimnist(prepare_digits(mnist, config), 4000, config, rng()).classes
    shares = np.bincount(mnist.labels, minlength=10) / len(mnist.labels)
    assert chisquare(np.bincount(classes[:, 0], minlength=10), 4000 * shares).pvalue > 1e-3


def test_a_single_digit_is_anywhere_with_equal_chance(mnist):
    config = MultiMnistConfig(size=32, patch=22, max_digits=1)
    digits = Digits(*(part[:1] for part in prepare_digits(mnist, config)))
    corners = make_multimnist(digits, 6000, config, rng()).boxes[:, 0, :2] - config.gap
    height, width = digits.boxes[0, 2:] - digits.boxes[0, :2]
    rows, columns = config.size - 2 * config.gap - height + 1, 32 - 2 * config.gap - width + 1
    table = np.bincount(corners[:, 0] * columns + corners[:, 1], minlength=rows * columns)
    assert len(table) == rows * columns
    assert chisquare(table).pvalue > 1e-3


@pytest.mark.parametrize("most", [0, 2])
def test_images_without_digits_are_blank(mnist, most):
    config = MultiMnistConfig(min_digits=0, max_digits=most)
    images = make_multimnist(prepare_digits(mnist, config), 60, config, rng())
    blank = images.counts == 0
    assert blank.any()
    assert not images.images[blank].any()
    assert images.images[~blank].any(axis=(1, 2, 3)).all()


def test_paper_preset_doubles_every_length():
    small, paper = MultiMnistConfig(), MultiMnistConfig.paper()
    doubled = replace(small, size=2 * small.size, patch=2 * small.patch, gap=2 * small.gap)
    assert paper == doubled


def test_resizing_agrees_with_pillow(mnist):
    digits = prepare_digits(mnist, MultiMnistConfig())
    for i in range(50):
        pillow = Image.fromarray(mnist.images[i]).resize((22, 22), Image.Resampling.BILINEAR)
        expected = crop(np.asarray(pillow, int), digits.boxes[i])
        assert np.abs(crop(digits.images[i], digits.boxes[i]) - expected).max() <= 1


def test_at_their_own_size_digits_keep_their_pixels_and_lose_only_faint_ones(mnist):
    digits = prepare_digits(mnist, MultiMnistConfig(size=128, patch=28))
    for original, kept, box in zip(mnist.images, digits.images, digits.boxes, strict=True):
        rows, columns = np.nonzero(original >= INK)
        expected = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
        assert box.tolist() == expected
        np.testing.assert_array_equal(crop(kept, box), crop(original, box))
        assert kept.astype(int).sum() == crop(original, box).astype(int).sum()


@pytest.mark.slow
def test_pools_share_no_digit():
    config = MultiMnistConfig(size=128, patch=28)
    pools = {pool: digits_for(pool, config) for pool in ("domain", "judges", "heldout")}
    assert [len(p.labels) for p in pools.values()] == [30_000, 30_000, 10_000]
    rows = {pool: {image.tobytes() for image in p.images} for pool, p in pools.items()}
    for a, b in combinations(rows, 2):
        assert rows[a].isdisjoint(rows[b])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_digits": 3, "max_digits": 2}, r"min_digits must lie in \[0, max_digits\], got 3"),
        ({"min_digits": -1}, "got -1 with max_digits = 4"),
        ({"max_digits": 8}, "max_digits = 8 patches of 22 px must fit into 64 x 64 px"),
        ({"size": 25, "max_digits": 1}, "patch = 22 px and a gap of 2 px on both sides"),
    ],
)
def test_impossible_geometry_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        MultiMnistConfig(**changes)


def test_digits_that_never_fit_are_an_error_not_an_endless_loop():
    config = MultiMnistConfig(size=48, min_digits=4)
    full = MnistDigits(np.full((1, 28, 28), 255, np.uint8), np.zeros(1, np.uint8))
    with pytest.raises(ValueError, match="digits must find room in 48 x 48 px"):
        make_multimnist(prepare_digits(full, config), 1, config, rng())


def test_a_blank_digit_is_named():
    images = np.zeros((2, 28, 28), np.uint8)
    images[0, 10:20, 10:20] = 255
    with pytest.raises(ValueError, match="got none in digit 1"):
        prepare_digits(MnistDigits(images, np.zeros(2, np.uint8)), MultiMnistConfig())
