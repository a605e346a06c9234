"""Images as networks see them, in batches: what the scoring of an edit needs besides verdicts."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lwedit.domains import AttributeDomain, FacesDomain, ImageNetwork, Seen
from lwedit.judges.faces import FaceJudge
from lwedit.metrics import frechet_distance, kernel_distance, perceptual_distance, ssim

__all__ = ["Likeness", "compare", "features_of", "in_batches", "networks_of", "of_halves"]


class Likeness(NamedTuple):
    """Edited images beside the unedited ones, and among real target images.

    Attributes:
        ssim: SSIM of each pair.
        perceptual: Distance of each pair in the first network's feature maps.
        fid: FID to real target images by each network.
        kid: KID likewise.
    """

    ssim: Float[Tensor, " n"]
    perceptual: Float[Tensor, " n"]
    fid: Float[Tensor, " networks"]
    kid: Float[Tensor, " networks"]


def in_batches(function: Callable[..., Tensor], *tensors: Tensor, batch: int) -> Tensor:
    """A function of images, or of pairs of them, applied to a batch at a time.

    Args:
        function: Works image by image.
        tensors: Its arguments, of the same length.
        batch: Images at a time.
    """
    parts = zip(*(tensor.split(batch) for tensor in tensors), strict=True)
    return torch.cat([function(*part) for part in parts])


def networks_of(domain: AttributeDomain) -> tuple[ImageNetwork, ...]:
    """Networks that compare images of a domain, the scoring judge first; none where it has none."""
    if isinstance(domain, Seen):
        return domain.networks()
    if isinstance(domain, FacesDomain):
        return (_judge("judge", domain.scoring_judge), _judge("other", domain.naming_judge))
    return ()


def _judge(name: str, judge: FaceJudge) -> ImageNetwork:
    def maps(x: Tensor) -> list[Tensor]:
        found = []
        for layer in judge.trunk:
            x = layer(x)
            found.append(x)
        return found[2:]  # from the first ReLU on

    return ImageNetwork(name, judge.features, maps)


def features_of(
    networks: Sequence[ImageNetwork], x: Tensor, batch: int
) -> tuple[Float[Tensor, "n _dim"], ...]:
    """Features of images by each network."""
    return tuple(in_batches(network.features, x, batch=batch) for network in networks)


def compare(
    networks: Sequence[ImageNetwork],
    x: Float[Tensor, "n channels h w"],
    x_edit: Float[Tensor, "n channels h w"],
    real: Sequence[Float[Tensor, "m _dim"]],
    batch: int,
) -> Likeness:
    """Edited images beside the unedited ones, and among real ones.

    Args:
        networks: At least one, the scoring judge first.
        x: Unedited images.
        x_edit: Edited images.
        real: Features of real target images by each network.
        batch: Images at a time.
    """
    judge = networks[0]

    def distance(a: Tensor, b: Tensor) -> Tensor:
        return perceptual_distance(judge.maps(a), judge.maps(b))

    edited = features_of(networks, x_edit, batch)
    return Likeness(
        in_batches(ssim, x, x_edit, batch=batch),
        in_batches(distance, x, x_edit, batch=batch),
        _stack(frechet_distance, edited, real),
        _stack(kernel_distance, edited, real),
    )


def of_halves(real: Sequence[Float[Tensor, "m _dim"]]) -> tuple[Tensor, Tensor]:
    """FID and KID between two halves of the real images: what is no difference at all."""
    first, second = ([one[half::2] for one in real] for half in (0, 1))
    return _stack(frechet_distance, first, second), _stack(kernel_distance, first, second)


def _stack(
    distance: Callable[[Tensor, Tensor], float], ours: Sequence[Tensor], theirs: Sequence[Tensor]
) -> Float[Tensor, " networks"]:
    pairs = zip(ours, theirs, strict=True)
    return torch.tensor([distance(u, v) for u, v in pairs], dtype=torch.float64)
