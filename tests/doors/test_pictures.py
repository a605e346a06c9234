"""Every example of pictures in docs/doors.md beside the plain 8-bit file."""

import base64

import numpy as np
import pytest
from PIL import Image

from demo.pictures import read_photo, read_photo_data
from tests.doors import pictures
from tests.doors.case import one_line


@pytest.mark.parametrize("case", pictures.TAKEN, ids=repr)
def test_a_picture_is_the_plain_one(case, tmp_path):
    content, plain = case.made()
    (tmp_path / "upload").write_bytes(content)
    photo = read_photo(tmp_path / "upload")
    assert photo.mode == "RGB"
    assert photo.size[0] * photo.size[1] <= 40_000_000
    if photo.size != plain.size:  # decoded small
        assert min(photo.size) >= 3000
        photo = photo.resize(plain.size, Image.Resampling.BOX)
    apart = np.abs(np.asarray(photo, float) - np.asarray(plain.convert("RGB"), float))
    assert apart.mean() <= case.truth
    (tmp_path / "upload").unlink()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("case", pictures.REFUSED, ids=repr)
def test_a_picture_is_refused(case, tmp_path):
    (tmp_path / "upload").write_bytes(case.made())
    with pytest.raises(ValueError, match=r"^The ") as error:
        read_photo(tmp_path / "upload")
    assert case.refused in one_line(error)


def test_the_profile_of_the_example_is_read_by_littlecms():
    """Else exchanged colours would only show that the example is damaged."""
    from io import BytesIO

    from PIL import ImageCms

    assert ImageCms.ImageCmsProfile(BytesIO(pictures.exchanged())).profile.xcolor_space == "RGB "


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_every_plain_format_is_read(kind, tmp_path):
    (tmp_path / "a").write_bytes(pictures.encoded(pictures.scene(), kind))
    photo = np.asarray(read_photo(tmp_path / "a"), float)
    most = 12 if kind == "GIF" else 4  # 256 colours
    assert np.abs(photo - np.asarray(pictures.scene(), float)).mean() < most


def test_a_picture_as_text_is_read_alike():
    content = pictures.encoded(pictures.scene(), "PNG")
    text = "data:image/png;base64," + base64.b64encode(content).decode()
    assert (np.asarray(read_photo_data(text)) == np.asarray(pictures.scene())).all()
