"""LW with a perceptual cost: codes are transported in a space where distance is that of images.

Doubinsky, Audebert, Crucianu, Le Borgne, "Wasserstein Loss for Semantic Editing in the Latent Space
of GANs", close by asking for a cost that is perceptual, |phi(x) - phi(y)|^2 between images in place
of |w - w'|^2 between codes. A proxy that codes alone can evaluate takes its place, one symmetric
matrix M_l a layer:

    min over M   mean over pairs of (sum_l |M_l (w_l - w'_l)|^2 - c |phi(x) - phi(x')|^2)^2

phi are the generator's own features (`generator_features`, the perceptual distance that W* learns
from as well). Then LW is solved for v = M w, its cost |v - v'|^2 / 2 and its regression there, and
H is carried back: H(w)_l = M_l^-1 H_v(M w)_l. The unit of v is such that codes spread as far as
before, so that lambda means the same. M is square and no direction costs nothing (`floor`): what
no image shows must not be free to move. Where LW is weight-tied over the cells of a code M is too.
"""

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from baselines.wstar_flow import CodeFeatures, generator_features, pairwise
from lwedit.classifier import LatentClassifier
from lwedit.editors import AffineEditor, AffineMap, FitData
from lwedit.editors import LatentWasserstein as Lw
from lwedit.editors import LatentWassersteinConfig as LwConfig

__all__ = ["LatentWassersteinPerceptual", "Metric", "PerceptualConfig", "learn_metric"]

_TRAIN, _HELD = 0.8, 2_000  # share of the drawn codes; pairs of the others, to choose the step


@dataclass(frozen=True)
class PerceptualConfig:
    """Settings of LW with a perceptual cost.

    Attributes:
        lw: Those of LW, whose map must be one a layer or a translation.
        drawn: Codes whose images' features are compared.
        floor: Share of the mean squared length that M gives every direction alike.
        steps: Steps of Adam.
        lr: Its step size, in that of the identity, where M starts.
        batch: Pairs a step.
        check: Steps between looks at the held-out pairs; the best M is kept.
    """

    lw: LwConfig = LwConfig()
    drawn: int = 500
    floor: float = 0.05
    steps: int = 600
    lr: float = 1e-2
    batch: int = 256
    check: int = 50

    def __post_init__(self) -> None:
        if self.lw.shape not in ("per_layer", "translation"):
            raise ValueError(f"lw must have shape per_layer or translation, got {self.lw.shape!r}.")
        if not 0 < self.floor <= 1:
            raise ValueError(f"floor must lie in (0, 1], got {self.floor}.")
        for name, least in {"drawn": 10, "steps": 0, "lr": 0, "batch": 1, "check": 1}.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}.")


class Metric(NamedTuple):
    """M, symmetric and positive definite, and its inverse."""

    matrix: Float[Tensor, "layers dim dim"]
    inverse: Float[Tensor, "layers dim dim"]

    @classmethod
    def of(
        cls, square: Float[Tensor, "layers part part"], w: Float[Tensor, "n layers dim"],
        floor: float,
    ) -> "Metric":
        """M = c A^(1/2) for learned A, with a floor, c such that codes spread as before."""
        part = square.shape[1]
        level = square.diagonal(dim1=1, dim2=2).mean() * torch.eye(part).to(square)
        values, vectors = torch.linalg.eigh(((1 - floor) * square + floor * level).double())
        root = vectors * values.sqrt()[:, None] @ vectors.mT
        cells = torch.eye(w.shape[2] // part).to(root)
        whole = torch.stack([torch.kron(cells, one) for one in root])
        centred = (w - w.mean(dim=0)).double()
        spread = _apply(whole, centred).square().sum().clamp(min=1e-300)
        whole = whole * (centred.square().sum() / spread).sqrt()
        return cls(whole.float(), torch.linalg.inv(whole).float())

    def enter(self, data: FitData) -> FitData:
        """The same data in v = M w; F answers as it did."""
        train, validation = (replace(part, w=_apply(self.matrix, part.w))
                             for part in (data.train, data.validation))
        return replace(data, train=train, validation=validation,
                       classifier=self._classifier(data.classifier))

    def leave(self, map: AffineMap) -> AffineMap:
        """A map of v as a map of the codes themselves."""
        weight = None if map.weight is None else self.inverse @ map.weight @ self.matrix
        back = None if map.back is None else _apply(self.inverse, map.back[None])[0]
        return AffineMap(weight, _apply(self.inverse, map.bias[None])[0], back=back)

    def _classifier(self, classifier: LatentClassifier) -> LatentClassifier:
        """F(M^-1 v): the first layer of F is affine in the code."""
        moved = deepcopy(classifier)
        size = self.matrix.shape[:2]
        first = moved.net[0]
        assert isinstance(first, nn.Linear)
        with torch.no_grad():
            first.weight.copy_(_apply(self.inverse, first.weight.unflatten(1, size)).flatten(1))
            moved.centre.copy_(_apply(self.matrix, moved.centre.view(1, *size)).flatten())
        return moved


def _apply(matrix: Tensor, w: Tensor) -> Tensor:
    """Symmetric matrices times the layers of codes."""
    return torch.einsum("lij,nlj->nli", matrix, w)


def learn_metric(
    w: Float[Tensor, "n layers dim"], apart: Float[Tensor, "n n"], cells: int,
    config: PerceptualConfig, rng: torch.Generator
) -> Float[Tensor, "layers part part"]:
    """M^T M, up to its unit, for which squared distances of codes are most like those of images.

    Args:
        w: Codes.
        apart: Squared distances of their images' features.
        cells: Equal parts into which a code of a layer falls, which share their block of M.
        config: Settings.
        rng: Source of the pairs.

    Raises:
        ValueError: If a code does not fall into so many parts.
    """
    if w.shape[2] % cells:
        raise ValueError(f"cells must divide a code of {w.shape[2]} entries, got {cells}.")
    cut = int(_TRAIN * len(w))
    aim = apart / apart[:cut, :cut].mean().clamp(min=1e-12)
    x = (w / pairwise(w[:cut].flatten(1)).mean().sqrt()).unflatten(2, (cells, -1))
    m = torch.eye(x.shape[3]).to(w).repeat(w.shape[1], 1, 1).requires_grad_()

    def error(first: int, last: int, count: int) -> Tensor:
        i, j = (torch.randint(first, last, (2, count), generator=rng)).to(w.device)
        moved = torch.einsum("lij,nlcj->nlci", m, x[i] - x[j])
        return (moved.square().sum(dim=(1, 2, 3)) - aim[i, j]).square().mean()

    optimiser = torch.optim.Adam([m], config.lr)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(config.steps, 1))
    best, least = m.detach().clone(), float("inf")
    for step in range(config.steps + 1):
        if step % config.check == 0 or step == config.steps:
            with torch.no_grad():
                found = float(error(cut, len(w), _HELD))
            if found < least:
                best, least = m.detach().clone(), found
        (m.grad,) = torch.autograd.grad(error(0, cut, config.batch), m)
        optimiser.step()
        decay.step()
    return best.mT @ best


class LatentWassersteinPerceptual(AffineEditor):
    """LW, its cost a proxy of the distance of images."""

    method: ClassVar[str] = "lw_perceptual"
    needs_generator: ClassVar[bool] = True

    @classmethod
    def fit(
        cls, data: FitData, config: PerceptualConfig | None = None, *,
        features: CodeFeatures | None = None, progress: bool = False,
    ) -> "LatentWassersteinPerceptual":
        """Learn M, which no attribute has to itself, and the edit.

        Args:
            data: Codes with labels, the latent classifier (used where lambda > 0), the generator.
            config: Settings.
            features: phi(G(w)) in place of the generator's own.
            progress: Show a bar.

        Raises:
            ValueError: If there are neither features nor a generator.
        """
        config = PerceptualConfig() if config is None else config
        if features is None:
            if data.generator is None:
                raise ValueError(f"{cls.method} needs the generator's maps in FitData, got None.")
            features = generator_features(data.generator)
        rng = torch.Generator().manual_seed(data.seed)
        order = torch.randperm(len(data.train), generator=rng)
        some = data.train.w[order[: config.drawn].to(data.train.w.device)]
        with torch.no_grad():
            apart = pairwise(torch.cat([features(part) for part in some.split(50)]))
        cells = (getattr(config.lw.solver, "grid", None) or 1) ** 2
        square = learn_metric(some, apart, cells, config, rng)
        metric = Metric.of(square, some, config.floor)
        found = Lw.fit(metric.enter(data), config.lw, progress=progress)
        return cls(data.attribute, data.train.space, metric.leave(found.map))
