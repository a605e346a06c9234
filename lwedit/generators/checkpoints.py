"""Generators and other networks in files: weights are .safetensors, and nothing is unpickled.

A generator's file carries its sizes in the header, so that the file alone rebuilds it; a flow
mapping, as large as the rest, lies in a file of its own beside it, `mapping.safetensors`. What is
stored in float16 to be shipped is read back as float32.
"""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from lwedit.generators.flow_mapping import FlowConfig
from lwedit.generators.stylegan2 import Generator, GeneratorConfig

__all__ = ["MAPPING_FILE", "generator_metadata", "load_generator", "load_weights"]

MAPPING_FILE = "mapping.safetensors"
_INTEGERS = ("size", "image_channels", "dim", "mapping_layers")


def generator_metadata(config: GeneratorConfig) -> dict[str, str]:
    """The header from which `load_generator` reads the sizes."""
    about = {name: str(getattr(config, name)) for name in (*_INTEGERS, "mapping_width")}
    if config.flow is not None:
        about["flow"] = json.dumps(asdict(config.flow))
    return about | {"channels": ",".join(str(c) for c in config.channels)}


def load_generator(path: Path) -> Generator:
    """A frozen generator in evaluation mode.

    Args:
        path: A .safetensors file whose header is `generator_metadata`.

    Raises:
        ValueError: If the file, or that of its flow beside it, is missing, damaged, has no such
            header, or its weights are not those of a generator of these sizes.
    """
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
        sizes = {name: int(about[name]) for name in _INTEGERS}
        sizes["mapping_width"] = int(about.get("mapping_width", 0))  # older files: as wide as w
        flow = FlowConfig(**json.loads(about["flow"])) if "flow" in about else None
        channels = tuple(int(c) for c in about["channels"].split(","))
        config = GeneratorConfig(channels=channels, flow=flow, **sizes)
    except KeyError as error:
        raise ValueError(f"{path} must name {error} in its header, as generators do.") from error
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        raise ValueError(f"{path} must be a generator's .safetensors file: {error}") from error
    generator = Generator(config)
    if config.flow is not None:
        load_weights(generator.mapping, path.with_name(MAPPING_FILE))
        load_weights(generator.synthesis, path)
        generator.eval()
    else:
        load_weights(generator, path)
    return generator.to(memory_format=torch.channels_last)


def load_weights(module: torch.nn.Module, path: Path) -> None:
    """Fill a network from a .safetensors file; it is frozen and in evaluation mode afterwards.

    Args:
        module: Network, changed in place.
        path: File with one tensor a parameter and buffer, floats of any precision.

    Raises:
        ValueError: If the file is missing, damaged, or of another architecture.
    """
    try:
        state = load_file(path)
        float32 = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
        module.load_state_dict(float32)
    except (OSError, SafetensorError, RuntimeError) as error:
        kind = type(module).__name__
        raise ValueError(f"{path} must hold the weights of {kind}: {error}") from error
    module.eval().requires_grad_(False)
