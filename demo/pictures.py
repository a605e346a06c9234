"""Pictures for the page: enlarging, data URIs, and what people send.

Images stand in the page as data URIs inside its HTML, so that the two methods always change
together and nothing is left behind on the server's disk. What is uploaded is opened only after its
first bytes and its header have been read: format, size and number of frames are checked before a
pixel is decoded, and a JPEG of more pixels than are needed is decoded at a half, a quarter or an
eighth of its size.

Every picture becomes 8-bit RGB in sRGB, upright, on white where it is transparent: 16 bits are
divided by 257, floats are taken as 0-1, 0-255 or 0-65535, whichever holds them, colour profiles are
applied, and of a phone's JPEG with a second picture inside (MPO) the first is read.
"""

import base64
import io
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

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
_MAX_PIXELS_JPEG = 120_000_000  # before it is decoded small
_DECODED = (3000, 3000)  # a JPEG is decoded no smaller than this
_MIN_SIDE = 16
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
_INSTEAD = "save or export it as JPEG or PNG and send that"
_OTHERS = (  # first bytes of what is not read, and what it is
    (b"%PDF", "a PDF document"), (b"%!PS", "a PostScript file"), (b"8BPS", "a Photoshop file"),
    (b"\xff\x0a", "a JPEG XL picture"), (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"), (b"PK\x03\x04", "a ZIP archive or a document"),
    (b"\x1a\x45\xdf\xa3", "a video"), (b"\0\0\1\0", "an icon"),
)
_BRANDS = {b"avif": "an AVIF picture", b"avis": "an AVIF picture", b"heic": "a HEIC picture",
           b"heix": "a HEIC picture", b"hevc": "a HEIC picture", b"heim": "a HEIC picture",
           b"mif1": "a HEIC picture", b"msf1": "a HEIC picture"}


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
        ValueError: In plain words, if it is too large, too small, animated, cut off or no picture
            that is read here.
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
    return _read(path.read_bytes())


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
        raise ValueError("The drawing is not a picture that can be read: it must be text that "
                         "begins with data:image/png;base64,")
    try:
        content = base64.b64decode(body, validate=True)
    except ValueError as error:
        raise ValueError("The drawing is not a picture that can be read: what follows "
                         "data:image/png;base64, is no base64.") from error
    return _read(content)


def _grey(image: Image.Image) -> UInt8[np.ndarray, "h w"]:
    return np.asarray(image.convert("L"))


def _read(content: bytes) -> Image.Image:
    if not content:
        raise ValueError("The file is empty and not a picture that can be read; send it again.")
    kind = _other_format(content)
    if kind:
        raise ValueError(f"The file is {kind}, which is not read here; {_INSTEAD}.")
    name = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `_check` is stricter than Pillow's of size
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                name = "JPEG" if image.format == "MPO" else image.format
                _check(image)
                return _plain(image)
    except Image.DecompressionBombError as error:
        raise ValueError("The picture unpacks to too many pixels; send a smaller one.") from error
    except _Refusal as refusal:
        raise ValueError(str(refusal)) from refusal
    except UnidentifiedImageError as error:
        raise ValueError(
            "The file is not a picture that can be read; send a PNG, JPEG or WebP."
        ) from error
    except Exception as error:  # a damaged picture raises whatever it likes
        raise ValueError(f"The {name or 'picture'} is cut off or damaged and cannot be read; send "
                         "it again.") from error


class _Refusal(Exception):
    """What is wrong with a whole picture, in plain words."""


def _other_format(content: bytes) -> str:
    """What a file is that is no picture read here, by its first bytes; empty if they do not say."""
    head = content[:1024]
    if head[4:8] == b"ftyp":
        compatible = {head[i : i + 4] for i in range(16, min(int.from_bytes(head[:4]), 64), 4)}
        if {b"avif", b"avis"} & compatible:
            return _BRANDS[b"avif"]
        return _BRANDS.get(head[8:12], "a video")
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"<svg") or (text.startswith((b"<?xml", b"<!--", b"<!doctype svg"))
                                    and b"<svg" in text):
        return "an SVG drawing"
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    return next((kind for magic, kind in _OTHERS if head.startswith(magic)), "")


def _check(image: Image.Image) -> None:
    """Refuse what a header promises and is not read."""
    width, height = image.size
    jpeg = image.format in ("JPEG", "MPO")
    if width * height > (_MAX_PIXELS_JPEG if jpeg else _MAX_PIXELS):
        raise _Refusal(f"The picture has {width} x {height} pixels, too many; send a smaller one.")
    if min(width, height) < _MIN_SIDE:
        raise _Refusal(
            f"The picture has {width} x {height} pixels; it needs at least {_MIN_SIDE} each way."
        )
    if not jpeg and getattr(image, "n_frames", 1) > 1:
        pages = "has several pages" if image.format == "TIFF" else "is animated"
        raise _Refusal(f"The picture {pages}; save one of them as PNG or JPEG.")


def _plain(image: Image.Image) -> Image.Image:
    """A checked picture as 8-bit sRGB, upright, on white."""
    if image.format in ("JPEG", "MPO"):
        image.draft(image.mode, _DECODED)
        if image.size[0] * image.size[1] > _MAX_PIXELS:
            image.draft(image.mode, (1, 1))  # an odd shape: as small as there is
    image.load()
    profile = image.info.get("icc_profile")
    turned = _upright(image)
    if turned.mode.startswith("I") or turned.mode == "F":
        turned = _eight_bits(turned, image.format)
    if "A" in turned.getbands() or "a" in turned.getbands() or "transparency" in turned.info:
        layer = turned.convert("RGBA")
        colour = _in_srgb(layer.convert("RGB"), profile)
        white = Image.new("RGB", layer.size, "white")
        white.paste(colour, mask=layer.getchannel("A"))
        return white
    return _in_srgb(turned, profile)


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a damaged note of the camera's raises whatever it likes, and turns nothing
        return image


def _eight_bits(image: Image.Image, kind: str | None) -> Image.Image:
    """Grey of 16 or 32 bits, or float, as 8 bits; a value that means transparent becomes so."""
    values: Shaped[np.ndarray, "h w"] = np.asarray(image)
    highest, lowest = float(values.max()), float(values.min())
    if not np.isfinite([highest, lowest]).all() or lowest < 0:
        raise _Refusal("The picture holds values below 0 or that are no numbers; save it with 8 "
                       "bits a colour and send that.")
    if image.mode.startswith("I;16") or (image.mode == "I" and kind == "PNG"):
        most = 65535.0
    else:
        steps = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        most = next((step for step in steps if highest <= step), highest)
    grey = Image.fromarray(np.rint(values.astype(np.float64) * (255 / most)).astype(np.uint8))
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    return grey


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB by the picture's colour profile; one that is damaged or of another kind says nothing."""
    image = image.convert("RGB") if profile and image.mode == "P" else image
    space = {"RGB": "RGB ", "CMYK": "CMYK", "L": "GRAY"}.get(image.mode)
    if profile and space:
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if own.profile.xcolor_space == space:
                srgb = ImageCms.createProfile("sRGB")
                converted = ImageCms.profileToProfile(image, own, srgb, outputMode="RGB")
                return image.convert("RGB") if converted is None else converted
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return image.convert("RGB")
