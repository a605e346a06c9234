"""A device that is not there: tensors that claim to lie on it refuse to meet those that do not.

A `Pretended` tensor holds a CPU tensor and claims the device "meta". Operations work on what it
holds; an operation that mixes it with a CPU tensor of one dimension or more fails, as it would on
a GPU. Positions may come from the CPU, as torch allows. Under `Pretending`, whatever is created on
or moved to that device becomes such a tensor.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

DEVICE = "meta"
aten = torch.ops.aten
# Source and destination may differ; index operations take positions from the CPU.
MIXED = {aten._to_copy.default, aten.copy_.default}
POSITIONS = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default,
             aten._index_put_impl_.default}


class Pretended(torch.Tensor):
    """A CPU tensor in disguise."""

    @staticmethod
    def __new__(cls, held):
        return torch.Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(),
            dtype=held.dtype, device=DEVICE, requires_grad=False,
        )

    def __init__(self, held):
        self.held = held

    __torch_function__ = torch._C._disabled_torch_function_impl

    def tolist(self):
        return self.held.tolist()

    def __repr__(self):
        return f"Pretended({self.held!r})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return carry_out(func, args, kwargs or {})


def carry_out(func, args, kwargs):
    tensors = []
    tree_map(lambda x: tensors.append(x) if isinstance(x, torch.Tensor) else None, (args, kwargs))
    wanted = kwargs.get("device")
    here = any(isinstance(x, Pretended) for x in tensors)
    if here and func not in MIXED:
        strangers = [x for x in tensors if not isinstance(x, Pretended) and x.dim()
                     and not (func in POSITIONS and x.dtype in (torch.long, torch.bool))]
        if strangers:
            raise RuntimeError(f"{func} meets tensors of two devices, {len(strangers)} on the CPU.")
    if wanted is not None:
        here = torch.device(wanted).type == DEVICE
        kwargs = kwargs | {"device": torch.device("cpu")}
    elif func is aten.copy_.default:
        here = isinstance(args[0], Pretended)
    bare = [tree_map(lambda x: x.held if isinstance(x, Pretended) else x, part)
            for part in (args, kwargs)]
    found = func(*bare[0], **bare[1])
    if func._schema.name.endswith("_") and isinstance(args[0], Pretended):
        return args[0]  # in place: the tensor itself, now changed
    return tree_map(lambda x: Pretended(x) if here and isinstance(x, torch.Tensor) else x, found)


class Pretending(TorchDispatchMode):
    """Where tensors may be created on the device."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return carry_out(func, args, kwargs or {})
