"""Pictures: what people send is read or refused in plain words, and nothing is decoded blindly."""

import base64
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from demo.pictures import MAX_BYTES, data_uri, enlarge, read_photo, read_picture


def save(tmp_path, image, name="a.png", **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


def gradient(side=64):
    ramp = np.linspace(0, 255, side).astype(np.uint8)
    return np.broadcast_to(ramp, (side, side)).copy()


def test_a_grey_picture_is_read_as_it_is(tmp_path):
    grey = gradient()
    assert (read_picture(save(tmp_path, Image.fromarray(grey))) == grey).all()


def test_cmyk_is_read_as_its_grey(tmp_path):
    image = Image.new("CMYK", (32, 32), (0, 0, 0, 255))
    assert (read_picture(save(tmp_path, image, "a.jpg")) < 8).all()


def test_a_photo_keeps_its_colours_and_turns_as_its_camera_says(tmp_path):
    image = Image.new("RGB", (40, 20), (200, 30, 60))
    image.paste((0, 0, 255), (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter to the right
    photo = read_photo(save(tmp_path, image, exif=exif))
    assert photo.size == (20, 40)
    assert photo.getpixel((10, 5)) == (0, 0, 255)
    assert photo.getpixel((10, 35)) == (200, 30, 60)


def test_transparent_paper_is_white(tmp_path):
    image = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (8, 8, 16, 16))
    grey = read_picture(save(tmp_path, image))
    assert (grey[8:16, 8:16] == 0).all()
    assert grey.sum() == 255 * (32 * 32 - 64)


def test_a_transparent_palette_is_white_too(tmp_path):
    image = Image.new("P", (32, 32), 0)
    path = save(tmp_path, image, transparency=0)
    assert (read_picture(path) == 255).all()


def test_a_turned_photo_is_turned_back(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # the camera was held upright: rows are columns
    grey = gradient()
    read = read_picture(save(tmp_path, Image.fromarray(grey), "a.png", exif=exif))
    assert (read == np.rot90(grey, -1)).all()


def test_text_that_calls_itself_a_png_is_refused(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("I am not a picture.")
    with pytest.raises(ValueError, match="not a picture that can be read"):
        read_picture(path)


def test_an_empty_and_a_cut_off_file_are_refused(tmp_path):
    whole = save(tmp_path, Image.fromarray(gradient())).read_bytes()
    for content, message in ((b"", "is empty"), (whole[: len(whole) // 2], "PNG is cut off")):
        (tmp_path / "cut.png").write_bytes(content)
        with pytest.raises(ValueError, match=message):
            read_picture(tmp_path / "cut.png")


def test_an_animation_is_refused(tmp_path):
    frames = [Image.fromarray(gradient() // n) for n in (1, 2)]
    path = save(tmp_path, frames[0], "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match="is animated"):
        read_picture(path)


@pytest.mark.parametrize("size", [(1, 1), (4000, 1), (15, 200)])
def test_a_picture_of_a_pixel_is_refused(tmp_path, size):
    with pytest.raises(ValueError, match="needs at least 16 each way"):
        read_picture(save(tmp_path, Image.new("L", size)))


def bomb(width, height):
    """A PNG whose header promises more pixels than anybody should decode."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
            + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))


@pytest.mark.parametrize("size", [(7000, 7000), (10_000, 10_000), (60_000, 60_000)])
def test_a_decompression_bomb_is_refused_by_its_header(tmp_path, size):
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(*size))
    with pytest.raises(ValueError, match="too many"):
        read_picture(path)


def test_a_file_over_the_limit_is_refused_unread(tmp_path):
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ValueError, match="at most 20 MB"):
        read_picture(path)


def test_enlarging_keeps_a_flat_image_flat_and_turns_ink_dark():
    assert set(np.asarray(enlarge(np.full((1, 64, 64), 255, np.uint8), 256)).ravel()) == {0}
    colour = np.asarray(enlarge(np.full((3, 64, 64), 77, np.uint8), 256))
    assert colour.shape == (256, 256, 3)
    assert set(colour.ravel()) == {77}


def test_a_data_uri_holds_the_picture():
    image = Image.fromarray(gradient(128))
    head, _, body = data_uri(image).partition(",")
    assert head == "data:image/webp;base64"
    again = Image.open(io.BytesIO(base64.b64decode(body))).convert("L")
    assert np.abs(np.asarray(again, int) - gradient(128)).mean() < 3
