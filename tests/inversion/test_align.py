"""Truths of lwedit.inversion.align: FFHQ's square by hand, crops of known functions, real faces."""

import math

import numpy as np
import pytest
from PIL import Image

from lwedit.inversion.align import FaceFinder, NoFaceError, Square, align, crop, square_of

UPRIGHT = np.array([[90.0, 100.0], [130.0, 100.0], [110.0, 125.0], [95.0, 150.0], [125.0, 150.0]])


def turned(points, degrees, about=(110.0, 110.0)):
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return (points - about) @ turn.T + about


def waves(width, height, square=None, size=None):
    """A smooth picture, or what a square of it shows, from the formula of the picture."""
    if square is None:
        x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    else:
        step = (2 * np.arange(size) + 1) / size - 1
        u, v = np.meshgrid(step, step)
        x = square.x + u * square.across - v * square.down
        y = square.y + u * square.down + v * square.across
    layers = [128 + 100 * np.sin(x / 30 + k) * np.cos(y / 40 - k) for k in range(3)]
    return np.stack(layers, axis=-1).round().astype(np.uint8)


def test_the_square_of_an_upright_face_by_hand():
    square = square_of(UPRIGHT)
    # eyes 40 apart, 50 above the mouth: half a side is 1.8 * 50, the centre 5 below the eyes
    assert square == pytest.approx((110, 105, 90, 0))
    assert square.side == 180


def test_eyes_far_apart_decide_the_size():
    wide = UPRIGHT.copy()
    wide[:2, 0] = (70, 150)
    assert square_of(wide).side == pytest.approx(2 * 2.0 * 80)


@pytest.mark.parametrize("degrees", [-70, -20, 15, 90, 180])
def test_the_square_turns_and_scales_with_the_face(degrees):
    square, base = square_of(3 * turned(UPRIGHT, degrees)), square_of(UPRIGHT)
    assert square.side == pytest.approx(3 * base.side)
    centre = 3 * turned(np.array([[base.x, base.y]]), degrees)[0]
    assert (square.x, square.y) == pytest.approx(tuple(centre))
    assert math.degrees(math.atan2(square.down, square.across)) % 360 == pytest.approx(
        degrees % 360)


@pytest.mark.parametrize("square", [Square(100, 90, 40, 0), Square(100, 90, 30, -25)])
def test_an_enlarged_crop_shows_the_picture_inside_the_square(square):
    photo = Image.fromarray(waves(200, 180))
    shown = crop(photo, square, 96).astype(int)
    expected = waves(0, 0, square, 96).transpose(2, 0, 1).astype(int)
    assert np.abs(shown - expected).max() <= 2


def test_a_crop_made_smaller_shows_the_same():
    photo = Image.fromarray(waves(400, 360))
    square = Square(210, 170, 110, 40)
    shown = crop(photo, square, 64).astype(int)
    expected = waves(0, 0, square, 64).transpose(2, 0, 1).astype(int)
    assert np.abs(shown - expected).max() <= 4


def test_fine_stripes_become_grey_and_not_other_stripes():
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    shown = crop(Image.fromarray(stripes), Square(256, 256, 200, 0), 50)
    assert np.abs(shown.astype(int) - 127).max() < 12


def test_outside_of_the_photo_it_is_mirrored():
    photo = Image.fromarray(waves(80, 80))
    shown = crop(photo, Square(40, 40, 60, 0), 120).astype(int)  # 20 pixels beyond each side
    assert np.abs(shown[:, :, 18:20] - shown[:, :, 20:22][:, :, ::-1]).max() <= 2
    assert np.abs(shown[:, 100:110] - shown[:, 90:100][:, ::-1]).max() <= 2


@pytest.mark.parametrize("corner", [(0, 0), (3, 900), (990, 5)])
def test_only_the_part_around_the_face_is_worked_on(corner, monkeypatch):
    from lwedit.inversion import align as module

    photo = Image.fromarray(waves(1000, 1000))
    square = Square(corner[0] + 5.5, corner[1] + 20.25, 30, 20)
    parts = []
    real = module._around
    monkeypatch.setattr(module, "_around", lambda *a: parts.append(real(*a)) or parts[-1])
    shown = crop(photo, square, 128)
    assert max(parts[0][0].size) <= 120
    monkeypatch.setattr(module, "_around", lambda *a: a)
    assert np.abs(shown.astype(int) - crop(photo, square, 128)).max() <= 1


def test_a_turned_face_comes_out_as_the_upright_one():
    base = Image.fromarray(waves(220, 220))
    upright = crop(base, square_of(UPRIGHT), 90).astype(int)
    rotated = base.rotate(-20, Image.Resampling.BICUBIC, center=(110, 110))
    again = crop(rotated, square_of(turned(UPRIGHT, 20)), 90).astype(int)
    inner = np.s_[:, 15:75, 15:75]  # the corners were turned out of the picture
    assert np.abs(upright[inner] - again[inner]).max() <= 6


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.full((5, 2), np.nan)])
def test_points_that_are_no_face_are_refused(points):
    with pytest.raises(ValueError, match="points must be those of a face"):
        square_of(points)
    with pytest.raises(ValueError, match="size must be positive, got 0"):
        crop(Image.new("RGB", (9, 9)), Square(4, 4, 4, 0), 0)


@pytest.fixture(scope="module")
def finder():
    pytest.importorskip("facenet_pytorch")
    return FaceFinder()


@pytest.fixture(scope="module")
def faces():
    """Two generated faces, 256 pixels a side."""
    import torch

    from lwedit.domains.faces import ASSETS
    from lwedit.generators.dcgan import load_dcgan
    from lwedit.vocabulary import from_unit_range

    generator = load_dcgan(ASSETS / "generator.safetensors")
    made = []
    for seed in (57, 101):
        z = torch.randn(1, 1, 100, generator=torch.Generator().manual_seed(seed))
        pixels = from_unit_range(generator(z))[0].transpose(1, 2, 0)
        made.append(Image.fromarray(pixels).resize((256, 256), Image.Resampling.LANCZOS))
    return made


@pytest.mark.slow
def test_a_face_is_found_wherever_it_is_and_comes_out_in_its_place(finder, faces):
    for at in ((60, 40), (200, 150)):
        photo = Image.new("RGB", (560, 480), (90, 110, 130))
        photo.paste(faces[0], at)
        points = finder.points(photo)
        crop_points = finder.points(Image.fromarray(align(photo, finder, 256).transpose(1, 2, 0)))
        assert (np.abs(points - at - finder.points(faces[0])) < 12).all()
        eyes, mouth = crop_points[:2].mean(axis=0), crop_points[3:].mean(axis=0)
        assert eyes == pytest.approx((128, 121), abs=12)  # 0.1 |m| above the middle
        assert mouth[0] == pytest.approx(128, abs=12)
        assert crop_points[0, 1] == pytest.approx(crop_points[1, 1], abs=10)


def test_of_two_faces_the_larger_is_taken(finder, faces):
    photo = Image.new("RGB", (700, 420), (90, 110, 130))
    photo.paste(faces[1].resize((120, 120)), (520, 150))
    photo.paste(faces[0], (80, 80))
    assert (finder.points(photo)[:, 0] < 350).all()
    mirrored = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert (finder.points(mirrored)[:, 0] > 350).all()


@pytest.mark.slow
def test_a_large_photo_gives_the_points_of_the_large_photo(finder, faces):
    photo = faces[0].resize((2400, 2400))
    assert (np.abs(finder.points(photo) / 2400 - finder.points(faces[0]) / 256) < 0.06).all()


@pytest.mark.parametrize("kind", ["noise", "one colour", "sixteen pixels"])
def test_without_a_face_the_message_is_plain(finder, kind):
    rng = np.random.default_rng(0)
    pixels = {
        "noise": rng.integers(0, 256, (200, 220, 3), dtype=np.uint8),
        "one colour": np.full((200, 220, 3), 128, np.uint8),
        "sixteen pixels": rng.integers(0, 256, (16, 16, 3), dtype=np.uint8),
    }[kind]
    with pytest.raises(NoFaceError, match="No face was found in this picture. Send a photo"):
        align(Image.fromarray(pixels), finder)
