"""StyleGAN2 as rosinality's checkpoints name it, written from the paper's equations, for tests.

One kernel an image (Eq. 1 and 3), convolutions as sums over shifted images, up-sampling by zeros
and the [1, 3, 3, 1] filter: slow, and nothing of it is shared with lwedit.generators.
"""

import math

import torch

TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64) / 8


def made_state(channels=(8, 8, 4), dim=6, layers=3, image_channels=3, seed=0):
    """Random weights under the published names, in the published shapes."""
    rng = torch.Generator().manual_seed(seed)

    def draw(*shape, scale=1.0):
        return scale * torch.randn(*shape, generator=rng)

    state = {}
    for k in range(1, layers + 1):
        state[f"style.{k}.weight"] = draw(dim, dim, scale=100.0)
        state[f"style.{k}.bias"] = draw(dim, scale=10.0)
    state["input.input"] = draw(1, channels[0], 4, 4)

    def modulated(name, c_in, c_out, k):
        state[f"{name}.conv.weight"] = draw(1, c_out, c_in, k, k)
        state[f"{name}.conv.modulation.weight"] = draw(c_in, dim)
        state[f"{name}.conv.modulation.bias"] = 1 + draw(c_in, scale=0.1)

    def styled(name, c_in, c_out):
        modulated(name, c_in, c_out, 3)
        state[f"{name}.noise.weight"] = draw(1)
        state[f"{name}.activate.bias"] = draw(c_out)

    styled("conv1", channels[0], channels[0])
    modulated("to_rgb1", channels[0], image_channels, 1)
    state["to_rgb1.bias"] = draw(1, image_channels, 1, 1)
    state["noises.noise_0"] = draw(1, 1, 4, 4)
    kernel = (4 * torch.outer(TAPS, TAPS)).float()
    for i, (a, b) in enumerate(zip(channels[:-1], channels[1:], strict=True)):
        styled(f"convs.{2 * i}", a, b)
        styled(f"convs.{2 * i + 1}", b, b)
        modulated(f"to_rgbs.{i}", b, image_channels, 1)
        state[f"to_rgbs.{i}.bias"] = draw(1, image_channels, 1, 1)
        state[f"convs.{2 * i}.conv.blur.kernel"] = kernel.clone()
        state[f"to_rgbs.{i}.upsample.kernel"] = kernel.clone()
        for j in (2 * i + 1, 2 * i + 2):
            state[f"noises.noise_{j}"] = draw(1, 1, 8 * 2**i, 8 * 2**i)
    return state


def mapped(state, z):
    """f(z), equalised learning rate 0.01."""
    x = z / (z.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()
    k = 1
    while f"style.{k}.weight" in state:
        weight, bias = state[f"style.{k}.weight"].double(), state[f"style.{k}.bias"].double()
        x = x @ weight.t() * (0.01 / math.sqrt(weight.shape[1])) + bias * 0.01
        x = torch.where(x > 0, x, 0.2 * x) * math.sqrt(2)
        k += 1
    return x


def drawn(state, w):
    """g(w), w one code a layer, with the stored noise."""
    state = {name: value.double() for name, value in state.items()}
    return torch.stack([_one_image(state, code) for code in w.double()])


def _one_image(state, code):
    """An image (3, size, size) of codes (layers, dim)."""
    x = _styled(state, "conv1", 0, state["input.input"][0], code[0], up=False)
    image = _coloured(state, "to_rgb1", x, code[1])
    i = 0
    while f"convs.{2 * i}.conv.weight" in state:
        x = _styled(state, f"convs.{2 * i}", 2 * i + 1, x, code[2 * i + 1], up=True)
        x = _styled(state, f"convs.{2 * i + 1}", 2 * i + 2, x, code[2 * i + 2], up=False)
        larger = _filtered(_spread(image), before=2, after=1)
        image = larger + _coloured(state, f"to_rgbs.{i}", x, code[2 * i + 3])
        i += 1
    return image


def _style(state, name, code):
    weight, bias = (state[f"{name}.conv.modulation.{part}"] for part in ("weight", "bias"))
    return weight @ code / math.sqrt(weight.shape[1]) + bias


def _styled(state, name, number, x, code, *, up):
    kernel = state[f"{name}.conv.weight"][0]
    c_in, k = kernel.shape[1], kernel.shape[-1]
    kernel = kernel * _style(state, name, code)[None, :, None, None] / math.sqrt(c_in * k * k)
    kernel = kernel / (kernel.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
    if up:  # transposed convolution: every pixel lays the kernel down, two pixels apart
        height = x.shape[-1]
        y = torch.zeros(len(kernel), 2 * height + 1, 2 * height + 1, dtype=x.dtype)
        for i in range(height):
            for j in range(height):
                y[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += torch.einsum(
                    "oikl,i->okl", kernel, x[:, i, j])
        x = _filtered(y, before=1, after=1)
    else:
        x = _correlated(x, kernel)
    x = x + state[f"{name}.noise.weight"] * state[f"noises.noise_{number}"][0]
    x = x + state[f"{name}.activate.bias"][:, None, None]
    return torch.where(x > 0, x, 0.2 * x) * math.sqrt(2)


def _coloured(state, name, x, code):
    kernel = state[f"{name}.conv.weight"][0, :, :, 0, 0]
    kernel = kernel * _style(state, name, code) / math.sqrt(kernel.shape[1])
    return torch.einsum("oi,ihw->ohw", kernel, x) + state[f"{name}.bias"][0]


def _correlated(x, kernel):
    """3x3 convolution, zeros outside, as nine shifted products."""
    side = x.shape[-1]
    wide = torch.zeros(len(x), side + 2, side + 2, dtype=x.dtype)
    wide[:, 1:-1, 1:-1] = x
    return sum(
        torch.einsum("oi,ihw->ohw", kernel[:, :, a, b], wide[:, a : a + side, b : b + side])
        for a in range(3) for b in range(3)
    )


def _spread(x):
    y = torch.zeros(len(x), 2 * x.shape[1], 2 * x.shape[2], dtype=x.dtype)
    y[:, ::2, ::2] = x
    return y


def _filtered(x, *, before, after):
    """[1, 3, 3, 1] times four, zeros outside."""
    side = x.shape[-1]
    wide = torch.zeros(len(x), side + before + after, side + before + after, dtype=x.dtype)
    wide[:, before : before + side, before : before + side] = x
    out = side + before + after - 3
    return sum(
        4 * TAPS[a] * TAPS[b] * wide[:, a : a + out, b : b + out]
        for a in range(4) for b in range(4)
    )
