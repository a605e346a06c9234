"""Checkpoints that other projects publish, read without running code in them.

Five layouts are known:

    rosinality   {"g_ema": generator, "latent_avg": (512,), ...}, from github.com/rosinality/
                 stylegan2-pytorch; those trained there hold no latent_avg
    pSp, e4e     {"state_dict": {"encoder.*", "decoder.*"}, "opts": {...}, "latent_avg":
                 (layers, 512)}, whose decoder is a rosinality generator
    bare         the generator's state alone, {"style.1.weight", ...}, or under another key
    NVIDIA       a .pkl of {"G_ema": module, ...}, or in TensorFlow of (G, D, Gs)
    NVIDIA bare  the state of such a module, {"synthesis.b4.const", ...}, by torch.save

Such a file is a pickle, which may hold any program. It is read as data
(`lwedit.generators.torch_files`): tensors, containers, numbers, paths, and modules as what they
hold. Prefixes of parallel training (`module.`) are dropped; optimisers, discriminators and what
else lies beside are not looked at. What comes out is plain tensors, of which `foreign_generator`
makes a generator.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lwedit.generators.nvidia import Published, from_nvidia, network_state
from lwedit.generators.pickles import Saved
from lwedit.generators.rosinality import from_rosinality
from lwedit.generators.stand_ins import plain
from lwedit.generators.storages import as_tensor
from lwedit.generators.stylegan2 import Generator
from lwedit.generators.torch_files import read_torch_file

__all__ = ["ForeignCheckpoint", "foreign_generator", "one_line", "read_foreign"]

_ROSINALITY, _NVIDIA = "style.1.weight", "synthesis.b4.const"
_HOLDERS = ("g_ema", "G_ema", "params_ema", "generator", "state_dict", "model", "g", "G")


@dataclass(frozen=True)
class ForeignCheckpoint:
    """What a published file holds.

    Attributes:
        generator: State of a generator in rosinality's or NVIDIA's names.
        latent_avg: Mean code, (dim,) or (layers, dim), where the file has one.
        encoder: State of a pSp or e4e encoder, empty if there is none.
        options: What the encoder was trained with.
        clamp: Bound of the generator's activations, infinity if there is none.
    """

    generator: dict[str, Tensor]
    latent_avg: Tensor | None = None
    encoder: dict[str, Tensor] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    clamp: float = math.inf


def read_foreign(path: Path) -> ForeignCheckpoint:
    """Read a published checkpoint.

    Args:
        path: A .pt or .pkl file in one of the five layouts.

    Raises:
        ValueError: In one line, if the file is missing, a web page, truncated, asks for more than
            data, or is of another layout.
    """
    path = Path(path)
    held = read_torch_file(path)
    try:
        return _recognised(held)
    except ValueError as error:
        raise ValueError(f"{path} must be a checkpoint that is known: {one_line(error)}") from error
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError) as error:
        raise ValueError(f"{path} must be a checkpoint that is known, its parts do not fit.") from (
            error)


def foreign_generator(held: ForeignCheckpoint) -> Generator:
    """The generator of a checkpoint, frozen, in evaluation mode.

    Args:
        held: Of either naming; the mean code is estimated if there is none.

    Raises:
        ValueError: If it is of another architecture.
    """
    if _NVIDIA in held.generator:
        return from_nvidia(Published(held.generator, held.clamp))
    return from_rosinality(held.generator, held.latent_avg)


def one_line(error: Exception) -> str:
    """What an error says, without line breaks that a file may have put into it."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(error)[:400]).split())


def _recognised(held: Any) -> ForeignCheckpoint:  # noqa: ANN401
    """The layout that a file has.

    Raises:
        ValueError: If it has none that is known.
    """
    if isinstance(held, tuple) and len(held) == 3:
        return _of_nvidia(held[2])
    if not isinstance(held, dict):
        kind = "an object" if isinstance(held, Saved) else type(held).__name__
        raise ValueError(f"it must hold a dictionary, got {kind}.")
    if isinstance(network := held.get("G_ema"), Saved):
        return _of_nvidia(network)
    average = held.get("latent_avg")
    if isinstance(state := held.get("state_dict"), dict):
        state = _tensors(state)
        if any(name.startswith("hypernet.") for name in state):
            raise ValueError("it is HyperStyle's, whose hypernetwork is not supported.")
        if decoder := _part(state, "decoder."):
            average = state.get("latent_avg") if average is None else average
            encoder = _part(state, "encoder.")
            return _checkpoint(decoder, average, encoder, _options(held) if encoder else {})
    for state in (held, *(held.get(name) for name in _HOLDERS)):
        if isinstance(state, dict):
            tensors = _tensors(state)
            if _ROSINALITY in tensors or _NVIDIA in tensors:
                return _checkpoint(tensors, average)
    if isinstance(state := held.get("g_ema"), dict):  # its first missing entry will be named
        return _checkpoint(_tensors(state), average)
    names = ", ".join(sorted(str(name)[:40] for name in held if isinstance(name, str))[:6])
    raise ValueError(
        "it must hold 'g_ema' (StyleGAN2 by rosinality), 'G_ema' (by NVIDIA) or 'state_dict' with "
        f"'decoder.*' (pSp, e4e), it holds {names or 'nothing'}."
    )


def _options(held: Mapping[str, Any]) -> dict[str, Any]:
    """What an encoder was trained with.

    Raises:
        ValueError: If it does not say whether the encoder is pSp's or e4e's, which have the same
            keys and do not mean the same.
    """
    options = plain(held.get("opts"))
    options = options if isinstance(options, dict) else {}
    if "encoder_type" not in options:
        if not {"w_discriminator_lambda", "progressive_steps"} & options.keys() and (
                "discriminator_state_dict" not in held):
            raise ValueError("opts must name encoder_type, which tells pSp's and e4e's apart.")
        return options | {"encoder_type": "Encoder4Editing"}
    return options


def _of_nvidia(network: Any) -> ForeignCheckpoint:  # noqa: ANN401
    published = network_state(network)
    return ForeignCheckpoint(published.state, published.state.get("mapping.w_avg"),
                             clamp=published.clamp)


def _checkpoint(
    generator: dict[str, Tensor],
    average: Any,  # noqa: ANN401
    encoder: dict[str, Tensor] | None = None,
    options: Mapping[str, Any] | None = None,
) -> ForeignCheckpoint:
    """A checkpoint whose mean lies beside or inside the generator's state, or nowhere.

    Raises:
        ValueError: If the mean is no tensor.
    """
    inside = generator.pop("latent_avg", None)
    mean = inside if average is None else average
    if mean is not None and not isinstance(mean, Tensor):
        kind, mean = type(mean).__name__, _mean(mean)
        if mean is None:
            raise ValueError(f"latent_avg must be a tensor or an array, got {kind}.")
    options = {name: plain(value) for name, value in (options or {}).items()}
    return ForeignCheckpoint(generator, mean, encoder or {}, options)


def _mean(value: Any) -> Float[Tensor, "..."] | None:  # noqa: ANN401
    """A mean code as a tensor, an array or a list of numbers."""
    if isinstance(value, list) and value and all(isinstance(n, float) for n in value):
        return torch.tensor(value)
    return as_tensor(value)


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if name.startswith(prefix)
    }


def _tensors(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Tensors by their names, without what parallel training puts before them."""
    found = {}
    for name, value in state.items():
        if isinstance(name, str) and (tensor := as_tensor(value)) is not None:
            found[".".join(part for part in name.split(".") if part != "module")] = tensor
    return found
