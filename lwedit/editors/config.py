"""Settings of Latent Wasserstein, in one visible table; those of a solver stand with the solver.

What the paper fixes is marked in `lwedit.editors.paper`; what it leaves open is decided here, and
`benchmark/ablation.py` shows what the decisions matter.
"""

from dataclasses import dataclass
from typing import Literal

from lwedit.editors.affine import Shape
from lwedit.editors.loss import Outputs
from lwedit.editors.solvers import AdamSolver, AlternateSolver
from lwedit.transport import WeightMode

__all__ = ["LatentWassersteinConfig"]


@dataclass(frozen=True)
class LatentWassersteinConfig:
    """Settings of Latent Wasserstein; what the paper leaves open is chosen here.

    Attributes:
        solver: `AdamSolver`, as in the paper, or `AlternateSolver`, plan and ridge regression in
            turn; each holds its own settings.
        shape: Form of H.
        rank: low_rank: how many principal axes of the codes H reads and writes.
        layers: Layers that H may move and L_edit compares, all if None. Layers may carry what the
            generator does not draw; `benchmark/ablation.py` tells which.
        lam: Weight lambda of L_pres. The paper has 1, and 15 for glasses; 0 is LW(*).
        outputs: Whether F gives logits or probabilities in L_pres.
        keep_constant: Whether L_pres also holds attributes that never vary in the training codes.
            They have no correlation with the target (LT counts NaN as 0, which preserves them in
            full), and no code tells what an edit may do to them.
        weights: Masses of the source codes, see `lwedit.transport.weights`.
        group_by: The "most common attributes" whose combinations are weighed; needed unless
            weights is "none", and never the target attribute itself.
        blur: Candidates, as fractions of the median distance between a source and a target
            code. Each is fitted; held-out codes choose.
        blur_held_out: Fraction at which held-out loss is measured, whatever the candidate.
        exclude_self_matches: Whether codes are barred from themselves in L_edit's debiasing terms
            (`lwedit.transport.plans`): in alternate's rounds and in the held-out loss of both
            solvers. Without it both reward codes that shrink towards their mean.
        back: What alpha < 0 runs backwards: "map", H itself as in Eq. 1, or "mean", its mean move
            over the training codes. How a move depends on the code is learnt on codes without
            the attribute; alpha < 0 edits codes that have it.
        most_codes: Most training codes of each side, drawn at random: time and memory of a plan
            grow with their product.
        held_out: Most held-out codes of each side.
    """

    solver: AlternateSolver | AdamSolver = AlternateSolver()
    shape: Shape = "per_layer"
    rank: int = 64
    layers: tuple[int, ...] | None = None
    lam: float = 1.0
    outputs: Outputs = "logits"
    keep_constant: bool = False
    weights: WeightMode = "none"
    group_by: tuple[str, ...] = ()
    blur: tuple[float, ...] = (0.15, 0.3)
    blur_held_out: float = 0.3
    exclude_self_matches: bool = True
    back: Literal["map", "mean"] = "map"
    most_codes: int = 5000
    held_out: int = 1000

    def __post_init__(self) -> None:
        if self.lam < 0:
            raise ValueError(f"lam must not be negative, got {self.lam}.")
        if not self.blur:
            raise ValueError("blur must hold a candidate, got an empty tuple.")
        self.solver.check(self.shape)
        if self.rank < 1:
            raise ValueError(f"rank must be positive, got {self.rank}.")
        if self.layers is not None and not self.layers:
            raise ValueError("layers must name a layer at least, or be None for all, got ().")
        if (self.weights == "none") == bool(self.group_by):
            raise ValueError(
                f"group_by must be given exactly when weights is not 'none', got "
                f"weights = {self.weights!r} and group_by = {self.group_by}."
            )
