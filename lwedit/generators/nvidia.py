"""NVIDIA's own StyleGAN2 files as a Generator, of which nothing is run.

Two layouts are read (`lwedit.generators.torch_files` opens the files):

    stylegan2-ada-pytorch, stylegan3    {"G_ema": module, "G", "D", ...}; a module is a stand-in
                                        with _parameters, _buffers, _modules and its options, and
                                        the source code beside them is ignored
    stylegan2, in TensorFlow            (G, D, Gs), each {"static_kwargs", "components",
                                        "variables": [(name, array), ...]}

In the first, names are ours but for `fc0` (fc.0), `b4` (blocks.b4), `torgb` (to_image),
`noise_const` (noise) and `w_avg` (w_mean), and the numbers are the same. In the second, kernels are
(k, k, c_in, c_out), those of the up-sampling layers are flipped, matrices are transposed, and style
biases lack the 1 that is added at run time; it is brought into the layout of the first.

A Generator is the skip architecture of configuration E and F with leaky ReLUs. Other options are
refused by name. Published networks clamp activations at 256, for half precision; ours do not, so
`from_nvidia` draws two images and refuses a network in which the clamp would act.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lwedit.generators.pickles import Saved
from lwedit.generators.published import MOST_DOUBLINGS, check_filter, fill, own_noise
from lwedit.generators.stand_ins import MODULE
from lwedit.generators.storages import as_tensor
from lwedit.generators.stylegan2 import Generator, GeneratorConfig, ModulatedLayer, ToImage

__all__ = ["Published", "from_nvidia", "network_state"]

_LR_MULTIPLIER = 0.01
_SAMPLES = 2  # images in which the clamp is looked for
_SIDES = [4 * 2**i for i in range(MOST_DOUBLINGS + 1)]
_TENSORFLOW = {  # options of a TensorFlow network that have one value here
    "label_size": 0, "architecture": "skip", "nonlinearity": "lrelu", "mapping_lrmul": 0.01,
    "mapping_nonlinearity": "lrelu", "resample_kernel": [1, 3, 3, 1], "use_noise": True,
}


class Published(NamedTuple):
    """A generator as NVIDIA publishes it.

    Attributes:
        state: Weights by their names in stylegan2-ada-pytorch.
        clamp: Bound of activations, infinity if there is none.
    """

    state: dict[str, Tensor]
    clamp: float = math.inf


def from_nvidia(published: Published) -> Generator:
    """The same generator in this project's formulation, frozen, in evaluation mode.

    Args:
        published: With all of the noise or none; the mean code is estimated if there is none.

    Raises:
        ValueError: If an entry is missing, left over or of another shape, a filter is not
            [1, 3, 3, 1], or activations exceed the clamp.
    """
    config, rest = _config(published.state), dict(published.state)
    for name in [name for name in rest if name.endswith(".resample_filter")]:
        check_filter(rest.pop(name), name, gain=1.0)
    if not any("noise" in name for name in rest):  # trained without
        for number in range(config.layers - 1):
            rest[f"{_layer(number)}.noise_const"] = own_noise(number)
            rest[f"{_layer(number)}.noise_strength"] = torch.zeros(())
    mean = rest.pop("mapping.w_avg", None)
    with torch.device("meta"):
        names = Generator(config).state_dict().keys() - {"mapping.w_mean"}
    generator = fill(config, rest, [(name, _theirs(name)) for name in sorted(names)], mean)
    _check_clamp(generator, published.clamp)
    return generator


def network_state(network: Any) -> Published:  # noqa: ANN401
    """Weights and clamp of a generator that NVIDIA saved.

    Args:
        network: `G_ema` of a file, or the third network of a TensorFlow one.

    Raises:
        ValueError: If it is of another network, or has options that a Generator cannot express.
    """
    if isinstance(network, Saved) and network.path.endswith("tflib.network.Network"):
        return _from_tensorflow(network)
    state, clamp = {}, math.inf
    for prefix, module in _modules(network):
        _check_options(prefix, module)
        if isinstance(bound := module.get("conv_clamp"), int | float):
            clamp = min(clamp, float(bound))
        for entries in (module.get("_parameters"), module.get("_buffers")):
            for name, value in (entries or {}).items():
                if value is not None:
                    state[f"{prefix}{name}"] = _tensor(value, f"{prefix}{name}")
    return Published(state, clamp)


def _config(state: Mapping[str, Tensor]) -> GeneratorConfig:
    """Sizes, from the shapes of the weights.

    Raises:
        ValueError: If entries are missing.
    """
    sides = [side for side in _SIDES if f"synthesis.b{side}.conv1.weight" in state]
    layers = sum(bool(re.fullmatch(r"mapping\.fc\d+\.weight", name)) for name in state)
    try:
        widths = [state[f"synthesis.b{side}.conv1.weight"].shape[0] for side in sides]
        first, last = (state[f"mapping.fc{k}.weight"] for k in (0, layers - 1))
        if first.shape[1] != last.shape[0]:
            raise ValueError(
                f"z must be as long as w to be supported, got {first.shape[1]} and {last.shape[0]}."
            )
        return GeneratorConfig(
            size=max(sides, default=4), image_channels=state["synthesis.b4.torgb.weight"].shape[0],
            dim=last.shape[0], mapping_layers=layers, channels=tuple(widths),
            mapping_width=first.shape[0],
        )
    except (KeyError, IndexError) as error:
        raise ValueError(f"state must hold {error}, as a StyleGAN2 generator does.") from error


def _theirs(ours: str) -> str:
    """Name of a tensor in stylegan2-ada-pytorch."""
    name = ours.replace("mapping.fc.", "mapping.fc").replace("synthesis.blocks.", "synthesis.")
    name = name.replace(".to_image.", ".torgb.").replace("synthesis.const", "synthesis.b4.const")
    return re.sub(r"\.noise$", ".noise_const", name)


def _layer(number: int) -> str:
    """Name of a convolution, by its number from 0 on."""
    side = _SIDES[(number + 1) // 2]
    return f"synthesis.b{side}.conv{(number + 1) % 2}"


def _tensor(value: Any, name: str) -> Tensor:  # noqa: ANN401
    tensor = torch.tensor(value) if type(value) is float else as_tensor(value)
    if tensor is None:
        raise ValueError(f"'{name}' must be a tensor.")
    return tensor


@torch.no_grad()
def _check_clamp(generator: Generator, clamp: float) -> None:
    """Refuse a network whose activations exceed its clamp in some images.

    Raises:
        ValueError: With both numbers.
    """
    if clamp == math.inf:
        return
    largest, hooks = 0.0, []

    def look(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal largest
        largest = max(largest, float(output.abs().max()))

    for module in generator.modules():
        if isinstance(module, ModulatedLayer | ToImage):
            hooks.append(module.register_forward_hook(look))
    rng = torch.Generator().manual_seed(0)
    for z in torch.randn(_SAMPLES, 1, generator.config.dim, generator=rng):
        generator(generator.codes(z))
    for hook in hooks:
        hook.remove()
    if not largest <= clamp:
        raise ValueError(
            f"conv_clamp = {clamp:g} must not act, as it is not supported: activations reach "
            f"{largest:.4g}."
        )


# --- stylegan2-ada-pytorch ------------------------------------------------------------------------


def _modules(network: Any) -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: ANN401
    """Prefix and attributes of every module, the network's own first.

    Raises:
        ValueError: If something in it is no module, or is there twice.
    """
    waiting, seen = [("", network)], set()
    while waiting:
        prefix, module = waiting.pop()
        known = isinstance(module, Saved) and module.path.startswith(MODULE)
        if not known or id(module) in seen:
            raise ValueError(f"'{prefix or 'G_ema'}' must be a module by NVIDIA's code, once.")
        seen.add(id(module))
        yield prefix, module.state
        inner = module.state.get("_modules") or {}
        waiting += [(f"{prefix}{name}.", value) for name, value in inner.items()]


def _check_options(prefix: str, module: dict[str, Any]) -> None:
    """Refuse what a Generator cannot express, by name.

    Raises:
        ValueError: Naming module and option.
    """
    inner = module.get("_modules") or {}
    parts = {name: part.state.get("_modules") or {} for name, part in inner.items()}
    if "mlp" in parts.get("mapping", {}):
        raise ValueError("network must be StyleGAN2's, it is StyleGAN-T's, which is not supported.")
    if "input" in parts.get("synthesis", {}):
        raise ValueError(
            "network must be StyleGAN2's, it is StyleGAN3's (or StyleGAN-XL's), which is not "
            "supported."
        )
    if module.get("c_dim"):
        raise ValueError("c_dim must be 0: the generator is class-conditional.")
    multiplier = _LR_MULTIPLIER if prefix.startswith("mapping.") else 1
    wanted = {
        "architecture": "skip", "bias_gain": multiplier,
        "activation": "linear" if prefix.endswith(".affine.") else "lrelu",
    }
    for option, value in wanted.items():
        if option in module:
            _check_option(f"{prefix}{option}", module[option], value)


def _check_option(name: str, value: Any, wanted: Any) -> None:  # noqa: ANN401
    if isinstance(value, float) and isinstance(wanted, float | int):
        value = round(value, 9)
    if type(value) not in (str, int, float, bool, list) or value != wanted:
        shown = repr(value) if isinstance(value, str | int | float) else type(value).__name__
        raise ValueError(f"{name} must be {wanted!r} to be supported, got {shown:.40}.")


# --- stylegan2 in TensorFlow ----------------------------------------------------------------------


def _from_tensorflow(network: Saved) -> Published:
    """Variables of a TensorFlow network, in the layout of the other.

    Raises:
        ValueError: If it is of another network, or has options that a Generator cannot express.
    """
    options = network.state["static_kwargs"]
    if options.get("label_size"):
        raise ValueError("label_size must be 0: the generator is class-conditional.")
    for option, wanted in _TENSORFLOW.items():
        if options.get(option) is not None:
            _check_option(option, options[option], wanted)
    state = {}
    for prefix, part in {"": network, **network.state["components"]}.items():
        for name, value in part.state["variables"]:
            name = f"{prefix}/{name}" if prefix else name
            if name != "lod":  # of training
                ours, tensor = _translated(name, _tensor(value, name))
                state[ours] = tensor
    clamp = options.get("conv_clamp")
    return Published(state, float(clamp) if isinstance(clamp, int | float) else math.inf)


def _translated(name: str, value: Tensor) -> tuple[str, Tensor]:
    """Name and numbers of a variable in the layout of stylegan2-ada-pytorch.

    Raises:
        ValueError: If StyleGAN2 has no such variable.
    """
    if name == "dlatent_avg":
        return "mapping.w_avg", value
    if name == "synthesis/4x4/Const/const":
        return "synthesis.b4.const", value.squeeze(0)
    if match := re.fullmatch(r"mapping/Dense(\d)/(weight|bias)", name):
        return f"mapping.fc{match[1]}.{match[2]}", value.t()
    if (match := re.fullmatch(r"synthesis/noise(\d\d?)", name)) and int(match[1]) < 2 * len(_SIDES):
        return f"{_layer(int(match[1]))}.noise_const", value
    match = re.fullmatch(r"synthesis/(\d+)x\1/(Conv|Conv0_up|Conv1|ToRGB)/(\w+)", name)
    if match and int(match[1]) in _SIDES:
        part = {"Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1", "ToRGB": "torgb"}[match[2]]
        kind, layer = match[3], f"synthesis.b{match[1]}.{part}"
        if kind == "weight" and value.ndim == 4:
            value = value.permute(3, 2, 0, 1)
            return f"{layer}.weight", value.flip(2, 3) if part == "conv0" else value
        if kind == "mod_weight":
            return f"{layer}.affine.weight", value.t()
        if kind == "mod_bias":
            return f"{layer}.affine.bias", value + 1
        if kind in ("bias", "noise_strength"):
            return f"{layer}.{kind}", value
    raise ValueError(f"network must be StyleGAN2's, which has no '{name:.80}'.")
