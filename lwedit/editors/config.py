"""Settings of Latent Wasserstein, in one visible table.

What the paper fixes is marked in `lwedit.editors.latent_wasserstein`; what it leaves open is
decided here, and `benchmark/ablation.py` shows what the decisions matter.
"""

from dataclasses import dataclass, fields
from typing import Literal

from lwedit.editors.affine import Shape
from lwedit.transport import WeightMode

__all__ = ["LatentWassersteinConfig"]

# Settings that one solver reads and the other does not.
_OF_SOLVER = {
    "alternate": ("grid", "line", "rounds", "ridge"),
    "adam": ("lr", "batch", "imbalance", "max_steps", "check_every", "patience", "scaling"),
}


@dataclass(frozen=True)
class LatentWassersteinConfig:
    """Settings of Latent Wasserstein; what the paper leaves open is chosen here.

    Attributes:
        solver: "adam", as in the paper, or "alternate", plan and ridge regression in turn.
        shape: Form of H.
        grid: per_layer, alternate: cells along a side of the grid into whose parts a code falls,
            cell after cell. H is then one rule for all cells (`lwedit.editors.ridge_tied`), which
            suits codes with a layout (`Synthesis.localise`). None ties nothing.
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
        leave_one_out: Whether L_edit keeps codes from matching themselves in its debiasing terms
            (`lwedit.transport.plans`): in alternate's rounds and in the held-out loss of both
            solvers. Without it both reward codes that shrink towards their mean.
        line: alternate: whether the slope of the move along the line through both means is that of
            the optimal map between Gaussians on it, not the plan's (`lwedit.editors.pull`).
        back: What alpha < 0 runs backwards: "map", H itself as in Eq. 1, or "mean", its mean move
            over the training codes. How a move depends on the code is learnt on codes without
            the attribute; alpha < 0 edits codes that have it.
        most_codes: Most training codes of each side, drawn at random: time and memory of a plan
            grow with their product.
        held_out: Most held-out codes of each side.
        rounds: alternate: rounds of plan and regression; the best one is kept.
        ridge: alternate: candidates, relative to the mean variance of a code's coordinate.
            Held-out codes choose in every round.
        lr: adam: step size.
        batch: adam: most codes of each side in a step; None is the paper's min(n_s, n_t).
        imbalance: adam: a last batch below this share of the others is dropped.
        max_steps: adam: most steps.
        check_every: adam: steps between two looks at the held-out loss.
        patience: adam: looks without improvement before stopping.
        scaling: adam: annealing of GeomLoss.
    """

    solver: Literal["alternate", "adam"] = "alternate"
    shape: Shape = "per_layer"
    grid: int | None = None
    rank: int = 64
    layers: tuple[int, ...] | None = None
    lam: float = 1.0
    outputs: Literal["logits", "probabilities"] = "logits"
    keep_constant: bool = False
    weights: WeightMode = "none"
    group_by: tuple[str, ...] = ()
    blur: tuple[float, ...] = (0.15, 0.3)
    blur_held_out: float = 0.3
    leave_one_out: bool = True
    line: bool = False
    back: Literal["map", "mean"] = "map"
    most_codes: int = 5000
    held_out: int = 1000
    rounds: int = 6
    ridge: tuple[float, ...] = (1e-3, 1e-2, 1e-1, 1.0)
    lr: float = 1e-3
    batch: int | None = None
    imbalance: float = 0.5
    max_steps: int = 1000
    check_every: int = 20
    patience: int = 5
    scaling: float = 0.9

    def __post_init__(self) -> None:
        if self.lam < 0:
            raise ValueError(f"lam must not be negative, got {self.lam}.")
        if not self.blur or (self.solver == "alternate" and not self.ridge):
            raise ValueError("blur and ridge must hold a candidate each, got an empty tuple.")
        if min(self.ridge, default=0.0) < 0:
            raise ValueError(f"ridge must not be negative, got {self.ridge}.")
        if self.grid is not None and (self.shape, self.solver) != ("per_layer", "alternate"):
            raise ValueError(
                f"grid must be None unless alternate fits a map per layer, got {self.grid} with "
                f"solver = {self.solver!r} and shape = {self.shape!r}."
            )
        for field in fields(self):
            given = getattr(self, field.name)
            if field.name not in _OF_SOLVER[self.solver] and given != field.default and any(
                field.name in names for names in _OF_SOLVER.values()
            ):
                raise ValueError(
                    f"{field.name} must be left out with solver = {self.solver!r}, which ignores "
                    f"it, got {given}."
                )
        if self.rank < 1:
            raise ValueError(f"rank must be positive, got {self.rank}.")
        if self.layers is not None and not self.layers:
            raise ValueError("layers must name a layer at least, or be None for all, got ().")
        if (self.weights == "none") == bool(self.group_by):
            raise ValueError(
                f"group_by must be given exactly when weights is not 'none', got "
                f"weights = {self.weights!r} and group_by = {self.group_by}."
            )
