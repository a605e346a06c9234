"""What all published layouts of StyleGAN2 share: a Generator filled from tensors by name.

The network is first laid out without memory, the shape of every tensor is compared with it, and
only then is anything copied, so that a file cannot ask for more than it holds. An entry that is
missing or left over makes the checkpoint one of another architecture; [1, 3, 3, 1] filters, which
some layouts store and `lwedit.generators.modulation` has built in, are checked and dropped.
"""

from collections.abc import Iterable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from lwedit.generators.stylegan2 import Generator, GeneratorConfig

__all__ = ["MOST_DOUBLINGS", "check_filter", "fill", "mean_code", "own_noise"]

MOST_DOUBLINGS = 9  # from 4 to 2,048 pixels
_SAMPLES = 100_000  # codes behind an estimated mean


def fill(
    config: GeneratorConfig,
    state: Mapping[str, Tensor],
    names: Iterable[tuple[str, str]],
    mean: Float[Tensor, "..."] | None = None,
) -> Generator:
    """A frozen generator in evaluation mode.

    Args:
        config: Its sizes.
        state: Weights by their published names, floats of any precision.
        names: Our name and the published one of each parameter and buffer, but the mean code.
        mean: Mean code, (dim,) or (layers, dim), the latter with equal rows; estimated by
            `mean_code` if None.

    Raises:
        ValueError: If an entry is missing, left over, of another shape or not finite.
    """
    if min(config.dim, config.mapping_layers, config.image_channels, *config.channels) < 1:
        raise ValueError("state must be a StyleGAN2 generator's, it has an empty layer.")
    with torch.device("meta"):
        generator = Generator(config)
    expected, taken, ours = generator.state_dict(), set(), {}
    for name, theirs in names:
        if theirs not in state:
            raise ValueError(f"state must hold '{theirs}', as a StyleGAN2 generator does.")
        value, shape = state[theirs], expected[name].shape
        if value.numel() != shape.numel() or not _same_sides(value.shape, shape):
            raise ValueError(
                f"'{theirs}' must have shape {tuple(shape)}, got {tuple(value.shape)}."
            )
        ours[name] = value.detach().reshape(shape).to(torch.float32, copy=True)
        if not ours[name].isfinite().all():
            raise ValueError(f"'{theirs}' must be finite.")
        taken.add(theirs)
    _refuse_rest(sorted(state.keys() - taken))
    ours["mapping.w_mean"] = torch.zeros(config.dim)
    generator.load_state_dict(ours, assign=True)
    generator.eval().requires_grad_(False)
    mean = mean_code(generator) if mean is None else _one_code(mean, config)
    generator.mapping.w_mean.copy_(mean)
    return generator.to(memory_format=torch.channels_last)


def _refuse_rest(names: list[str]) -> None:
    for name in names:
        if "embed" in name or "label" in name:
            raise ValueError(
                f"state must be a generator's without classes, '{name}' is of a class-conditional "
                "one, which is not supported."
            )
        raise ValueError(f"state must be a StyleGAN2 generator's, which has no '{name}'.")


@torch.no_grad()
def mean_code(
    generator: Generator, samples: int | None = None, rng: torch.Generator | None = None
) -> Float[Tensor, " dim"]:
    """Mean of f(z), for checkpoints that do not state it.

    Args:
        generator: Whose mapping network.
        samples: How many z, 100,000 if None.
        rng: Source of z; seeded with 0 if None, so that a conversion can be repeated.
    """
    rng = torch.Generator().manual_seed(0) if rng is None else rng
    samples = _SAMPLES if samples is None else samples
    total, left = torch.zeros(generator.config.dim, dtype=torch.float64), samples
    while left:
        n = min(left, 10_000)
        z = torch.randn(n, generator.config.dim, generator=rng)
        total += generator.mapping(z).double().sum(dim=0)
        left -= n
    return (total / samples).float()


def own_noise(number: int) -> Float[Tensor, "1 1 side side"]:
    """Noise of a convolution, for checkpoints that leave it to be drawn with every image.

    Args:
        number: Of the convolution, from 0 on; it is the seed, so a conversion can be repeated.
    """
    side = 4 * 2 ** ((number + 1) // 2)
    return torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(number))


def check_filter(kernel: Tensor, name: str, gain: float) -> None:
    """Refuse filters other than [1, 3, 3, 1].

    Args:
        kernel: As stored, two-dimensional.
        name: For the error.
        gain: Sum of its entries.

    Raises:
        ValueError: If it is another.
    """
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    expected = gain * torch.outer(taps, taps)
    if kernel.shape != expected.shape or not torch.allclose(kernel.float(), expected, atol=1e-3):
        raise ValueError(f"'{name}' must be the [1, 3, 3, 1] filter.")


def _same_sides(theirs: torch.Size, ours: torch.Size) -> bool:
    """Whether two shapes are the same but for axes of length 1."""
    return [n for n in theirs if n > 1] == [n for n in ours if n > 1]


def _one_code(mean: Tensor, config: GeneratorConfig) -> Float[Tensor, " dim"]:
    """The mean of W from the mean of W+, whose rows are the same.

    Raises:
        ValueError: If it is not one code.
    """
    rows = mean.detach().float().reshape(-1, mean.shape[-1] if mean.ndim else 1)
    if rows.shape[1] != config.dim or len(rows) not in (1, config.layers):
        raise ValueError(
            f"latent_avg must have shape ({config.dim},) or ({config.layers}, {config.dim}), got "
            f"{tuple(mean.shape)}."
        )
    if not rows.isfinite().all():
        raise ValueError("latent_avg must be finite.")
    return rows.double().mean(dim=0).float()  # of equal rows exactly each of them
