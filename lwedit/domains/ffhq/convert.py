"""Published checkpoints -> the folder of the ffhq domain, as safetensors with sizes in the header.

The file's SHA-256 is written into the header of what is made from it (`source_sha256`), and
compared with those that are recorded elsewhere (`lwedit.domains.ffhq.files`): a match says that the
file is the one that others use, anything else is for the user to confirm.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import nn

from lwedit.domains.ffhq.files import ENCODER, GENERATOR, SOURCES, default_folder
from lwedit.generators.checkpoints import generator_metadata
from lwedit.generators.foreign import foreign_generator, one_line, read_foreign
from lwedit.inversion.psp import from_published, psp_metadata

__all__ = ["Conversion", "convert", "origin"]


class Conversion(NamedTuple):
    """What was written.

    Attributes:
        written: Files.
        sha256: Of the checkpoint.
        about: What its hash says, for people.
    """

    written: tuple[Path, ...]
    sha256: str
    about: str


def convert(checkpoint: Path, folder: Path | None = None) -> Conversion:
    """Write generator.safetensors, and encoder.safetensors where the checkpoint has an encoder.

    Args:
        checkpoint: `.pt` of rosinality, pSp or e4e, or NVIDIA's `.pkl`; read without running code
            in it.
        folder: Where to; `default_folder()` by default.

    Raises:
        ValueError: In one line, if the checkpoint is none, or of another architecture, or the
            folder cannot be written; nothing is then left in it.
    """
    checkpoint = Path(checkpoint)
    folder = default_folder() if folder is None else Path(folder)
    held = read_foreign(checkpoint)
    with checkpoint.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    source = {"source": checkpoint.name, "source_sha256": digest}
    try:
        generator = foreign_generator(held)
        made: dict[str, tuple[nn.Module, dict[str, str]]] = {
            GENERATOR: (generator, generator_metadata(generator.config))
        }
        if held.encoder:
            mean = generator.w_mean if held.latent_avg is None else held.latent_avg
            encoder = from_published(held.encoder, mean, held.options)
            made[ENCODER] = (encoder, psp_metadata(encoder.config))
    except ValueError as error:
        raise ValueError(
            f"{checkpoint} must be StyleGAN2, pSp or e4e: {one_line(error)}"
        ) from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write({folder / name: (network, metadata | source)
                for name, (network, metadata) in made.items()})
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{folder} must be a folder to write in: {one_line(error)}") from error
    return Conversion(tuple(folder / name for name in made), digest, origin(digest))


def origin(digest: str) -> str:
    """What the SHA-256 of a checkpoint says."""
    for source in SOURCES:
        if source.sha256 == digest:
            seen = "another public repository records" if source.witnesses == 1 else (
                f"{source.witnesses} other public repositories record")
            return f"It is the one that {seen} for {source.name}."
    return "It is not one that is known here: compare it with a source that you trust."


def _write(files: Mapping[Path, tuple[torch.nn.Module, dict[str, str]]]) -> None:
    """All aside, then all renamed; what is aside is removed if one cannot be written."""
    aside = {path.with_suffix(".tmp"): path for path in files}
    try:
        for temporary, path in aside.items():
            network, metadata = files[path]
            state = {name: value.contiguous() for name, value in network.state_dict().items()}
            save_file(state, temporary, metadata)
        for temporary, path in aside.items():
            temporary.replace(path)
    finally:
        for temporary in aside:
            temporary.unlink(missing_ok=True)
