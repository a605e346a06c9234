"""Checkpoints that other projects publish, read without running code in them.

Three layouts are known, all of them dictionaries that `torch.save` wrote:

    rosinality   {"g_ema": generator, "latent_avg": (512,), ...}, from github.com/rosinality/
                 stylegan2-pytorch; those trained there hold no latent_avg
    pSp, e4e     {"state_dict": {"encoder.*", "decoder.*"}, "opts": {...}, "latent_avg":
                 (layers, 512)}, whose decoder is a rosinality generator
    bare         the generator's state alone, {"style.1.weight", ...}

Such a file is a pickle, which may hold any program. It is opened by PyTorch's restricted reader
(`weights_only=True`), which builds tensors, containers and numbers and refuses everything else;
`argparse.Namespace`, in which training options are often kept, is let through as it holds data
only. A file that is a bare pickle, as NVIDIA publishes, is never opened. What comes out is plain
tensors; `lwedit.generators.rosinality` makes a generator of them.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

__all__ = ["ForeignCheckpoint", "read_foreign"]

_ZIP = b"PK\x03\x04"
_TORCH_BEFORE_ZIP = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # torch.save before 1.6
_LFS = b"version https://git-lfs"
_NVIDIA = (
    "it is a bare pickle, as NVIDIA publishes: reading one runs whatever code is in it, so it is "
    "never opened here. Convert it on a machine that you can do without, with convert_weight.py of "
    "github.com/rosinality/stylegan2-pytorch, and give the .pt that comes out"
)


@dataclass(frozen=True)
class ForeignCheckpoint:
    """What a published file holds.

    Attributes:
        generator: State of a rosinality generator.
        latent_avg: Mean code, (dim,) or (layers, dim), where the file has one.
        encoder: State of a pSp or e4e encoder, empty if there is none.
        options: What the encoder was trained with.
    """

    generator: dict[str, Tensor]
    latent_avg: Tensor | None = None
    encoder: dict[str, Tensor] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


def read_foreign(path: Path) -> ForeignCheckpoint:
    """Read a published checkpoint.

    Args:
        path: A .pt file in one of the three layouts.

    Raises:
        ValueError: In one line, if the file is missing, a web page, truncated, a bare pickle, holds
            objects that are not data, or is of another layout.
    """
    path = Path(path)
    held = _unpacked(path)
    if not isinstance(held, Mapping):
        raise ValueError(f"{path} must hold a dictionary, got {type(held).__name__}.")
    average = held.get("latent_avg")
    if average is not None and not isinstance(average, Tensor):
        raise ValueError(f"{path} must hold latent_avg as a tensor, got {type(average).__name__}.")
    if isinstance(state := held.get("state_dict"), Mapping):
        options = held.get("opts", {})
        options = vars(options) if isinstance(options, argparse.Namespace) else options
        if decoder := _part(state, "decoder."):
            return ForeignCheckpoint(decoder, average, _part(state, "encoder."), options or {})
    if isinstance(state := held.get("g_ema"), Mapping):
        return ForeignCheckpoint(_tensors(state), average)
    if "style.1.weight" in held:
        return ForeignCheckpoint(_tensors(held), average)
    names = ", ".join(sorted(map(str, held))[:6])
    raise ValueError(
        f"{path} must hold 'g_ema' (StyleGAN2 by rosinality) or 'state_dict' with 'decoder.*' "
        f"(pSp, e4e), it holds {names or 'nothing'}."
    )


def _unpacked(path: Path) -> Any:  # noqa: ANN401  (whatever the file holds)
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise ValueError(f"{path} must be a checkpoint: {error.strerror}.") from error
    fault = _fault(head)
    if fault:
        raise ValueError(f"{path} must be a checkpoint, and {fault}.")
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            zipped = head.startswith(_ZIP)  # mapped, not read: such files have a gigabyte
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except Exception as error:  # a damaged file raises whatever it likes
        text = str(error)
        if "nsupported" in text or "WeightsUnpickler" in text or "weights_only" in text:
            found = [word for word in text.replace("`", " ").split() if "." in word.strip(".")]
            named = next((f" ({w})" for w in found if w.replace(".", "").isidentifier()), "")
            raise ValueError(
                f"{path} must hold tensors and numbers only, it holds other objects{named}, which "
                "are not opened."
            ) from error
        raise ValueError(
            f"{path} must be a whole checkpoint, it is truncated or damaged: download it again."
        ) from error


def _fault(head: bytes) -> str:
    """What the first bytes say is wrong, if they do."""
    text = head.lstrip().lower()
    if not head:
        return "it is empty"
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return (
            "it is a web page: the download was refused or asked for a confirmation. Download it "
            "in a browser"
        )
    if head.startswith(_LFS):
        return "it is a Git LFS pointer, not the file: fetch it with git lfs pull"
    if head.startswith((_ZIP, _TORCH_BEFORE_ZIP)):
        return ""
    if head.startswith(b"\x80"):
        return _NVIDIA
    return "its first bytes are not those of a file by torch.save"


def _part(state: Mapping[str, Any], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in _tensors(state).items()
        if name.startswith(prefix)
    }


def _tensors(state: Mapping[str, Any]) -> dict[str, Tensor]:
    return {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
