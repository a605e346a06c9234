"""A published StyleGAN2, in the names of github.com/rosinality/stylegan2-pytorch, as a Generator.

The function is the same (Karras et al., CVPR 2020), the names and shapes are not:

    theirs                                                 ours
    style.{k}.weight, .bias             k = 1, 2, ...      mapping.fc.{k - 1}
    input.input             (1, c, 4, 4)                   synthesis.const
    conv1, to_rgb1                                         blocks.b4.conv1, .to_image
    convs.{2 i}, convs.{2 i + 1}                           blocks.b{8 * 2^i}.conv0, .conv1
    to_rgbs.{i}                                            blocks.b{8 * 2^i}.to_image
    X.conv.weight           (1, c_out, c_in, k, k)         X.weight
    X.conv.modulation.weight, .bias                        X.affine
    X.noise.weight (1,), X.activate.bias                   X.noise_strength (), X.bias
    noises.noise_{j}        (1, 1, size, size)             X.noise, j counting the convolutions
    X.bias                  (1, 3, 1, 1)                   X.bias, of ToRGB
    latent_avg                                             mapping.w_mean

Learning-rate multipliers are applied at run time on both sides, so weights are copied as they are.
The [1, 3, 3, 1] filters, which theirs stores, are checked and dropped; an entry that is missing or
left over makes the checkpoint one of another architecture.
"""

import re
from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from lwedit.generators.stylegan2 import Generator, GeneratorConfig

__all__ = ["from_rosinality", "mean_code", "rosinality_config"]

_FILTER = re.compile(r"^(convs\.\d+\.conv\.blur|to_rgbs\.\d+\.upsample)\.kernel$")
_SAMPLES = 100_000  # codes behind an estimated mean


def rosinality_config(state: Mapping[str, Tensor]) -> GeneratorConfig:
    """Sizes of a published generator, from the shapes of its weights.

    Raises:
        ValueError: If entries are missing, or the sizes are not those of a StyleGAN2.
    """
    try:
        doublings = sum(name.endswith(".conv.weight") and name.startswith("to_rgbs.")
                        for name in state)
        channels = [state["conv1.conv.weight"].shape[1]]
        channels += [state[f"convs.{2 * i}.conv.weight"].shape[1] for i in range(doublings)]
        layers = sum(bool(re.fullmatch(r"style\.\d+\.weight", name)) for name in state)
        return GeneratorConfig(
            size=4 * 2**doublings,
            image_channels=state["to_rgb1.conv.weight"].shape[1],
            dim=state["style.1.weight"].shape[1],
            mapping_layers=layers,
            channels=tuple(channels),
        )
    except (KeyError, IndexError) as error:
        raise ValueError(f"state must hold {error}, as a StyleGAN2 generator does.") from error


def from_rosinality(
    state: Mapping[str, Tensor], latent_avg: Float[Tensor, "..."] | None = None
) -> Generator:
    """The same generator in this project's formulation, frozen, in evaluation mode.

    Args:
        state: Weights by their published names.
        latent_avg: Mean code, (dim,) or (layers, dim), the latter with equal rows; estimated by
            `mean_code` if None.

    Raises:
        ValueError: If an entry is missing, left over or of another shape, or a filter is not
            [1, 3, 3, 1].
    """
    config = rosinality_config(state)
    generator = Generator(config)
    expected, taken, ours = generator.state_dict(), set(), {}
    for name, theirs in _names(config):
        if theirs not in state:
            raise ValueError(f"state must hold '{theirs}', as a StyleGAN2 generator does.")
        value, shape = state[theirs], expected[name].shape
        if value.numel() != shape.numel() or not _same_sides(value.shape, shape):
            raise ValueError(
                f"'{theirs}' must have shape {tuple(shape)}, got {tuple(value.shape)}."
            )
        ours[name] = value.detach().reshape(shape).float()
        taken.add(theirs)
    _check_rest(state, taken)
    ours["mapping.w_mean"] = expected["mapping.w_mean"]
    generator.load_state_dict(ours)
    generator.eval().requires_grad_(False)
    mean = mean_code(generator) if latent_avg is None else _one_code(latent_avg, config)
    generator.mapping.w_mean.copy_(mean)
    return generator.to(memory_format=torch.channels_last)


@torch.no_grad()
def mean_code(
    generator: Generator, samples: int = _SAMPLES, rng: torch.Generator | None = None
) -> Float[Tensor, " dim"]:
    """Mean of f(z), for checkpoints that do not state it.

    Args:
        generator: Whose mapping network.
        samples: How many z.
        rng: Source of z; seeded with 0 if None, so that a conversion can be repeated.
    """
    rng = torch.Generator().manual_seed(0) if rng is None else rng
    total, left = torch.zeros(generator.config.dim, dtype=torch.float64), samples
    while left:
        n = min(left, 10_000)
        z = torch.randn(n, generator.config.dim, generator=rng)
        total += generator.mapping(z).double().sum(dim=0)
        left -= n
    return (total / samples).float()


def _names(config: GeneratorConfig) -> Iterator[tuple[str, str]]:
    """Ours and theirs, entry by entry."""
    for k in range(config.mapping_layers):
        for part in ("weight", "bias"):
            yield f"mapping.fc.{k}.{part}", f"style.{k + 1}.{part}"
    yield "synthesis.const", "input.input"
    yield from _convolution("synthesis.blocks.b4.conv1", "conv1", 0)
    yield from _to_image("synthesis.blocks.b4.to_image", "to_rgb1")
    for i in range(len(config.channels) - 1):
        block = f"synthesis.blocks.b{8 * 2**i}"
        for part in range(2):
            number = 2 * i + part
            yield from _convolution(f"{block}.conv{part}", f"convs.{number}", number + 1)
        yield from _to_image(f"{block}.to_image", f"to_rgbs.{i}")


def _convolution(ours: str, theirs: str, noise: int) -> Iterator[tuple[str, str]]:
    yield from _modulation(ours, theirs)
    yield f"{ours}.bias", f"{theirs}.activate.bias"
    yield f"{ours}.noise_strength", f"{theirs}.noise.weight"
    yield f"{ours}.noise", f"noises.noise_{noise}"


def _to_image(ours: str, theirs: str) -> Iterator[tuple[str, str]]:
    yield from _modulation(ours, theirs)
    yield f"{ours}.bias", f"{theirs}.bias"


def _modulation(ours: str, theirs: str) -> Iterator[tuple[str, str]]:
    yield f"{ours}.weight", f"{theirs}.conv.weight"
    yield f"{ours}.affine.weight", f"{theirs}.conv.modulation.weight"
    yield f"{ours}.affine.bias", f"{theirs}.conv.modulation.bias"


def _same_sides(theirs: torch.Size, ours: torch.Size) -> bool:
    """Whether two shapes are the same but for axes of length 1."""
    return [n for n in theirs if n > 1] == [n for n in ours if n > 1]


def _check_rest(state: Mapping[str, Tensor], taken: set[str]) -> None:
    """Refuse filters other than [1, 3, 3, 1], which `lwedit.generators.stylegan2` has built in.

    Raises:
        ValueError: Naming the entry.
    """
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    expected = torch.outer(taps, taps) / 16  # sum 4: one in four of the pixels is not zero
    for name in sorted(state.keys() - taken):
        if not _FILTER.match(name):
            raise ValueError(f"state must be a StyleGAN2 generator's, which has no '{name}'.")
        kernel = state[name].float()
        if kernel.shape != expected.shape or not torch.allclose(kernel, expected, atol=1e-6):
            raise ValueError(f"'{name}' must be the [1, 3, 3, 1] filter.")


def _one_code(latent_avg: Tensor, config: GeneratorConfig) -> Float[Tensor, " dim"]:
    """The mean of W from the mean of W+, whose rows are the same.

    Raises:
        ValueError: If it is not one code.
    """
    rows = latent_avg.detach().float().reshape(-1, latent_avg.shape[-1])
    if rows.shape[1] != config.dim or len(rows) not in (1, config.layers):
        raise ValueError(
            f"latent_avg must have shape ({config.dim},) or ({config.layers}, {config.dim}), got "
            f"{tuple(latent_avg.shape)}."
        )
    return rows.double().mean(dim=0).float()  # of equal rows exactly each of them
