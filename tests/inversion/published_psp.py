"""pSp's encoder as its checkpoints name it, written as one function of the weights, for tests."""

import torch
from torch.nn import functional


def encoded(state, x, blocks, layers):
    """x (n, 3, h, w) -> differences to the mean code (n, layers, dim), evaluation mode."""
    state = {name: value.double() for name, value in state.items()}
    x = _prelu(state, "input_layer.2", _norm(state, "input_layer.1",
               functional.conv2d(x, state["input_layer.0.weight"], padding=1)))
    seen, i = [], 0
    for n in blocks:
        for unit in range(n):
            x = _unit(state, f"body.{i}", x, stride=2 if unit == 0 else 1)
            i += 1
        seen.append(x)
    coarse = seen[3]
    middle = _larger(coarse, seen[2]) + _conv1(state, "latlayer1", seen[2])
    fine = _larger(middle, seen[1]) + _conv1(state, "latlayer2", seen[1])
    maps = [coarse] * 3 + [middle] * 4 + [fine] * (layers - 7)
    return torch.stack([_style(state, f"styles.{k}", m) for k, m in enumerate(maps)], dim=1)


def _norm(state, name, x):
    mean, var, weight, bias = (
        state[f"{name}.{part}"][:, None, None]
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + 1e-5).sqrt() * weight + bias


def _prelu(state, name, x):
    return torch.where(x > 0, x, state[f"{name}.weight"][:, None, None] * x)


def _unit(state, name, x, stride):
    y = functional.conv2d(_norm(state, f"{name}.res_layer.0", x),
                          state[f"{name}.res_layer.1.weight"], padding=1)
    y = functional.conv2d(_prelu(state, f"{name}.res_layer.2", y),
                          state[f"{name}.res_layer.3.weight"], padding=1, stride=stride)
    y = _norm(state, f"{name}.res_layer.4", y)
    mean = y.mean(dim=(2, 3))
    first, second = (state[f"{name}.res_layer.5.fc{k}.weight"][:, :, 0, 0] for k in (1, 2))
    y = y * torch.sigmoid((mean @ first.t()).clamp(min=0) @ second.t())[:, :, None, None]
    if f"{name}.shortcut_layer.0.weight" in state:
        short = functional.conv2d(x, state[f"{name}.shortcut_layer.0.weight"], stride=stride)
        return y + _norm(state, f"{name}.shortcut_layer.1", short)
    return y + x[:, :, ::stride, ::stride]


def _conv1(state, name, x):
    return functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"])


def _larger(x, like):
    return functional.interpolate(x, like.shape[2:], mode="bilinear", align_corners=True)


def _style(state, name, x):
    k = 0
    while f"{name}.convs.{k}.weight" in state:
        x = functional.conv2d(x, state[f"{name}.convs.{k}.weight"], state[f"{name}.convs.{k}.bias"],
                              stride=2, padding=1)
        x = torch.where(x > 0, x, 0.01 * x)
        k += 2
    weight, bias = state[f"{name}.linear.weight"], state[f"{name}.linear.bias"]
    return x.flatten(1) @ weight.t() / weight.shape[1] ** 0.5 + bias
