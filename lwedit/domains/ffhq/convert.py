"""Published checkpoints -> the folder of the ffhq domain, as safetensors with sizes in the header.

The file's SHA-256 is written into the header of what is made from it (`source_sha256`), and
compared with those that are recorded elsewhere (`lwedit.domains.ffhq.files`): a match says that the
file is the one that others use, anything else is for the user to confirm.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_file

from lwedit.domains.ffhq.files import ENCODER, GENERATOR, SOURCES, default_folder
from lwedit.generators.checkpoints import generator_metadata
from lwedit.generators.foreign import read_foreign
from lwedit.generators.rosinality import from_rosinality
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
        checkpoint: rosinality, pSp or e4e `.pt`; read without running code in it.
        folder: Where to; `default_folder()` by default.

    Raises:
        ValueError: In one line, if the checkpoint is none, or of another architecture.
    """
    checkpoint = Path(checkpoint)
    folder = default_folder() if folder is None else Path(folder)
    held = read_foreign(checkpoint)
    with checkpoint.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    source = {"source": checkpoint.name, "source_sha256": digest}
    try:
        generator = from_rosinality(held.generator, held.latent_avg)
        made = {GENERATOR: (generator, generator_metadata(generator.config))}
        if held.encoder:
            encoder = from_published(held.encoder, held.latent_avg, held.options)
            made[ENCODER] = (encoder, psp_metadata(encoder.config))
    except ValueError as error:
        raise ValueError(f"{checkpoint} must be StyleGAN2, pSp or e4e: {error}") from error
    folder.mkdir(parents=True, exist_ok=True)
    for name, (network, metadata) in made.items():
        _write(network, metadata | source, folder / name)
    return Conversion(tuple(folder / name for name in made), digest, origin(digest))


def origin(digest: str) -> str:
    """What the SHA-256 of a checkpoint says."""
    for source in SOURCES:
        if source.sha256 == digest:
            seen = "another public repository records" if source.witnesses == 1 else (
                f"{source.witnesses} other public repositories record")
            return f"It is the one that {seen} for {source.name}."
    return "It is not one that is known here: compare it with a source that you trust."


def _write(network: torch.nn.Module, metadata: dict[str, str], path: Path) -> None:
    """Aside, then renamed."""
    temporary = path.with_suffix(".tmp")
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(state, temporary, metadata)
    temporary.replace(path)
