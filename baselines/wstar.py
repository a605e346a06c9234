"""W*: InterFaceGAN in a space where attributes are linear and distances perceptual.

Shukor, Yao, Damodaran, Hellier, "Semantic and Geometric Unfolding of StyleGAN Latent Space", 2021.
A bijection T of codes (`baselines.wstar_flow`) minimises L_a + l_d L_d + l_ID L_ID (Eq. 5) with

    L_a  = sum over attributes of BCE(C_i(T(w)), y_i),  C linear, trained in W+, frozen    (Eq. 2)
    L_d  = 1/(N-1) sum over pairs of (D(T(w), T(w')) - perceptual distance)^2              (Eq. 1)
    L_ID = |F(G(w)) - F(G(T^-1(T(w) + e)))|^2,  e normal noise                             (Eq. 4)

D is the mean square difference, the perceptual distance rescaled to the mean of D in W+ (the
paper multiplies by 10 to the same end). The edit is w' = T^-1(T(w) + alpha n), n the normal of an
SVM in W* (`baselines.interfacegan`), as long as the class means are apart there. F are features
of codes, whose squared distance is the perceptual one: handed in, else those of the generator's own
maps (`generator_features`); with neither there are no L_d and L_ID, which is the paper's W*_a.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from baselines.interfacegan import InterFaceGanConfig, normal
from baselines.wstar_flow import (
    CodeFeatures,
    RealNvp,
    Unfolding,
    generator_features,
    linear_classifiers,
    pairwise,
)
from lwedit.editors import Editor, FitData
from lwedit.latents import LatentSet, Space
from lwedit.vocabulary import flatten_codes

__all__ = ["WStar", "WStarConfig", "unfold"]


@dataclass(frozen=True)
class WStarConfig:
    """Training of T.

    Attributes:
        couplings: Steps of RealNVP: 3 to edit as in the paper, which measures with 13.
        hidden: Units of its inner layers.
        distance: l_d.
        identity: l_ID.
        noise: Deviation of e, in that of the codes.
        steps: Steps of Adam.
        lr: Its step size; the paper has 1e-4 for nine hours of a GPU.
        batch: Codes a step; the paper has 8.
        drawn: Codes that are drawn, for L_d.
        drawn_batch: Codes a step that are drawn again, for L_ID.
    """

    couplings: int = 3
    hidden: int = 128
    distance: float = 10.0
    identity: float = 1.0
    noise: float = 0.1
    steps: int = 600
    lr: float = 1e-3
    batch: int = 16
    drawn: int = 500
    drawn_batch: int = 4

    def __post_init__(self) -> None:
        least = {"couplings": 1, "hidden": 1, "steps": 0, "batch": 2, "drawn": 2, "drawn_batch": 1}
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise ValueError(f"{name} must be at least {smallest}, got {getattr(self, name)}.")


def unfold(
    train: LatentSet, features: CodeFeatures | None, config: WStarConfig, rng: torch.Generator, *,
    progress: bool = False,
) -> Unfolding:
    """Learn T from codes and all their labels.

    Args:
        train: Codes and labels.
        features: F(G(w)), differentiable; None for L_a alone.
        config: Settings.
        rng: Source of the first weights, batches and noise.
        progress: Show a bar.
    """
    x, y = flatten_codes(train.w), train.y.float()
    centre = x.mean(dim=0)
    scale = (x - centre).square().mean().sqrt().clamp(min=1e-12)
    flow = RealNvp(x.shape[1], config.couplings, config.hidden, rng).to(x.device)
    unfolding = Unfolding(flow, centre, scale)
    weight, bias = linear_classifiers((x - centre) / scale, y)
    if features is not None:
        with torch.no_grad():
            seen = torch.cat([features(part) for part in train.w[: config.drawn].split(50)])
        flat = ((x - centre) / scale)[: len(seen)]
        rescale = pairwise(flat).sum() / flat.shape[1] / pairwise(seen).sum().clamp(min=1e-12)
    parameters = [*flow.parameters()]
    optimiser = torch.optim.Adam(parameters, config.lr)
    for _ in tqdm(range(config.steps), "wstar", disable=not progress):
        some = torch.randint(len(x), (config.batch,), generator=rng).to(x.device)
        logits = unfolding.forward(train.w[some]) @ weight.T + bias
        loss = functional.binary_cross_entropy_with_logits(logits, y[some]) * y.shape[1]
        if features is not None and config.distance:
            some = torch.randint(len(seen), (config.batch,), generator=rng).to(x.device)
            apart = pairwise(unfolding.forward(train.w[some])) / x.shape[1]
            gap = (apart - rescale * pairwise(seen[some])).square()
            loss = loss + config.distance * gap.sum() / (len(some) - 1)
        if features is not None and config.identity:
            some = torch.randint(len(seen), (config.drawn_batch,), generator=rng).to(x.device)
            v = unfolding.forward(train.w[some])
            v = v + config.noise * torch.randn(v.shape, generator=rng).to(v)
            again = features(unfolding.inverse(v, train.space.layers))
            loss = loss + config.identity * (again - seen[some]).square().sum(dim=1).mean()
        for part, slope in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            part.grad = slope  # the generator's weights get none
        optimiser.step()
    flow.requires_grad_(False)
    return unfolding


class WStar(Editor):
    """W*: along the normal of an SVM in W*, and back.

    Attributes:
        unfolding: T.
        move: n, in W*, as long as the class means are apart there.
    """

    method: ClassVar[str] = "wstar"

    def __init__(
        self, attribute: str, space: Space, unfolding: Unfolding, move: Float[Tensor, " flat"]
    ):
        super().__init__(attribute, space)
        flat = space.layers * space.dim
        if (len(unfolding.centre), len(move)) != (flat, flat):
            raise ValueError(f"move must hold {flat} numbers, got {len(move)}.")
        self.unfolding, self.move = unfolding, move

    @classmethod
    def fit(
        cls, data: FitData, config: WStarConfig | None = None, *,
        features: CodeFeatures | None = None, progress: bool = False,
    ) -> "WStar":
        """Learn T, which no attribute has to itself, and the normal in W*.

        Args:
            data: Codes with labels, the latent classifier that says which codes are sure, and the
                generator, if there is one.
            config: Settings.
            features: F(G(w)) in place of the generator's own.
            progress: Show a bar.
        """
        config = WStarConfig() if config is None else config
        train, k = data.train, data.classifier.attributes.index(data.attribute)
        train.space.require(data.classifier.space)
        if features is None and data.generator is not None:
            features = generator_features(data.generator)
        rng = torch.Generator().manual_seed(data.seed)
        unfolding = unfold(train, features, config, rng, progress=progress)
        with torch.no_grad():
            v, y = unfolding.forward(train.w), train.labels(data.attribute)
            n = normal(v, y, data.classifier(train.w)[:, k], InterFaceGanConfig())
            apart = v[y == 1].mean(dim=0) - v[y == 0].mean(dim=0)
        return cls(data.attribute, train.space, unfolding, n * apart.norm())

    @torch.no_grad()
    def _moved(
        self, w: Float[Tensor, "n layers dim"], strength: Tensor
    ) -> Float[Tensor, "n layers dim"]:
        """(T^-1(T(w) + alpha n) - w) / alpha: the edit is no straight line in alpha."""
        alpha = strength.reshape(-1, 1).to(self.move)
        v = self.unfolding.forward(w.to(self.move)) + alpha * self.move
        move = self.unfolding.inverse(v, w.shape[1]) - w
        return move / torch.where(alpha == 0, 1.0, alpha)[:, :, None]

    def displacement(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """T^-1(T(w) + n) - w."""
        return self._moved(w, torch.ones(()))

    def displacement_back(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n layers dim"]:
        """w - T^-1(T(w) - n)."""
        return self._moved(w, -torch.ones(()))

    def state(self) -> dict[str, Tensor]:
        """T and n."""
        return self.unfolding.state() | {"move": self.move}

    @classmethod
    def restore(cls, state: dict[str, Tensor], attribute: str, space: Space) -> "WStar":
        """Inverse of `state`; refuses what is incomplete or of another space by a ValueError."""
        if "move" not in state:
            raise ValueError(f"state must hold move, got {sorted(state)}.")
        parts = {name: part for name, part in state.items() if name != "move"}
        return cls(attribute, space, Unfolding.restore(parts), state["move"])
