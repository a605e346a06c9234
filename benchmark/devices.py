"""Where a run computes: the CPU, or a CUDA device where there is one."""

from copy import deepcopy
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor, nn

__all__ = ["check_device", "move_domain"]

Domain = TypeVar("Domain")


def check_device(name: str) -> torch.device:
    """The device of that name.

    Raises:
        ValueError: If it is unknown, or not to be had here.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device must be cpu or cuda, got {name!r}.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device must be one that is here, got {name!r} and torch "
                         f"{torch.__version__} sees no CUDA device; leave --device out.")
    return device


def move_domain(domain: Domain, device: torch.device) -> Domain:
    """A domain whose networks and tensors lie on a device; on the CPU, the domain as it is.

    Args:
        domain: A dataclass of networks, tensors and plain values.
        device: Where they should be.
    """
    if device.type == "cpu" or not is_dataclass(domain):
        return domain
    held = {field.name: getattr(domain, field.name) for field in fields(domain) if field.init}
    moved = {
        name: deepcopy(value).to(device)
        for name, value in held.items()
        if isinstance(value, nn.Module | Tensor)
    }
    return replace(domain, **moved)  # type: ignore[type-var]  # checked above
