"""Command: draw faces for annotators, `python -m training.faces.sheets --out DIR`.

Codes come from a seed of their own, so no sheet repeats a face of labels.csv. A sheet holds 8 x 6
faces at twice their size with their numbers above them, as the first annotators saw theirs.
`--known` draws faces of labels.csv instead, to measure how far two annotators agree, `--heldout`
the faces that both judges are measured on, `--headwear` those of labels_headwear.csv.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw
from torch import Tensor
from tqdm import tqdm

from lwedit.domains.faces import ASSETS
from lwedit.generators.dcgan import load_dcgan
from lwedit.judges.faces import FACE_ATTRIBUTES
from lwedit.vocabulary import from_unit_range
from training.faces.labels import face_codes, load_parts

_COLUMNS, _ROWS, _SIDE, _HEAD, _GAP = 8, 6, 128, 16, 2


def draw_sheet(pixels: UInt8[np.ndarray, "n 3 64 64"], numbers: list[int]) -> Image.Image:
    """Faces in rows, each under its number."""
    width, height = _SIDE + _GAP, _SIDE + _HEAD + _GAP
    page = Image.new("RGB", (_COLUMNS * width, _ROWS * height), "white")
    pen = ImageDraw.Draw(page)
    for i, face in enumerate(pixels):
        left, top = i % _COLUMNS * width, i // _COLUMNS * height
        picture = Image.fromarray(face.transpose(1, 2, 0)).resize((_SIDE, _SIDE), Image.BICUBIC)
        page.paste(picture, (left, top + _HEAD))
        pen.text((left + 2, top + 2), str(numbers[i]), fill="black")
    return page


@torch.no_grad()
def draw_sheets(z: Float[Tensor, "n dim"], out: Path, sheets: range, names: list[int]) -> None:
    """Write one picture a sheet into a folder.

    Args:
        z: Codes of all faces.
        out: The folder.
        sheets: Sheets wanted; sheet i shows faces 48 i to 48 i + 47.
        names: Number written above each face.

    Raises:
        ValueError: If there are no faces for the last sheet.
    """
    size = _COLUMNS * _ROWS
    if sheets.start < 0 or (sheets.stop - 1) * size >= len(z):
        raise ValueError(f"sheets must lie in 0 to {(len(z) - 1) // size}, got {sheets}.")
    generator = load_dcgan(ASSETS / "generator.safetensors")
    out.mkdir(parents=True, exist_ok=True)
    for number in tqdm(sheets, "sheets"):
        shown = slice(number * size, (number + 1) * size)
        page = draw_sheet(from_unit_range(generator(z[shown, None])), names[shown])
        page.save(out / f"sheet_{number:02d}.png")


def main() -> None:
    """Parse the command line and draw."""
    parser = argparse.ArgumentParser(
        prog="python -m training.faces.sheets", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--first", type=int, default=0, help="sheet to begin with")
    parser.add_argument("--sheets", type=int, default=48)
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--known", action="store_true", help="faces of labels.csv")
    shown.add_argument("--heldout", action="store_true", help="those of them that are held out")
    shown.add_argument("--headwear", action="store_true", help="faces of labels_headwear.csv")
    args = parser.parse_args()
    z = face_codes(2 if args.headwear else 0 if args.known or args.heldout else 1)
    names = list(range(len(z)))
    if args.headwear:
        with (ASSETS / "labels_headwear.csv").open(newline="") as file:
            names = [int(row["index"]) for row in csv.DictReader(file)]
    if args.heldout:
        names = load_parts(ASSETS, FACE_ATTRIBUTES)["heldout"].index.sort().values.tolist()
    draw_sheets(z[names], args.out, range(args.first, args.first + args.sheets), names)


if __name__ == "__main__":
    main()
