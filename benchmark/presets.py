"""Every setting of every method on every domain, and every preset: the only such place.

The page, the ablation and the measurements of transport read the settings from here. A run's
configuration holds them whole, by method, under `settings`; "classifier" there is the latent
classifier that the editors learn from.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from lwedit.classifier import ClassifierConfig
from lwedit.editors import NeuralConfig

__all__ = ["DIRECTIONS", "LEVELS", "NEIGHBOURS", "NEURAL", "PRESETS", "AttributeConfig",
           "DigitsConfig", "RunConfig", "config_class", "preset", "settings_of"]

DIRECTIONS = ("add", "remove")
LEVELS = (0.5, 0.7, 0.9)  # target changes at which methods are compared
NEIGHBOURS = 5  # of the k-nearest-neighbour distance
Settings = Mapping[str, Mapping[str, Any]]

# LW neural by domain. The shipped editors of the digits were fitted with these settings.
_COUNTS = ("at_least_2", "at_least_3", "at_least_4")
NEURAL: dict[str, NeuralConfig] = {"digits": NeuralConfig(
    cells=16, candidates=4, classes=tuple(f"has_{c}" for c in range(10)), counts=_COUNTS,
    steps=6_000, compiled=True,
)}
_PLACE = (0, 1, 2)


def settings_of(
    domain: str, *, layers: tuple[int, ...] | None = _PLACE, **changes: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """The settings of every method on a domain that are not its defaults.

    Args:
        domain: "digits", "faces", "toy", "codes" or, of the page alone, "ffhq".
        layers: Of digits, the layers that LW and the floors edit, all if None. Layers 0-2 are
            those up to 8 px and the first at 16 px, where things get their place; moved
            everywhere, LW too convinces the latent classifier before the image changes. LT keeps
            every layer, as published; so does the ceiling.
        changes: By method, or "classifier", what is to be set otherwise.

    Raises:
        ValueError: If no method of that name has settings there.
    """
    table = {"digits": lambda: _digits(layers), "ffhq": _ffhq}.get(domain, _attributes)()
    for name, change in changes.items():
        if name not in table:
            raise ValueError(f"changes must be of {', '.join(table)} on {domain}, got {name!r}.")
        table[name] |= change
    return table


def _digits(layers: tuple[int, ...] | None) -> dict[str, dict[str, Any]]:
    """Of digits.

    lam is 0: the count is the only attribute that the paper's digits have, and whichever class is
    added changes its own has_c, so nothing is left to preserve. More rounds redraw digits that were
    there, fewer leave some images of three digits without a fourth. With the grid LW is
    weight-tied over the cells of a code (`lwedit.editors.solvers.ridge_tied`): a map of its own for
    every cell learns the noise of the plans, and kept all digits of .37-.43 of the validation
    images where a tied one kept .50-.56. There are some 5,600 training codes of each count. The
    latent classifier sees its codes moved between the centroids of few and of many digits without
    a change of label: trained as LT's it reads off how much ink there is in all, and LW on every
    layer convinced it of all codes at alpha 1.0, where no image of two or three digits had got
    another. All of it was chosen on the last tenth of the training codes.
    """
    affine = {"lam": 0.0, "blur": (0.15,), "rounds": 2, "ridge": (1e-2,), "grid": 4,
              "most_codes": 6_000, "layers": layers}
    # Restricted after the fit; the others know layers in theirs, or edit all.
    restricted = ("random", "centroids", "lt_restricted", "interfacegan", "interfacegan_cond",
                  "lightsb", "ulightot", "wstar")
    return {
        "classifier": {"hidden": (512, 256), "epochs": 8, "lr": 1e-3, "shift": 0.22,
                       "shift_along": _COUNTS},
        "lw": dict(affine), "lw_star": dict(affine), "lw_perceptual": dict(affine),
        "lw_every_layer": affine | {"layers": None},
        # A run needs no C++ compiler.
        "lw_neural": asdict(replace(NEURAL["digits"], compiled=False)),
        "data": {"layers": layers},  # what a fit is told that looks at the generator itself
        "lt_few_layers": {"layers": layers}, "gaussian_ot": {"layers": layers},
        **{name: {"restrict": layers} for name in restricted if layers},
    }


def _attributes() -> dict[str, dict[str, Any]]:
    """Of domains of attributes; the paper has lam = 1, for logits of another classifier."""
    affine = {"blur": (0.3,), "rounds": 4, "lam": 0.7, "line": True, "back": "mean"}
    return {"classifier": {"hidden": (512, 256)}, "lw": dict(affine), "lw_star": dict(affine),
            "lw_perceptual": dict(affine), "lw_paper": {"biased": True}}


def _ffhq() -> dict[str, dict[str, Any]]:
    """Of FFHQ, where nothing was chosen but how long a fit may take."""
    affine = {"blur": (0.3,), "rounds": 4}
    return {"classifier": {"hidden": (512, 256)}, "lw": dict(affine), "lw_star": dict(affine),
            "lw_perceptual": dict(affine)}


@dataclass(frozen=True)
class RunConfig:
    """What every run has.

    Attributes:
        domain: "digits", "faces", "toy" or "codes".
        methods: Names of `benchmark.methods.REGISTRY`, or of the user's own.
        floors: Whether the floors and the ceiling stand beside the methods.
        seeds: Seeds; each has its own latent classifier and editors. The last tenth of the
            training codes validates, for all seeds.
        train_codes: How many training codes the latent classifier learns from.
        editor_codes: How many of those the editors learn from.
        heldout_codes: How many held-out codes there are to choose from.
        test_images: Most held-out images on which an edit is scored.
        settings: By method, and of the latent classifier; those of the domain if empty.
        bootstrap: Resamples behind each interval.
        device: "cpu", or "cuda" where there is one.
        batch: Images drawn and seen at a time.
        own_method: FILE.py:CLASS of the user's own editor, or empty.
    """

    domain: str
    methods: tuple[str, ...] = ("lw", "lw_star", "lt", "lt_star")
    floors: bool = True
    seeds: tuple[int, ...] = (0, 1, 2)
    train_codes: int = 30_000
    editor_codes: int = 6_000
    heldout_codes: int = 4_000
    test_images: int = 500
    settings: Settings = field(default_factory=dict, hash=False)
    bootstrap: int = 1_000
    device: str = "cpu"
    batch: int = 100
    own_method: str = ""

    def __post_init__(self) -> None:
        if not self.settings:
            object.__setattr__(self, "settings", settings_of(self.domain))
        for name in ("methods", "seeds"):
            if not getattr(self, name):
                raise ValueError(f"{name} must name at least one, got none.")
        self._check_differ("methods", "seeds")
        self._check_least(train_codes=20, editor_codes=20, heldout_codes=20, bootstrap=1, batch=1)

    def _check_differ(self, *names: str) -> None:
        for name in names:
            values = getattr(self, name)
            if len(set(values)) != len(values):
                raise ValueError(f"{name} must differ from each other, got {values}.")

    def _check_least(self, **least: int) -> None:
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise ValueError(f"{name} must be at least {smallest}, got {getattr(self, name)}.")

    @property
    def learning(self) -> ClassifierConfig:
        """Settings of the latent classifier."""
        return ClassifierConfig(**self.settings["classifier"])


@dataclass(frozen=True)
class DigitsConfig(RunConfig):
    """A run that chooses one strength for all images of a task; see `RunConfig`.

    Attributes:
        tasks: Edits, such as "1→2", which adds a digit, or "2→1", which removes one.
        strengths: The alphas that every method has to choose from, once for all images of a task.
        validation_images: How many images of the last tenth of the training codes are edited at
            each of them, dealt out among the seeds.
        alpha_max: Largest strength tried for the paper's two ways to choose it.
        alpha_step: Spacing of those.
        refit: Whether methods that are shipped fitted are fitted again.
    """

    domain: str = "digits"
    methods: tuple[str, ...] = ("lw", "lt")
    train_codes: int = 25_000
    editor_codes: int = 25_000
    bootstrap: int = 2_000
    tasks: tuple[str, ...] = ("1→2", "2→3", "3→4")
    strengths: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
    validation_images: int = 120
    alpha_max: float = 8.0
    alpha_step: float = 0.1
    refit: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_differ("tasks", "strengths")
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


@dataclass(frozen=True)
class AttributeConfig(RunConfig):
    """A run over a grid of strengths, adding and removing attributes; see `RunConfig`.

    Attributes:
        attributes: Target attributes; empty for all that the domain calls editable.
        calibration: Most other held-out codes a direction on which d is found.
        change_at_d: Target change that d is meant to reach.
        largest_d: Where the search for d ends; a method that needs more gets this d and the
            mark "not reached".
        alphas: Number of strengths in [d, 2 d].
        real_images: Most held-out real codes of the target class whose images FID and KID see.
        slow_images: Test images on which slow identity networks score, at 90 % target change.
        pictured: Test images whose pictures are kept, for the grids.
        codes: File or folder of the user's codes, for the domain "codes".
        labels: File of their labels.
        codes_layers: Into how many layers a flattened code of theirs falls, 0 if it is not.
        codes_key: Which array, where their file holds several.
        codes_seed: Seed by which codes are shuffled before they are split.
    """

    domain: str = "faces"
    attributes: tuple[str, ...] = ()
    calibration: int = 200
    change_at_d: float = 0.5
    largest_d: float = 4.0
    alphas: int = 10
    real_images: int = 500
    slow_images: int = 10
    pictured: int = 4
    codes: str = ""
    labels: str = ""
    codes_layers: int = 0
    codes_key: str = ""
    codes_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_differ("attributes")
        self._check_least(alphas=2, test_images=2, calibration=2, real_images=4, pictured=0,
                          slow_images=0)
        if not 0 < self.change_at_d < 1:
            raise ValueError(f"change_at_d must lie in (0, 1), got {self.change_at_d}.")
        if not self.largest_d > 0:
            raise ValueError(f"largest_d must be positive, got {self.largest_d}.")


_FOUR = ("masculine", "pale_skin", "smiling", "eyeglasses")
_FEW = {"rounds": 2}
_ATTRIBUTES: dict[str, dict[str, Any]] = {
    "smoke": {"seeds": (0,), "train_codes": 3_000, "heldout_codes": 1_200, "editor_codes": 3_000,
              "test_images": 50, "calibration": 30, "alphas": 5, "real_images": 150,
              "slow_images": 4, "settings": settings_of("faces", lw=_FEW, lw_star=_FEW,
                                                    lw_perceptual=_FEW),
              "bootstrap": 200},
    "default": {"train_codes": 12_000, "heldout_codes": 2_500, "test_images": 100,
                "calibration": 60, "real_images": 250, "bootstrap": 500},
    "paper": {},
}
# By domain and preset, what it changes of the configuration; a domain that is not here has those of
# `_ATTRIBUTES`.
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "digits": {
        "smoke": {"seeds": (0,), "train_codes": 4_000, "test_images": 100, "bootstrap": 200,
                  "alpha_step": 0.2, "validation_images": 20},
        "default": {},
        # What results/digits shows: removing as well, and what layers have to do with it.
        "full": {"methods": ("lw_paper", "lw", "lw_neural", "lt", "lt_restricted", "lt_few_layers",
                             "lw_every_layer"),
                 "tasks": (*DigitsConfig.tasks, "2→1", "3→2", "4→3")},
        # LT's classifier as published. With it LW has to leave layer 2 alone as well: chosen, as
        # the default's layers, on the last tenth of the training codes.
        "published": {"settings": settings_of("digits", layers=(0, 1), classifier={
            "epochs": 20, "lr": 1e-4, "shift": 0.0, "shift_along": ()})},
        "paper": {"seeds": (0, 1, 2, 3, 4), "methods": ("lw", "lw_star", "lt", "lt_star"),
                  "test_images": 1_000},
    },
    # Ten attributes, two directions: 20 edits, with 150 faces each 3,000 in all where the paper has
    # 1,000, each drawn at 10 to 14 strengths for every method and seed: what an hour on two cores
    # allows. Editors learn from all codes that the latent classifier learns from, as in the paper.
    "faces": {
        "smoke": _ATTRIBUTES["smoke"] | {"attributes": _FOUR[2:]},
        "default": _ATTRIBUTES["default"] | {"attributes": _FOUR},
        "paper": {"test_images": 150, "calibration": 100, "editor_codes": 27_000},
    },
    "toy": {
        "smoke": _ATTRIBUTES["smoke"] | {"editor_codes": 1_500, "test_images": 100,
                                         "calibration": 60},
        "default": _ATTRIBUTES["default"] | {"test_images": 250, "calibration": 120},
        "paper": {},
    },
    "codes": {name: changes | {"pictured": 0} for name, changes in _ATTRIBUTES.items()},
}


def config_class(domain: str) -> type[RunConfig]:
    """The class of a domain's configurations."""
    return DigitsConfig if domain == "digits" else AttributeConfig


def preset(name: str, domain: str) -> RunConfig:
    """The configuration of a preset on a domain.

    Args:
        name: Of the preset.
        domain: Of the domain.

    Raises:
        ValueError: If there is no such preset.
    """
    known = PRESETS.get(domain, _ATTRIBUTES)
    if name not in known:
        raise ValueError(f"preset must be one of {list(known)} for {domain}, got {name!r}.")
    return config_class(domain)(**{"domain": domain} | known[name])
