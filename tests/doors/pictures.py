"""Pictures as cameras, scanners and programs leave them, each beside the plain 8-bit file."""

import io
import struct

import numpy as np
from PIL import Image

from tests.doors.case import Case

SIDE = (96, 64)  # width, height


def scene():
    """A smooth picture in colour, so that JPEG loses little of it."""
    rng = np.random.default_rng(0)
    small = rng.integers(30, 226, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(SIDE, Image.Resampling.BICUBIC)


def grey():
    return scene().convert("L")


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def scan():
    """16-bit grey whose values lie from 12,000 to 40,000, and the 8-bit file of it."""
    ramp = np.linspace(12_000, 40_000, SIDE[0] * SIDE[1]).reshape(SIDE[1], SIDE[0])
    deep = ramp.astype(np.uint16)
    return encoded(Image.fromarray(deep), "PNG"), Image.fromarray(np.rint(deep / 257).astype("u1"))


def deep(kind):
    return encoded(Image.fromarray(np.asarray(grey(), np.uint16) * 257), kind)


def floating(scale):
    return encoded(Image.fromarray((np.asarray(grey()) / 255 * scale).astype(np.float32)), "TIFF")


def clear():
    """Grey with alpha: the left half is transparent, hence white."""
    alpha = Image.new("L", SIDE, 255)
    alpha.paste(0, (0, 0, SIDE[0] // 2, SIDE[1]))
    image = grey()
    image.putalpha(alpha)
    plain = grey()
    plain.paste(255, (0, 0, SIDE[0] // 2, SIDE[1]))
    return encoded(image, "PNG"), plain


def two_pictures():
    """A phone's JPEG with a second picture inside."""
    buffer = io.BytesIO()
    scene().save(buffer, "MPO", quality=95, save_all=True, append_images=[Image.new("RGB", SIDE)])
    return buffer.getvalue()


def exchanged():
    """A colour profile in which red and green have changed places: matrix, gamma 1, D50."""
    red, green, blue = (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)

    def xyz(values):
        return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in values))

    srgb = b"para" + bytes(4) + struct.pack(
        ">HH5i", 3, 0, *(round(v * 65536) for v in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92,
                                                    0.04045)))
    tags = {b"rXYZ": xyz(green), b"gXYZ": xyz(red), b"bXYZ": xyz(blue), b"rTRC": srgb,
            b"gTRC": srgb, b"bTRC": srgb, b"wtpt": xyz((0.9642, 1.0, 0.8249))}
    body, table = b"", b""
    start = 132 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data
    size = start + len(body)
    head = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x04300000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + body


def profiled():
    red, green, blue = scene().split()
    return (encoded(scene(), "PNG", icc_profile=exchanged()),
            Image.merge("RGB", (green, red, blue)))


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(scene(), "JPEG", quality=95, exif=exif), scene().rotate(-90, expand=True)


def large(width, height):
    """A photo of so many pixels within the byte limit."""
    return encoded(grey().resize((width, height), Image.Resampling.NEAREST), "JPEG", quality=30)


def same(make):
    return lambda: (make(), scene())


def same_grey(make):
    return lambda: (make(), grey())


def brand(name, *others):
    box = b"ftyp" + name + bytes(4) + b"".join(others)
    return struct.pack(">I", 4 + len(box)) + box + bytes(64)


# made gives the file and the plain picture; truth is the largest mean difference in levels
TAKEN = (
    Case("8-bit PNG, JPEG, WebP, BMP, GIF, TIFF", same(lambda: encoded(scene(), "PNG")), 0.0,
         "as it is"),
    Case("16-bit grey PNG", same_grey(lambda: deep("PNG")), 0.0, "divided by 257"),
    Case("a 16-bit scan whose values lie in 12,000–40,000", scan, 0.0, "divided by 257"),
    Case("16-bit grey TIFF", same_grey(lambda: deep("TIFF")), 0.0, "divided by 257"),
    Case("32-bit float TIFF of 0–1", same_grey(lambda: floating(1.0)), 0.0, "times 255"),
    Case("32-bit float TIFF of 0–255 or 0–65535", same_grey(lambda: floating(255.0)), 0.0,
         "scaled to 0–255"),
    Case("1-bit PNG", lambda: (encoded(grey().convert("1"), "PNG"), grey().convert("1")), 0.0,
         "black and white"),
    Case("palette PNG",
         lambda: (encoded(scene().quantize(64), "PNG"), scene().quantize(64).convert("RGB")), 0.0,
         "its colours"),
    Case("CMYK JPEG", same(lambda: encoded(scene().convert("CMYK"), "JPEG", quality=95)), 3.0,
         "RGB"),
    Case("grey JPEG", same_grey(lambda: encoded(grey(), "JPEG", quality=95)), 2.0, "grey"),
    Case("grey with alpha", clear, 0.0, "on white"),
    Case("a phone's JPEG with a second picture inside (MPO)", same(two_pictures), 3.0,
         "the first picture"),
    Case("a colour profile (ICC)", profiled, 2.0, "sRGB by the profile"),
    Case("a damaged colour profile", same(lambda: encoded(scene(), "PNG", icc_profile=b"none")),
         0.0, "without it"),
    Case("EXIF that turns", turned, 3.0, "upright"),
    Case("a photo of 48 megapixels", same_grey(lambda: large(8000, 6000)), 4.0,
         "decoded at half its size"),
    Case("a photo of 108 megapixels", same_grey(lambda: large(12_000, 9000)), 4.0,
         "decoded at a half or less"),
)

REFUSED = (
    Case("HEIC", lambda: brand(b"heic", b"mif1", b"heic"),
         refused="is a HEIC picture, which is not read here; save or export it as JPEG or PNG"),
    Case("AVIF", lambda: encoded(scene(), "AVIF"), refused="is an AVIF picture"),
    Case("AVIF by its compatible brands", lambda: brand(b"mif1", b"mif1", b"avif"),
         refused="is an AVIF picture"),
    Case("a video", lambda: brand(b"isom", b"mp42"), refused="is a video"),
    Case("SVG", lambda: b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>',
         refused="is an SVG drawing"),
    Case("PDF", lambda: b"%PDF-1.7\n", refused="is a PDF document"),
    Case("a web page", lambda: b"<!DOCTYPE html><html></html>", refused="is a web page"),
    Case("a JPEG that is cut off", lambda: encoded(scene(), "JPEG")[:900],
         refused="The JPEG is cut off or damaged"),
    Case("a PNG that is cut off", lambda: encoded(scene(), "PNG")[:900],
         refused="The PNG is cut off or damaged"),
    Case("an animation", lambda: encoded(scene(), "GIF", save_all=True, append_images=[grey()]),
         refused="is animated; save one"),
    Case("a TIFF of several pages",
         lambda: encoded(scene(), "TIFF", save_all=True, append_images=[grey()]),
         refused="has several pages; save one"),
    Case("floats below 0", lambda: floating(-1.0), refused="holds values below 0"),
    Case("a JPEG of more than 120 megapixels, another picture of more than 40",
         lambda: encoded(Image.new("1", (7000, 7000)), "PNG"), refused="too many; send a smaller"),
    Case("fewer than 16 pixels each way", lambda: encoded(Image.new("L", (15, 200)), "PNG"),
         refused="it needs at least 16 each way"),
    Case("an empty file", lambda: b"", refused="The file is empty"),
    Case("text", lambda: b"I am not a picture.", refused="not a picture that can be read"),
)
