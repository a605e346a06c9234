"""Files of the ffhq domain: where they lie, where they come from, and the door that arrays pass.

Authors of these weights publish no hashes. Those below are what other public repositories record
for the same file (Git LFS pointers, tables of assets); `witnesses` counts how many were seen, so a
file that matches is the one that others use, and one that does not is for the user to confirm.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lwedit.data import labels
from lwedit.data.arrays import read_array
from lwedit.shipped import default_cache

__all__ = [
    "CELEBA_ATTRIBUTES",
    "CODES",
    "EDITORS",
    "ENCODER",
    "GENERATOR",
    "JUDGE",
    "LABELS",
    "SOURCES",
    "Source",
    "default_folder",
    "guide",
    "missing",
    "read_codes",
    "read_labels",
    "remedy",
]

GENERATOR, ENCODER, JUDGE = "generator.safetensors", "encoder.safetensors", "judge.safetensors"
CODES, LABELS, EDITORS = "celebahq_dlatents_psp.npy", "celebahq_anno.npy", "editors"
# The order of list_attr_celeba.txt (Liu et al., ICCV 2015), and of LT's labels.
CELEBA_ATTRIBUTES = (
    "5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs",
    "Big_Lips", "Big_Nose", "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows",
    "Chubby", "Double_Chin", "Eyeglasses", "Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones",
    "Male", "Mouth_Slightly_Open", "Mustache", "Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin",
    "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks", "Sideburns", "Smiling", "Straight_Hair",
    "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick", "Wearing_Necklace",
    "Wearing_Necktie", "Young",
)


class Source(NamedTuple):
    """A published file.

    Attributes:
        name: Of the file.
        gives: What it is converted to, or what it is.
        page: The project that publishes it.
        terms: Under which it may be used, in short.
        size: Bytes, 0 if not known.
        sha256: Recorded by other public repositories, empty if none was found.
        witnesses: How many of them.
    """

    name: str
    gives: tuple[str, ...]
    page: str
    terms: str
    size: int = 0
    sha256: str = ""
    witnesses: int = 0


SOURCES = (
    Source(
        "psp_ffhq_encode.pt", (GENERATOR, ENCODER),
        "https://github.com/eladrich/pixel2style2pixel (Pretrained Models, StyleGAN Inversion)",
        "Code MIT; the generator in it is NVIDIA's, for non-commercial use", 1_201_515_631,
        "f786ac5cf18fcdbc5c57c9f3f12cbedca69381fbdf5694dd132294e3133749d7", 1,
    ),
    Source(
        "e4e_ffhq_encode.pt", (GENERATOR, ENCODER),
        "https://github.com/omertov/encoder4editing (Pretrained Models, FFHQ Inversion)",
        "Code MIT; the generator in it is NVIDIA's, for non-commercial use", 1_201_649_680,
        "2ace1d9a8c05c10a399bcd500b8dda118f759ff1aac89dbdab7435f2136a0999", 2,
    ),
    Source(
        "stylegan2-ffhq-config-f.pt", (GENERATOR,),
        "https://github.com/rosinality/stylegan2-pytorch (linked there; made from NVIDIA's "
        "stylegan2-ffhq-config-f.pkl, https://github.com/NVlabs/stylegan2)",
        "Nvidia Source Code License, non-commercial", 381_462_551,
        "bae494ef77e32a9cd1792a81a3c167692a0e64f6bcd8b06592ff42917e2ed46e", 1,
    ),
    Source(
        "ffhq.pkl", (GENERATOR,),
        "https://github.com/NVlabs/stylegan2-ada-pytorch (pretrained; stylegan2-ffhq-config-f.pkl "
        "of https://github.com/NVlabs/stylegan2 is read as well)",
        "Nvidia Source Code License, non-commercial",
    ),
    Source(
        CODES, (CODES,), "https://github.com/InterDigitalInc/latent-transformer (Training)",
        "InterDigital's licence; CelebA-HQ is for non-commercial research",
    ),
    Source(
        LABELS, (LABELS,), "https://github.com/InterDigitalInc/latent-transformer (Training)",
        "CelebA's, non-commercial research",
    ),
)


def default_folder() -> Path:
    """$LWEDIT_FFHQ, or ffhq in the cache of codes."""
    return Path(os.environ.get("LWEDIT_FFHQ") or default_cache() / "ffhq")


def missing(folder: Path | None = None) -> tuple[str, ...]:
    """Which of the two files that photos need are not in the folder."""
    folder = default_folder() if folder is None else folder
    return tuple(name for name in (GENERATOR, ENCODER) if not (folder / name).is_file())


def guide(names: Sequence[str] = (GENERATOR, ENCODER)) -> str:
    """How to get files, as Markdown.

    Args:
        names: Of the folder's files.
    """
    lines = []
    for source in SOURCES:
        gives = [name for name in source.gives if name in names]
        if gives:
            known = f", SHA-256 `{source.sha256}`" if source.sha256 else ", no hash is known"
            size = f", {source.size:,} bytes" if source.size else ""
            made = f" gives {' and '.join(f'`{name}`' for name in gives)}"
            made = "" if gives == [source.name] else made
            lines.append(f"- `{source.name}`{made}: {source.page}. {source.terms}{size}{known}.")
    return "\n".join(lines)


def remedy(names: Sequence[str]) -> str:
    """How to get files, in one line for an error.

    Args:
        names: Of the folder's files.
    """
    wanted = [source for source in SOURCES if set(source.gives) & set(names)]
    files = " or ".join(source.name for source in wanted if source.name not in names)
    run = f"Download {files} and run python -m lwedit.domains.ffhq convert FILE; " if files else ""
    return f"{run}python -m lwedit.domains.ffhq says where it comes from."


def read_codes(path: Path, layers: int, dim: int, rows: slice) -> Float[Tensor, "n layers dim"]:
    """Some rows of LT's published codes; the others are not read.

    Args:
        path: .npy, floats (n, layers, dim).
        layers: Codes an image, of the generator.
        dim: Length of each.
        rows: Which.

    Raises:
        ValueError: If the file is not an array of finite codes of this generator's shape.
    """
    array = read_array(path, "codes")
    if array.dtype.kind != "f" or array.ndim != 3 or array.shape[1:] != (layers, dim):
        raise ValueError(
            f"codes must be floats of shape (n, {layers}, {dim}), as the generator takes them, got "
            f"{array.dtype} {array.shape} in {path}."
        )
    w = torch.from_numpy(np.array(array[rows], np.float32))
    bad = ~w.isfinite().flatten(1).all(dim=1)
    if bad.any():
        raise ValueError(f"codes must be finite, {int(bad.sum())} in {path} are not.")
    return w


def read_labels(path: Path) -> Int64[Tensor, "n 40"]:
    """LT's published labels, or any table or array of CelebA's forty (`lwedit.data.labels`).

    Raises:
        ValueError: If the file does not hold labels of the forty attributes.
    """
    y, names, _ = labels.read_labels(path)
    columns = len(CELEBA_ATTRIBUTES)
    if set(names) == set(CELEBA_ATTRIBUTES):
        return y[:, [names.index(name) for name in CELEBA_ATTRIBUTES]]
    if y.shape[1] != columns or not names[0].startswith("attribute_"):
        raise ValueError(
            f"labels must have shape (n, {columns}), in the order of CelebA's attributes or under "
            f"their names, got {tuple(y.shape)} in {path}."
        )
    return y
