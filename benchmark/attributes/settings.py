"""Every setting of an attribute run, and the presets, in one visible table.

`paper` on faces scores 150 held-out faces an edit: ten attributes in two directions, 3,000 faces in
all, where the paper has 1,000. With four methods, three seeds and all floors that is what an hour
on two cores allows; `--images 500` asks for more.
"""

from dataclasses import dataclass, fields
from typing import Any, Literal

__all__ = ["DIRECTIONS", "LEVELS", "NEIGHBOURS", "PRESETS", "AttributeConfig", "preset"]

DIRECTIONS = ("add", "remove")
LEVELS = (0.5, 0.7, 0.9)  # target changes at which methods are compared
NEIGHBOURS = 5  # of the k-nearest-neighbour distance


@dataclass(frozen=True)
class AttributeConfig:
    """A run of the attribute benchmark.

    Attributes:
        domain: "faces", "toy" or "codes".
        methods: Names from `baselines.METHODS` or of the user's own.
        floors: Whether the floors and the ceiling stand beside the methods.
        attributes: Target attributes; empty for all that the domain calls editable.
        seeds: Seeds; each has its own latent classifier and editors.
        train_codes: How many training codes the latent classifier learns from.
        editor_codes: How many of those the editors learn from.
        heldout_codes: How many held-out codes there are to choose from.
        test_images: Most held-out codes a direction on which edits are scored.
        calibration: Most other held-out codes a direction on which d is found.
        change_at_d: Target change that d is meant to reach.
        largest_d: Where the search for d ends; a method that needs more gets this d and the
            mark "not reached".
        alphas: Number of strengths in [d, 2 d].
        real_images: Most held-out real codes of the target class whose images FID and KID see.
        slow_images: Test images on which slow identity networks score, at 90 % target change.
        pictured: Test images whose pictures are kept, for the grids.
        classifier_hidden: Hidden widths of the latent classifier.
        lw_blur: Blurs among which held-out codes choose, see `LatentWassersteinConfig`.
        lw_rounds: Most rounds of `alternate`.
        lw_lam: lambda of LW. The paper has 1, for logits of another classifier.
        lw_line: Whether `alternate` knows how far codes draw together along the line through the
            means, see `LatentWassersteinConfig`.
        lw_back: What LW and LW(*) run backwards to remove an attribute, see there.
        bootstrap: Resamples behind each interval.
        device: "cpu", or "cuda" where there is one.
        batch: Images drawn and seen at a time.
        own_method: FILE.py:CLASS of the user's own editor, or empty.
        codes: File or folder of the user's codes, for the domain "codes".
        labels: File of their labels.
        codes_layers: Into how many layers a flattened code of theirs falls, 0 if it is not.
        codes_key: Which array, where their file holds several.
        codes_seed: Seed by which codes are shuffled before they are split.
    """

    domain: str = "faces"
    methods: tuple[str, ...] = ("lw", "lw_star", "lt", "lt_star")
    floors: bool = True
    attributes: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    train_codes: int = 30_000
    editor_codes: int = 6_000
    heldout_codes: int = 4_000
    test_images: int = 500
    calibration: int = 200
    change_at_d: float = 0.5
    largest_d: float = 4.0
    alphas: int = 10
    real_images: int = 500
    slow_images: int = 10
    pictured: int = 4
    classifier_hidden: tuple[int, ...] = (512, 256)
    lw_blur: tuple[float, ...] = (0.3,)
    lw_rounds: int = 4
    lw_lam: float = 0.7
    lw_line: bool = True
    lw_back: Literal["map", "mean"] = "mean"
    bootstrap: int = 1_000
    device: str = "cpu"
    batch: int = 100
    own_method: str = ""
    codes: str = ""
    labels: str = ""
    codes_layers: int = 0
    codes_key: str = ""
    codes_seed: int = 0

    def __post_init__(self) -> None:
        for name in ("methods", "seeds"):
            if not getattr(self, name):
                raise ValueError(f"{name} must name at least one, got none.")
        for name in ("methods", "attributes", "seeds"):
            values = getattr(self, name)
            if len(set(values)) != len(values):
                raise ValueError(f"{name} must differ from each other, got {values}.")
        least = {"alphas": 2, "test_images": 2, "calibration": 2, "train_codes": 20,
                 "heldout_codes": 20, "editor_codes": 20, "bootstrap": 1, "batch": 1,
                 "real_images": 4, "pictured": 0, "slow_images": 0}
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise ValueError(f"{name} must be at least {smallest}, got {getattr(self, name)}.")
        if not 0 < self.change_at_d < 1:
            raise ValueError(f"change_at_d must lie in (0, 1), got {self.change_at_d}.")
        if not self.largest_d > 0:
            raise ValueError(f"largest_d must be positive, got {self.largest_d}.")


_FOUR = ("masculine", "pale_skin", "smiling", "eyeglasses")
_CHANGES: dict[str, dict[str, Any]] = {
    "smoke": {"seeds": (0,), "train_codes": 3_000, "heldout_codes": 1_200, "editor_codes": 3_000,
              "test_images": 50, "calibration": 30, "alphas": 5, "real_images": 150,
              "slow_images": 4, "lw_rounds": 2, "bootstrap": 200},
    "default": {"train_codes": 12_000, "heldout_codes": 2_500, "test_images": 100,
                "calibration": 60, "real_images": 250, "bootstrap": 500},
    "paper": {},
}
_OF_DOMAIN: dict[tuple[str, str], dict[str, Any]] = {
    ("smoke", "faces"): {"attributes": _FOUR[2:]},
    ("default", "faces"): {"attributes": _FOUR},
    ("smoke", "toy"): {"editor_codes": 1_500, "test_images": 100, "calibration": 60},
    ("default", "toy"): {"test_images": 250, "calibration": 120},
    # Ten attributes, two directions: 20 edits, 3,000 faces in all, each drawn at 10 to 14
    # strengths for every method and seed. More faces an edit are hours on two cores. Editors
    # learn from all codes that the latent classifier learns from, as in the paper.
    ("paper", "faces"): {"test_images": 150, "calibration": 100, "editor_codes": 27_000},
    **{(name, "codes"): {"pictured": 0} for name in _CHANGES},  # nothing to look at
}
PRESETS: dict[str, dict[str, Any]] = {
    name: {field.name: field.default for field in fields(AttributeConfig)} | changes
    for name, changes in _CHANGES.items()
}


def preset(name: str, domain: str) -> AttributeConfig:
    """The configuration of a preset on a domain.

    Args:
        name: One of `PRESETS`.
        domain: "faces", "toy" or "codes".

    Raises:
        ValueError: If there is no such preset.
    """
    if name not in PRESETS:
        raise ValueError(f"preset must be one of {list(PRESETS)} for {domain}, got {name!r}.")
    changes = {"domain": domain} | _OF_DOMAIN.get((name, domain), {})
    return AttributeConfig(**PRESETS[name] | changes)
