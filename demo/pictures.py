"""Pixels for the page: enlarging, data URIs, and pictures that people send.

Images stand in the page as data URIs inside its HTML, so that the two methods always change
together and nothing is left behind on the server's disk. What is uploaded is opened only after
its header has been read: size, format and number of frames are checked before a pixel is decoded.
"""

import base64
import io
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

__all__ = [
    "MAX_BYTES",
    "data_uri",
    "enlarge",
    "read_data_uri",
    "read_photo",
    "read_photo_data",
    "read_picture",
]

MAX_BYTES = 20 * 2**20
_MAX_PIXELS = 40_000_000
_MIN_SIDE = 16
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")


def enlarge(pixels: UInt8[np.ndarray, "channels h w"], side: int) -> Image.Image:
    """An image at a size that a person can see, by Lanczos.

    Args:
        pixels: One image; one channel is white ink on black and comes out dark on white.
        side: Of the result.
    """
    if pixels.shape[0] == 1:
        image = Image.fromarray(255 - pixels[0])
    else:
        image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    return image.resize((side, side), Image.Resampling.LANCZOS)


def data_uri(image: Image.Image) -> str:
    """An image as text that stands in a page."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=92, method=0)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def read_picture(path: Path) -> UInt8[np.ndarray, "h w"]:
    """A picture that a person sent, in grey.

    Args:
        path: Where the upload lies.

    Raises:
        ValueError: In plain words, if it is too large, too small, animated or no picture.
    """
    return _grey(read_photo(path))


def read_photo(path: Path) -> Image.Image:
    """A picture that a person sent, in colour, on white where it is transparent.

    Args:
        path: Where the upload lies.

    Raises:
        ValueError: In plain words, as for `read_picture`.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"The file has {size / 2**20:.0f} MB; at most 20 MB are read.")
    return _read(path)


def read_data_uri(text: str) -> UInt8[np.ndarray, "h w"]:
    """A picture that came as text, such as a canvas's content, in grey.

    Raises:
        ValueError: In plain words, as for `read_picture`.
    """
    return _grey(read_photo_data(text))


def read_photo_data(text: str) -> Image.Image:
    """A picture that came as text, "data:image/png;base64,...", in colour.

    Raises:
        ValueError: In plain words, as for `read_picture`.
    """
    head, _, body = str(text or "")[: 2 * MAX_BYTES].partition(",")
    if not head.startswith("data:image/"):
        raise ValueError("The drawing is not a picture that can be read.")
    try:
        content = base64.b64decode(body, validate=True)
    except ValueError as error:
        raise ValueError("The drawing is not a picture that can be read.") from error
    return _read(io.BytesIO(content))


def _grey(image: Image.Image) -> UInt8[np.ndarray, "h w"]:
    return np.asarray(image.convert("L"))


def _read(file: Path | io.BytesIO) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=_FORMATS) as image:
                return _still(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError("The picture unpacks to too many pixels; send a smaller one.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, EOFError) as error:
        raise ValueError(
            "The file is not a picture that can be read; send a PNG, JPEG or WebP."
        ) from error


def _still(image: Image.Image) -> Image.Image:
    """An opened picture in RGB, on white where it is transparent, turned as its camera says.

    Raises:
        ValueError: In plain words, if its header promises what is not read.
    """
    width, height = image.size
    if width * height > _MAX_PIXELS:
        raise ValueError(
            f"The picture has {width} x {height} pixels, too many; send a smaller one."
        )
    if min(width, height) < _MIN_SIDE:
        raise ValueError(
            f"The picture has {width} x {height} pixels; it needs at least {_MIN_SIDE} each way."
        )
    if getattr(image, "n_frames", 1) > 1:
        raise ValueError("The picture is animated; save one frame of it as PNG or JPEG.")
    turned = ImageOps.exif_transpose(image)
    if "A" in turned.getbands() or "transparency" in turned.info:
        layer = turned.convert("RGBA")
        turned = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return turned.convert("RGB")
