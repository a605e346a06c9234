"""NVIDIA's files and StyleGAN2 as they mean it, written from the equations, for tests.

Files are pickled from modules of our own that reduce themselves as `torch_utils.persistence` does,
with a source beside them that would be noticed if it were run. Images come from numpy: zeros
between pixels, the filter, then a convolution in the mathematician's sense where NVIDIA does not
flip the kernel; nothing is shared with lwedit.generators, nor with tests.generators.published.
"""

import collections
import math
import pickle
import sys
import types
from contextlib import contextmanager

import numpy as np
import torch

SOURCE = "import pathlib\npathlib.Path({!r}).touch()\n"


class Persistent:
    """A module that reduces itself as those of stylegan2-ada-pytorch do."""

    def __init__(self, kind, source, parameters=None, buffers=None, modules=None, **options):
        self.kind, self.source = kind, source
        self.state = {
            "training": False,
            "_parameters": collections.OrderedDict(
                {k: torch.nn.Parameter(v, False) for k, v in (parameters or {}).items()}),
            "_buffers": collections.OrderedDict(buffers or {}),
            "_non_persistent_buffers_set": set(),
            "_backward_hooks": collections.OrderedDict(),
            "_modules": collections.OrderedDict(modules or {}),
            **options,
            "_init_args": (), "_init_kwargs": sys.modules["dnnlib.util"].EasyDict(options),
        }

    def __reduce__(self):
        meta = {"type": "class", "version": 6, "module_src": self.source, "class_name": self.kind,
                "state": self.state}
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta,)


def _reconstruct_persistent_obj(meta):
    exec(meta["module_src"])  # what NVIDIA's does, so that a reader that calls it is found out


@contextmanager
def nvidia_modules():
    """Modules under the names that NVIDIA's files refer to, while one is pickled."""
    names = ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util", "dnnlib.tflib",
             "dnnlib.tflib.network")
    made = {name: types.ModuleType(name) for name in names}
    for name, module in made.items():
        if "." in name:
            setattr(made[name.rpartition(".")[0]], name.rpartition(".")[2], module)
    hook = types.FunctionType(_reconstruct_persistent_obj.__code__, {"__builtins__": __builtins__},
                              "_reconstruct_persistent_obj")
    hook.__module__, hook.__qualname__ = "torch_utils.persistence", hook.__name__
    made["torch_utils.persistence"]._reconstruct_persistent_obj = hook
    made["dnnlib.util"].EasyDict = type("EasyDict", (dict,), {"__module__": "dnnlib.util"})
    members = {"__module__": "dnnlib.tflib.network", "__getstate__": lambda self: self.held}
    made["dnnlib.tflib.network"].Network = type("Network", (), members)
    sys.modules.update(made)
    try:
        yield made
    finally:
        for name in names:
            sys.modules.pop(name, None)


def made_state(widths=(8, 8, 4), dim=6, layers=2, seed=0):
    """Random weights under the names of stylegan2-ada-pytorch, in its shapes."""
    rng = torch.Generator().manual_seed(seed)

    def draw(*shape, scale=1.0):
        return scale * torch.randn(*shape, generator=rng)

    state = {"mapping.w_avg": draw(dim)}
    for k in range(layers):
        state[f"mapping.fc{k}.weight"] = draw(dim, dim, scale=100.0)
        state[f"mapping.fc{k}.bias"] = draw(dim, scale=10.0)
    state["synthesis.b4.const"] = draw(widths[0], 4, 4)
    for i, width in enumerate(widths):
        block, c_in = f"synthesis.b{4 * 2**i}", widths[max(i - 1, 0)]
        for part in ("conv0", "conv1", "torgb") if i else ("conv1", "torgb"):
            c_in = c_in if part == "conv0" else width
            c_out, k = (3, 1) if part == "torgb" else (width, 3)
            state[f"{block}.{part}.affine.weight"] = draw(c_in, dim)
            state[f"{block}.{part}.affine.bias"] = 1 + draw(c_in, scale=0.1)
            state[f"{block}.{part}.weight"] = draw(c_out, c_in, k, k)
            state[f"{block}.{part}.bias"] = draw(c_out)
            if part != "torgb":
                state[f"{block}.{part}.noise_strength"] = draw(1)[0]
                state[f"{block}.{part}.noise_const"] = draw(4 * 2**i, 4 * 2**i)
    return state


def made_pickle(state, source="", protocol=4, change=None, **others):
    """A file as training writes it: {"G_ema": ..., "G", "D", "training_set_kwargs", ...}.

    `change` maps the name of a module ("synthesis.b8") to options that replace or join its own.
    """
    with nvidia_modules() as modules:
        network = made_module(state, source, change or {})
        held = {"training_set_kwargs": modules["dnnlib.util"].EasyDict(path="ffhq.zip", xflip=True),
                "G": network, "D": Persistent("Discriminator", source, {"w": torch.ones(3)}),
                "G_ema": network, "augment_pipe": None, **others}
        return pickle.dumps(held, protocol=protocol)


def made_module(state, source="", change=None):
    """The tree of modules of a state."""
    change = change or {}
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    fir = torch.outer(taps, taps) / 64
    dim = state["mapping.w_avg"].shape[0]

    def tree(prefix):
        mine, inner = {}, {}
        for name, value in state.items():
            if name.startswith(prefix):
                head, dot, _ = name.removeprefix(prefix).partition(".")
                if dot and head not in inner:
                    inner[head] = tree(f"{prefix}{head}.")
                elif not dot:
                    mine[head] = value
        path = prefix.rstrip(".")
        kind, options = _kind(path, mine, dim)
        buffers = {n: mine.pop(n) for n in ("w_avg", "noise_const") if n in mine}
        if kind in ("SynthesisLayer", "SynthesisBlock"):
            buffers["resample_filter"] = fir.clone()
        return Persistent(kind, source, mine, buffers, inner, **options | change.get(path, {}))

    return tree("")


def _kind(path, mine, dim):
    last = path.rpartition(".")[2]
    if not path:
        return "Generator", {"z_dim": dim, "c_dim": 0, "w_dim": dim, "img_channels": 3}
    if path == "mapping":
        return "MappingNetwork", {"z_dim": dim, "c_dim": 0, "w_dim": dim, "w_avg_beta": 0.995}
    if path == "synthesis":
        return "SynthesisNetwork", {"w_dim": dim, "img_channels": 3, "num_fp16_res": 4}
    if last == "affine" or last.startswith("fc"):
        rate = 1 if last == "affine" else 0.01
        return "FullyConnectedLayer", {
            "activation": "linear" if last == "affine" else "lrelu", "bias_gain": rate,
            "weight_gain": rate / np.sqrt(mine["weight"].shape[1])}
    if last == "torgb":
        gain = 1 / np.sqrt(mine["weight"].shape[1])
        return "ToRGBLayer", {"conv_clamp": None, "weight_gain": gain}
    if last.startswith("conv"):
        return "SynthesisLayer", {"up": 2 if last == "conv0" else 1, "use_noise": True,
                                  "activation": "lrelu", "act_gain": np.sqrt(2), "conv_clamp": None}
    return "SynthesisBlock", {"architecture": "skip", "use_fp16": False}


def made_tensorflow(state, source="", **options):
    """(G, D, Gs) as stylegan2 in TensorFlow pickles them."""
    mapping, synthesis, own = [], [], []
    for name, value in state.items():
        value, parts = value.numpy(), name.split(".")
        if parts[0] == "mapping" and parts[1] == "w_avg":
            own += [("lod", np.float32(0)), ("dlatent_avg", value)]
        elif parts[0] == "mapping":
            mapping.append((f"Dense{parts[1][2:]}/{parts[2]}", value.T.copy()))
        elif parts[2] == "const":
            synthesis.append(("4x4/Const/const", value[None]))
        else:
            side = int(parts[1][1:])
            layer = {"conv0": "Conv0_up", "conv1": "Conv1" if side > 4 else "Conv",
                     "torgb": "ToRGB"}[parts[2]]
            number = 2 * int(math.log2(side)) - (5 if parts[2] == "conv0" else 4)
            kind = ".".join(parts[3:])
            if kind == "noise_const":
                synthesis.append((f"noise{max(number, 0)}", value[None, None]))
                continue
            if kind == "weight":
                value = value[:, :, ::-1, ::-1] if parts[2] == "conv0" else value
                value = value.transpose(2, 3, 1, 0).copy()
            value = value.T.copy() if kind == "affine.weight" else value
            value = value - 1 if kind == "affine.bias" else value
            if kind == "noise_strength":  # TensorFlow gives a scalar where there is no axis
                value = np.float32(value)
            kind = kind.replace("affine.", "mod_")
            synthesis.append((f"{side}x{side}/{layer}/{kind}", value))
    with nvidia_modules() as modules:
        def network(name, variables, components):
            made = modules["dnnlib.tflib.network"].Network()
            made.held = {"version": 4, "name": name, "static_kwargs": {"resolution": 16, **options},
                         "components": components, "build_module_src": source,
                         "build_func_name": "G_main", "variables": variables}
            return made

        parts = {"synthesis": network("G_synthesis", synthesis, {}),
                 "mapping": network("G_mapping", mapping, {})}
        ema = network("Gs", own, parts)
        return pickle.dumps((network("G", [], {}), network("D", [], {}), ema), protocol=3)


# --- the function that the weights mean -----------------------------------------------------------


def mapped(state, z):
    """f(z)."""
    x = z.double().numpy()
    x = x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-8)
    k = 0
    while f"mapping.fc{k}.weight" in state:
        weight, bias = (state[f"mapping.fc{k}.{p}"].double().numpy() for p in ("weight", "bias"))
        x = x @ (weight * 0.01 / np.sqrt(weight.shape[1])).T + bias * 0.01
        x = np.maximum(x, 0.2 * x) * np.sqrt(2)
        k += 1
    return torch.from_numpy(x)


def drawn(state, w, clamp=np.inf):
    """g(w), w one code a layer, with the stored noise."""
    state = {name: value.double().numpy() for name, value in state.items()}
    return torch.from_numpy(np.stack([_image(state, code, clamp) for code in w.double().numpy()]))


def _image(state, code, clamp):
    x, image, layer, side = state["synthesis.b4.const"], None, 0, 4
    while (block := f"synthesis.b{side}") + ".conv1.weight" in state:
        if image is not None:
            x = _layer(state, f"{block}.conv0", _enlarged(x, 3), code[layer], clamp, flipped=True)
            image, layer = _enlarged(image, 2), layer + 1
        wide = np.pad(x, ((0, 0), (1, 1), (1, 1)))
        x = _layer(state, f"{block}.conv1", wide, code[layer], clamp, flipped=False)
        layer += 1
        kernel = state[f"{block}.torgb.weight"][:, :, 0, 0]
        style = _style(state, f"{block}.torgb", code[layer]) / np.sqrt(kernel.shape[1])
        shown = np.einsum("oi,i,ihw->ohw", kernel, style, x)
        shown = np.clip(shown + state[f"{block}.torgb.bias"][:, None, None], -clamp, clamp)
        image, side = shown if image is None else image + shown, 2 * side
    return image


def _style(state, name, code):
    weight = state[f"{name}.affine.weight"]
    return weight @ code / np.sqrt(weight.shape[1]) + state[f"{name}.affine.bias"]


def _layer(state, name, x, code, clamp, *, flipped):
    """3x3 over padded features: modulated, demodulated, noise, bias, leaky ReLU, gain, clamp."""
    kernel = state[f"{name}.weight"] * _style(state, name, code)[None, :, None, None]
    kernel = kernel / np.sqrt((kernel**2).sum(axis=(1, 2, 3), keepdims=True) + 1e-8)
    kernel = kernel[:, :, ::-1, ::-1] if flipped else kernel
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
    x = np.einsum("oikl,ihwkl->ohw", kernel, windows)
    if f"{name}.noise_const" in state:
        x = x + state[f"{name}.noise_const"] * state[f"{name}.noise_strength"]
    x = x + state[f"{name}.bias"][:, None, None]
    return np.clip(np.maximum(x, 0.2 * x) * np.sqrt(2), -clamp, clamp)


def _enlarged(x, before):
    """Zeros between pixels and around, then [1, 3, 3, 1] with a gain of 4."""
    side = x.shape[-1]
    wide = np.zeros((len(x), 2 * side + 2 * before - 1, 2 * side + 2 * before - 1))
    wide[:, before : before + 2 * side : 2, before : before + 2 * side : 2] = x
    taps = np.array([1, 3, 3, 1]) / 8
    windows = np.lib.stride_tricks.sliding_window_view(wide, (4, 4), axis=(1, 2))
    return 4 * np.einsum("k,l,chwkl->chw", taps, taps, windows)
