"""GANSpace: principal axes of w, moved along in a range of layers.

Haerkoenen, Hertzmann, Lehtinen, Paris, "GANSpace: Discovering Interpretable GAN Controls", NeurIPS
2020. With V the principal axes of w and s the deviations along them,

    w'_l = w_l + alpha s_c v_c  for the layers l of a range, w_l elsewhere

A person looks which component and which layers do what; here `baselines.directions` does. Codes of
real images have a w of their own in every layer: the axes are those of all layers' codes, each
about its layer's mean, which are the axes of w itself where all layers share it. In Z, whose axes
say nothing (z is isotropic), the paper takes those of the first layer's features and regresses z on
the coordinates: done where the generator is a DCGAN, whose first layer is linear.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from baselines.directions import choose, layer_groups, on_layers
from lwedit.editors import AffineEditor, FitData
from lwedit.generators.dcgan import Dcgan

__all__ = ["Axes", "GanSpace", "GanSpaceConfig", "axes_of_features", "principal_axes"]


@dataclass(frozen=True)
class GanSpaceConfig:
    """Search of GANSpace.

    Attributes:
        components: How many axes are looked at, the longest first.
    """

    components: int = 20

    def __post_init__(self) -> None:
        if self.components < 1:
            raise ValueError(f"components must be at least 1, got {self.components}.")


class Axes(NamedTuple):
    """Directions in a layer's code, the one of the largest spread first.

    Attributes:
        directions: v_c, unit vectors as rows.
        deviations: s_c, of the codes along them.
    """

    directions: Float[Tensor, "m dim"]
    deviations: Float[Tensor, " m"]


def principal_axes(w: Float[Tensor, "n layers dim"]) -> Axes:
    """PCA of the codes of all layers, each about its layer's mean."""
    centred = (w - w.mean(dim=0)).flatten(0, 1).double()
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
    return Axes(vectors.flip(1).T.to(w), values.flip(0).clamp(min=0).sqrt().to(w))


def axes_of_features(
    z: Float[Tensor, "n dim"], weight: Float[Tensor, "features dim"]
) -> Axes:
    """Directions in z by which the principal axes of weight z are moved along.

    Args:
        z: Codes.
        weight: The linear first layer; all that matters of it is its triangular factor, which has
            the same distances.

    Returns:
        Rows u_c of the regression z = sum_c x_c u_c on the coordinates x_c, as unit vectors, in the
        order of the features' axes; deviations are those of z along them.
    """
    z = z.double() - z.double().mean(dim=0)
    features = z @ torch.linalg.qr(weight.double()).R.T
    inner = principal_axes(features[:, None])
    coordinates = features @ inner.directions.T
    u = torch.linalg.lstsq(coordinates, z).solution
    u = u / u.norm(dim=1, keepdim=True)
    return Axes(u.float(), (z @ u.T).std(dim=0).float())


class GanSpace(AffineEditor):
    """GANSpace: one direction for every code."""

    method: ClassVar[str] = "ganspace"

    @classmethod
    def fit(cls, data: FitData, config: GanSpaceConfig | None = None) -> "GanSpace":
        """Find the axes, and the one that is the attribute's.

        Args:
            data: Codes, and the latent classifier that names directions. Labels are not used.
            config: Settings.
        """
        config = GanSpaceConfig() if config is None else config
        train = data.train
        train.space.require(data.classifier.space)
        if train.space.name == "Z" and isinstance(data.generator, Dcgan):
            axes = axes_of_features(train.w[:, 0], data.generator.first.weight.detach())
        else:
            axes = principal_axes(train.w)
        steps = (axes.directions * axes.deviations[:, None])[: config.components]
        moves = [on_layers(steps, group, train.space.layers) for group in layer_groups(data)]
        return cls(data.attribute, train.space, choose(torch.cat(moves), data))
