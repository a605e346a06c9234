"""Drawings: taken apart into digits, brought to MNIST's size, laid down where they were drawn."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from demo.handwriting import find_digits, to_domain
from lwedit.data import MultiMnistConfig, digits_for, make_multimnist

GEOMETRY = MultiMnistConfig()
NOTHING = "nothing was drawn"


def drawing(*strokes, side=320, width=18):
    image = Image.new("L", (side, side), 255)
    pen = ImageDraw.Draw(image)
    for stroke in strokes:
        pen.line(stroke, fill=0, width=width, joint="curve")
    return np.asarray(image)


SEVEN = [(40, 40), (120, 40), (70, 150)]
ONE = [(240, 180), (240, 290)]


def boxes(image, count):
    found = find_digits(image > 60)
    assert len(found) == count
    return np.array([[r.start, c.start, r.stop, c.stop] for r, c in found])


def test_a_drawn_digit_gets_the_height_of_the_domains_digits():
    image = to_domain(drawing(SEVEN), GEOMETRY, NOTHING)
    assert image.shape == (1, 64, 64)
    (top, left, bottom, right), = boxes(image[0], 1)
    assert abs(max(bottom - top, right - left) - round(22 * 20 / 28)) <= 1


def test_digits_stay_where_they_were_drawn():
    image = to_domain(drawing(SEVEN, ONE), GEOMETRY, NOTHING)
    found = boxes(image[0], 2)
    centres = (found[:, :2] + found[:, 2:]) / 2 * 320 / 64
    np.testing.assert_allclose(centres, [[95, 80], [235, 240]], atol=12)


def test_white_on_black_is_read_as_black_on_white():
    page = drawing(SEVEN, ONE)
    assert (to_domain(page, GEOMETRY, NOTHING) == to_domain(255 - page, GEOMETRY, NOTHING)).all()


def test_strokes_of_one_digit_that_do_not_touch_are_one_digit():
    page = drawing([(100, 60), (180, 60)], [(100, 85), (100, 200)])
    assert len(find_digits(page < 128)) == 1


def test_images_of_the_domain_come_back_nearly_as_they_were():
    made = make_multimnist(digits_for("heldout", GEOMETRY), 30, GEOMETRY, np.random.default_rng(0))
    errors = []
    for pixels, count in zip(made.images, made.counts, strict=True):
        page = np.asarray(Image.fromarray(255 - pixels[0]).resize((512, 512), Image.BICUBIC))
        if len(find_digits(page < 160)) != count:
            continue  # digits so close that strokes are joined
        again = to_domain(page, GEOMETRY, NOTHING)
        errors.append(np.abs(again.astype(float) - pixels).mean())
    assert len(errors) > 20
    assert np.mean(errors) < 0.35 * made.images.mean()


def test_crowded_digits_are_moved_apart_and_stay_inside():
    ones = [[(x, 120), (x, 200)] for x in (110, 150, 190)]
    image = to_domain(drawing(*ones, width=8), GEOMETRY, NOTHING)
    found = boxes(image[0], 3)
    assert found.min() >= GEOMETRY.gap
    assert found.max() <= 64 - GEOMETRY.gap


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (np.full((320, 320), 255, np.uint8), "nothing was drawn"),
        (drawing([(160, 160), (161, 160)], width=3), "nothing was drawn"),
        (drawing(*[[(x, y), (x, y + 40)] for x in (40, 160, 280) for y in (30, 150, 260)]),
         "9 separate drawings were found, at most 4"),
        (np.pad(np.zeros((300, 300), np.uint8), 10, constant_values=255), "Most of the picture"),
    ],
    ids=["blank", "a speck", "too many", "nothing but ink"],
)
def test_what_is_no_drawing_of_digits_gets_a_plain_message(page, message):
    with pytest.raises(ValueError, match=message):
        to_domain(page, GEOMETRY, NOTHING)


def test_a_wide_picture_is_padded_not_squeezed():
    page = np.full((160, 320), 255, np.uint8)
    page[40:120, 60:76] = 0
    (top, left, bottom, right), = boxes(to_domain(page, GEOMETRY, NOTHING)[0], 1)
    assert bottom - top > 3 * (right - left)
