"""SeFa: the directions of w to which the generator's first step answers most, from weights alone.

Shen, Zhou, "Closed-Form Factorization of Latent Semantics in GANs", CVPR 2021. With A the affine
that reads a code, |A n|^2 over unit n is largest along the eigenvectors of A^T A. In a style-based
generator A stacks the style affines of the chosen layers, every row (a style) divided by its
length; in one without styles it is the first layer.

    w'_l = w_l + alpha s n  for the chosen layers l,  s the deviation of the codes along n.

The official code calls `eig` and does not sort: here `eigh`, the largest eigenvalue first. ToRGB
layers count only where a code feeds nothing else. A person looks what each direction does; here
`baselines.directions` does, and tries the groups of layers.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from baselines.directions import choose, layer_groups, on_layers
from lwedit.editors import AffineEditor, FitData
from lwedit.generators import Generator
from lwedit.generators.dcgan import Dcgan

__all__ = ["SeFa", "SeFaConfig", "first_affines", "semantic_directions"]


@dataclass(frozen=True)
class SeFaConfig:
    """Search of SeFa.

    Attributes:
        components: How many eigenvectors are looked at, those of the largest eigenvalues.
    """

    components: int = 20

    def __post_init__(self) -> None:
        if self.components < 1:
            raise ValueError(f"components must be at least 1, got {self.components}.")


def first_affines(generator: nn.Module) -> list[Float[Tensor, "_styles dim"]]:
    """What reads each layer of a code: the style affine of its convolution, or the first layer.

    Args:
        generator: A StyleGAN2 or a DCGAN.

    Raises:
        ValueError: If it is neither.
    """
    if isinstance(generator, Generator):
        return [affines[-1].weight.detach() for affines in generator.synthesis.affines()]
    if isinstance(generator, Dcgan):
        return [generator.first.weight.detach()]
    raise ValueError(
        f"generator must be a StyleGAN2 or a DCGAN for sefa, got {type(generator).__name__}."
    )


def semantic_directions(
    affines: list[Float[Tensor, "_styles dim"]], components: int
) -> Float[Tensor, "m dim"]:
    """Unit eigenvectors of A^T A, the largest eigenvalue first.

    Args:
        affines: Weights of the chosen layers.
        components: How many eigenvectors.
    """
    a = torch.cat(affines).double()
    a = a / a.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return torch.linalg.eigh(a.T @ a).eigenvectors.flip(1).T[:components].float()


class SeFa(AffineEditor):
    """SeFa: one direction for every code."""

    method: ClassVar[str] = "sefa"
    needs_generator: ClassVar[bool] = True

    @classmethod
    def fit(cls, data: FitData, config: SeFaConfig | None = None) -> "SeFa":
        """Find the directions, and the one that is the attribute's.

        Args:
            data: The generator, codes, and the latent classifier that names directions. Labels are
                not used.
            config: Settings.

        Raises:
            ValueError: If there is no generator, or its affines do not read these codes.
        """
        config = SeFaConfig() if config is None else config
        train = data.train
        train.space.require(data.classifier.space)
        if data.generator is None:
            raise ValueError("sefa needs the generator's weights in FitData.generator, got None.")
        affines = first_affines(data.generator)
        if len(affines) != train.space.layers or affines[0].shape[1] != train.space.dim:
            raise ValueError(
                f"generator must read codes of shape ({train.space.layers}, {train.space.dim}), "
                f"it reads ({len(affines)}, {affines[0].shape[1]})."
            )
        moves = []
        for group in layer_groups(data):
            n = semantic_directions([affines[i] for i in group], config.components).to(train.w)
            spread = (train.w[:, list(group)] @ n.T).std(dim=0).square().mean(dim=0).sqrt()
            moves.append(on_layers(spread[:, None] * n, group, train.space.layers))
        return cls(data.attribute, train.space, choose(torch.cat(moves), data))
