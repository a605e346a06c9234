"""Every setting of a run, and the presets, in one visible table."""

from dataclasses import dataclass, fields
from typing import Any

from lwedit.classifier import ClassifierConfig
from lwedit.editors import NeuralConfig

__all__ = ["NEURAL", "PRESETS", "RunConfig"]

_COUNTS = ("at_least_2", "at_least_3", "at_least_4")


@dataclass(frozen=True)
class RunConfig:
    """A run of the digits benchmark.

    Attributes:
        methods: Names from `benchmark.methods.DIGIT_METHODS`.
        floors: Whether the floors and the ceiling stand beside the methods.
        tasks: Edits, such as "1→2", which adds a digit, or "2→1", which removes one.
        seeds: Seeds; each has its own latent classifier and editors. The last tenth of the
            training codes validates, for all seeds.
        train_codes: How many of the 25,000 codes the latent classifier learns from.
        editor_codes: How many of those the editors learn from.
        test_images: Held-out images a task, before those with a miscounted reconstruction go.
        strengths: The alphas that every method has to choose from, once for all images of a task.
        validation_images: How many images of the last tenth of the training codes are edited at
            each of them, dealt out among the seeds.
        alpha_max: Largest strength tried for the paper's readings.
        alpha_step: Spacing of those.
        refit: Whether methods that are shipped fitted are fitted again.
        layers: Layers that LW and the floors edit, all if empty. Layers 0-2 are those up to 8 px
            and the first at 16 px, where things get their place; moved everywhere, LW too
            convinces the latent classifier before the image changes. LT keeps every layer, as
            published; so does the ceiling.
        lw_lam: Weight of L_pres. 0: the count is the only attribute that the paper's digits have,
            and whichever class is added changes its own has_c, so nothing is left to preserve.
        lw_blur: Blurs among which held-out codes choose, see `LatentWassersteinConfig`.
        lw_rounds: Most rounds of `alternate`. More of them redraw digits that were there, fewer
            leave some images of three digits without a fourth.
        lw_ridge: Ridges among which held-out codes choose.
        lw_grid: Cells along a side of the grid into which a code of this generator falls, for
            which LW has one rule (`lwedit.editors.ridge_tied`); 0 gives every entry its own. A
            map of its own for every cell learns the noise of the plans: where it had added a
            fourth digit to 99 % of the validation images it kept all digits of .37-.43 of them,
            with one rule .50-.56.
        lw_codes: Most training codes of each side; there are some 5,600 of each count.
        classifier_hidden: Hidden widths of the latent classifier.
        classifier_epochs: Its passes over the codes; LT has 20.
        classifier_lr: Its step size; LT has 1e-4.
        classifier_shift: How far its training codes are moved between the centroids of few and of
            many digits without a change of label, see `ClassifierConfig`; LT has 0. Trained
            as LT's it reads off how much ink there is in all: LW on every layer convinced it of
            all codes at alpha 1.0, where no image of two or three digits had got another, and
            Table 2 stops there. Chosen with `layers` on the last tenth of the training codes.
        bootstrap: Resamples behind each interval.
        device: "cpu", or "cuda" where there is one.
        batch: Images drawn at a time.
    """

    methods: tuple[str, ...] = ("lw", "lt")
    floors: bool = True
    tasks: tuple[str, ...] = ("1→2", "2→3", "3→4")
    seeds: tuple[int, ...] = (0, 1, 2)
    train_codes: int = 25_000
    editor_codes: int = 25_000
    test_images: int = 500
    strengths: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
    validation_images: int = 120
    alpha_max: float = 8.0
    alpha_step: float = 0.1
    refit: bool = False
    layers: tuple[int, ...] = (0, 1, 2)
    lw_lam: float = 0.0
    lw_blur: tuple[float, ...] = (0.15,)
    lw_rounds: int = 2
    lw_ridge: tuple[float, ...] = (1e-2,)
    lw_grid: int = 4
    lw_codes: int = 6_000
    classifier_hidden: tuple[int, ...] = (512, 256)
    classifier_epochs: int = 8
    classifier_lr: float = 1e-3
    classifier_shift: float = 0.22
    bootstrap: int = 2_000
    device: str = "cpu"
    batch: int = 100

    def __post_init__(self) -> None:
        if not self.seeds:
            raise ValueError("seeds must name at least one seed, got none.")
        if self.batch < 1:
            raise ValueError(f"batch must be at least 1, got {self.batch}.")
        for name in ("methods", "tasks", "seeds", "strengths"):
            values = getattr(self, name)
            if len(set(values)) != len(values):
                raise ValueError(f"{name} must differ from each other, got {values}.")
        if not 0 < self.alpha_step <= self.alpha_max:
            raise ValueError(
                f"alpha_step must lie in (0, alpha_max], got {self.alpha_step} "
                f"with alpha_max = {self.alpha_max}."
            )
        if not self.strengths or min(self.strengths) <= 0:
            raise ValueError(f"strengths must be some numbers above 0, got {self.strengths}.")
        if self.validation_images < len(self.seeds):
            raise ValueError(
                f"validation_images must be at least one a seed, got {self.validation_images} for "
                f"{len(self.seeds)} seeds."
            )

    @property
    def learning(self) -> ClassifierConfig:
        """Settings of the latent classifier."""
        return ClassifierConfig(
            hidden=self.classifier_hidden,
            epochs=self.classifier_epochs,
            lr=self.classifier_lr,
            shift=self.classifier_shift,
            shift_along=_COUNTS if self.classifier_shift else (),
        )


_CHANGES: dict[str, dict[str, Any]] = {
    "smoke": {"seeds": (0,), "train_codes": 4_000, "test_images": 100, "bootstrap": 200,
              "alpha_step": 0.2, "validation_images": 20},
    "default": {},
    # What results/digits shows: removing as well, and what layers have to do with it.
    "full": {"methods": ("lw_paper", "lw", "lw_neural", "lt", "lt_restricted", "lt_few_layers",
                         "lw_every_layer"),
             "tasks": (*RunConfig.tasks, "2→1", "3→2", "4→3")},
    # LT's classifier as published. With it LW has to leave layer 2 alone as well: chosen, as the
    # default's layers, on the last tenth of the training codes.
    "published": {"layers": (0, 1), "classifier_epochs": 20, "classifier_lr": 1e-4,
                  "classifier_shift": 0.0},
    "paper": {"seeds": (0, 1, 2, 3, 4), "methods": ("lw", "lw_star", "lt", "lt_star"),
              "editor_codes": 25_000, "test_images": 1_000},
}
PRESETS: dict[str, dict[str, Any]] = {
    name: {field.name: field.default for field in fields(RunConfig)} | changes
    for name, changes in _CHANGES.items()
}

# LW neural by domain. The shipped editors of the digits were fitted with these settings.
NEURAL: dict[str, NeuralConfig] = {"digits": NeuralConfig(
    cells=16, candidates=4, classes=tuple(f"has_{c}" for c in range(10)), counts=_COUNTS,
    steps=6_000, compiled=True,
)}
