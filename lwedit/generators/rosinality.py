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
Early checkpoints (550000.pt) hold no noise, which their code draws anew for every image; theirs is
drawn once here. The [1, 3, 3, 1] filters, which theirs stores, are checked and dropped.
"""

import re
from collections.abc import Iterator, Mapping

from jaxtyping import Float
from torch import Tensor

from lwedit.generators.published import MOST_DOUBLINGS, check_filter, fill, own_noise
from lwedit.generators.stylegan2 import Generator, GeneratorConfig

__all__ = ["from_rosinality", "rosinality_config"]

_FILTER = re.compile(r"^(convs\.\d+\.conv\.blur|to_rgbs\.\d+\.upsample)\.kernel$")


def rosinality_config(state: Mapping[str, Tensor]) -> GeneratorConfig:
    """Sizes of a published generator, from the shapes of its weights.

    Raises:
        ValueError: If entries are missing, or the sizes are not those of a StyleGAN2.
    """
    try:
        doublings = sum(name.endswith(".conv.weight") and name.startswith("to_rgbs.")
                        for name in state)
        if doublings > MOST_DOUBLINGS:
            raise ValueError(f"state must be of at most {MOST_DOUBLINGS} doublings.")
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
        state: Weights by their published names; all of the noise or none.
        latent_avg: Mean code, (dim,) or (layers, dim), the latter with equal rows; estimated by
            `mean_code` if None.

    Raises:
        ValueError: If an entry is missing, left over or of another shape, or a filter is not
            [1, 3, 3, 1].
    """
    config, rest = rosinality_config(state), dict(state)
    for name in [name for name in state if _FILTER.match(name)]:
        check_filter(rest.pop(name), name, gain=4.0)  # one in four of the pixels is not zero
    if not any(name.startswith("noises.") for name in state):
        rest |= {f"noises.noise_{j}": own_noise(j) for j in range(config.layers - 1)}
    return fill(config, rest, _names(config), latent_avg)


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
        for half in range(2):
            number = 2 * i + half
            yield from _convolution(f"{block}.conv{half}", f"convs.{number}", number + 1)
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
