"""LELSD: a direction that changes one part of the image and, on the way, of every feature map.

Pajouheshgar, Zhang, Suesstrunk, "Optimizing Latent Space Directions for GAN-based Local Image
Editing", ICASSP 2022. With r the feature maps of a code, r' those of the code moved by u, and s
the mean of both images' masks of the part, resized to each map and not differentiated,

    LS(u) = sum over maps of  sum_ij s_ij |r - r'|^2_ij / sum_ij |r - r'|^2_ij           (Eq. 2)
    J     = sum_k LS(u_k) + c R,   R = -1/2 |Corr(u_1 .. u_K) - I|_F                     (Eq. 3)

J is maximised by Adam, 1e-3, halved every 50 steps, on four codes a step, 200 steps a direction,
the u_k in turn. u moves each layer on its own (W+), all alike (W), or styles, where the codes are
styles and the generator is their `StyleSpace`. A step's u is as long as the class means are apart,
and is walked to either side. Masks are handed in; else they come from the generator, by k-means
of its own features, and the attribute's part is where the way between the class means changes the
features most for its size. `baselines.directions` says which u_k is the attribute's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from sklearn.cluster import KMeans
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from baselines.directions import choose
from lwedit.editors import AffineEditor, FitData
from lwedit.generators.features import Features, feature_maps

__all__ = ["KMeansParts", "Lelsd", "LelsdConfig", "Segment", "find_directions", "localisation"]

Segment = Callable[[Features], Float[Tensor, "n h w"]]  # 1 inside the part, 0 outside
_LARGEST = 16  # pixels of the map that k-means sees
_START = 0.01  # deviation of u's first entries: Adam's steps sum to ten times as much


@dataclass(frozen=True)
class LelsdConfig:
    """Search of LELSD.

    Attributes:
        directions: K.
        space: "W+" for a move of each layer, "W" for one that all share.
        correlation: c.
        steps: Steps a direction.
        lr: Adam's step size, halved every quarter of the steps.
        batch: Codes a step.
        parts: Clusters of k-means, where no masks are handed in.
        looked_at: Codes on which clusters and the attribute's part are found.
    """

    directions: int = 2
    space: Literal["W", "W+"] = "W+"
    correlation: float = 1.0
    steps: int = 200
    lr: float = 1e-3
    batch: int = 4
    parts: int = 6
    looked_at: int = 32

    def __post_init__(self) -> None:
        for name in ("directions", "steps", "batch", "parts", "looked_at"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")
        if self.space not in ("W", "W+"):
            raise ValueError(f"space must be W or W+, got {self.space!r}.")


def localisation(
    maps: list[Float[Tensor, "n _c _h _w"]],
    moved: list[Float[Tensor, "n _c _h _w"]],
    mask: Float[Tensor, "n h w"],
) -> Float[Tensor, " maps"]:
    """Eq. 2, map by map: share of the change that lies inside the mask, mean over images.

    Args:
        maps: Feature maps r.
        moved: Feature maps r'.
        mask: s, in [0, 1], of any size.
    """
    shares = []
    for r, r_moved in zip(maps, moved, strict=True):
        change = (r - r_moved).square().sum(dim=1)
        small = functional.interpolate(mask[:, None], change.shape[1:], mode="area")[:, 0]
        whole = change.sum(dim=(1, 2))
        shares.append(((small * change).sum(dim=(1, 2)) / (whole + 1e-12)).mean())
    return torch.stack(shares)


def find_directions(
    generator: nn.Module, w: Float[Tensor, "n layers dim"], segment: Segment, length: float,
    config: LelsdConfig, rng: torch.Generator, *, only: tuple[int, ...] | None = None,
    progress: bool = False,
) -> Float[Tensor, "k layers dim"]:
    """u_1 .. u_K, of a length, for the part that `segment` shows; in some layers `only`."""
    k, layers = config.directions, 1 if config.space == "W" else w.shape[1]
    on = torch.tensor([[only is None or i in only] for i in range(w.shape[1])]).to(w)
    u = (_START * torch.randn(k, layers, w.shape[2], generator=rng)).to(w).requires_grad_()
    optimiser = torch.optim.Adam([u], config.lr)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, max(k * config.steps // 4, 1), 0.5)
    for step in tqdm(range(k * config.steps), "lelsd", disable=not progress):
        some = w[torch.randint(len(w), (config.batch,), generator=rng).to(w.device)]
        sign = 1 if torch.rand((), generator=rng) < 0.5 else -1
        with torch.no_grad():
            before = feature_maps(generator, some)
        after = feature_maps(generator, some + sign * length * _unit(u * on)[step % k])
        with torch.no_grad():
            mask = (segment(before) + segment(after)) / 2
        score = localisation(before.maps, after.maps, mask).sum()
        if k > 1:
            apart = torch.corrcoef(u.flatten(1)) - torch.eye(k).to(u)
            score = score - config.correlation / 2 * (apart.square().sum() + 1e-12).sqrt()
        (u.grad,) = torch.autograd.grad(-score, u)  # the generator's weights get none
        optimiser.step()
        schedule.step()
    return length * _unit(u.detach() * on)


def _unit(u: Float[Tensor, "k layers dim"]) -> Float[Tensor, "k layers dim"]:
    return u / u.flatten(1).norm(dim=1)[:, None, None]


class KMeansParts:
    """Parts of the image without a network that knows any: k-means of the generator's features.

    Collins, Bala, Price, Suesstrunk, "Editing in Style", CVPR 2020: feature vectors of all places
    of one map, each divided by its length.

    Attributes:
        centres: A feature vector a part.
        index: Which of the feature maps they are of, the largest up to 16 pixels.
    """

    def __init__(self, features: Features, parts: int, seed: int):
        sizes = [part.shape[2] for part in features.maps]
        self.index = max((i for i, size in enumerate(sizes) if size <= _LARGEST), default=0)
        points = self._points(features).flatten(0, 2)
        found = KMeans(parts, n_init=3, random_state=seed).fit(points.detach().cpu().numpy())
        self.centres = torch.tensor(found.cluster_centers_).to(points)

    def __call__(self, features: Features) -> Float[Tensor, "n parts h w"]:
        """The mask of every part."""
        nearest = torch.cdist(self._points(features), self.centres[None]).argmin(dim=-1)
        return functional.one_hot(nearest, len(self.centres)).movedim(-1, 1).to(self.centres)

    def _points(self, features: Features) -> Float[Tensor, "n h w c"]:
        return functional.normalize(features.maps[self.index].movedim(1, -1), dim=-1)

    def part_of(self, before: Features, after: Features) -> int:
        """The part in which the feature maps change most for its size."""
        masks = (self(before) + self(after)) / 2
        size = masks.mean(dim=(0, 2, 3))
        share = [localisation(before.maps, after.maps, mask).mean() for mask in masks.unbind(1)]
        return int((torch.stack(share) / size.clamp(min=1e-3)).argmax())


class Lelsd(AffineEditor):
    """LELSD: one direction for every code."""

    method: ClassVar[str] = "lelsd"
    needs_generator: ClassVar[bool] = True

    @classmethod
    def fit(
        cls, data: FitData, config: LelsdConfig | None = None, *, segment: Segment | None = None,
        progress: bool = False,
    ) -> "Lelsd":
        """Find directions of one part, and the one that is the attribute's.

        Args:
            data: The generator, codes with labels, and the latent classifier.
            config: Settings.
            segment: Features to the mask of the part; by k-means if left out.
            progress: Show a bar.

        Raises:
            ValueError: If there is no generator.
        """
        config = LelsdConfig() if config is None else config
        if data.generator is None:
            raise ValueError("lelsd needs the generator's maps in FitData.generator, got None.")
        pair, w = data.train.pair(data.attribute), data.train.w
        apart = pair.target.mean(dim=0) - pair.source.mean(dim=0)
        if segment is None:
            with torch.no_grad():
                some = pair.source[: config.looked_at]
                before, after = (feature_maps(data.generator, x) for x in (some, some + apart))
            clusters = KMeansParts(before, config.parts, data.seed)
            part = clusters.part_of(before, after)
            segment = lambda features: clusters(features)[:, part]  # noqa: E731
        rng = torch.Generator().manual_seed(data.seed)
        found = find_directions(data.generator, w, segment, float(apart.norm()), config, rng,
                                only=data.layers, progress=progress)
        return cls(data.attribute, data.train.space, choose(found, data))
