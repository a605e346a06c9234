"""Every variant of the ablation and every preset, in one visible table.

A variant is a method and the settings that it changes; "base" is what the others differ from by
one thing each. Floors are variants without settings.
"""

from dataclasses import dataclass
from typing import Any

from benchmark.presets import settings_of

__all__ = ["BASES", "EDITS", "FLOORS", "GROUP_BY", "KEPT", "PRESETS", "AblationPreset", "Variant",
           "variants_of"]


@dataclass(frozen=True)
class AblationPreset:
    """How much is measured.

    Attributes:
        seeds: Each draws other training codes and probes.
        codes: Training codes a side.
        images: Held-out images an edit.
        edits: How many edits of the domain.
        share: Latent change at which variants compare.
        adam_steps: Most steps of adam.
        resamples: Bootstrap samples.
    """

    seeds: tuple[int, ...] = (0, 1)
    codes: int = 2000
    images: int = 150
    edits: int = 2
    share: float = 0.9
    adam_steps: int = 200
    resamples: int = 1000


PRESETS: dict[str, AblationPreset] = {
    "smoke": AblationPreset(seeds=(0,), codes=300, images=20, edits=1, adam_steps=20,
                            resamples=100),
    "default": AblationPreset(),
    "full": AblationPreset(seeds=(0, 1, 2), codes=5000, images=500, edits=3, adam_steps=1000),
}


@dataclass(frozen=True)
class Variant:
    """One row of the table.

    Attributes:
        what: What it is about, the row's group.
        method: Name in `baselines.METHODS`.
        changes: Settings as `affine_config` takes them, empty for floors.
    """

    what: str
    method: str
    changes: dict[str, Any]


EDITS = {"digits": ("2→3", "1→2", "3→4"), "faces": ("eyeglasses", "smiling", "masculine")}
KEPT = {"digits": "every digit of the reconstruction is still there",
        "faces": "share of the other attributes whose verdict stays"}
GROUP_BY = {"digits": ("has_0", "has_1"), "faces": ("long_hair", "mouth_open")}
# The benchmark's own settings, without L_pres where no row says otherwise.
BASES: dict[str, dict[str, Any]] = {
    domain: settings_of(domain)["lw"] | {"lam": 0.0, "blur_held_out": 0.3} for domain in EDITS
}
FLOORS = ("centroids", "gaussian_ot")


def variants_of(domain: str) -> dict[str, Variant]:
    """The rows of a domain by name; layers only where there are some."""
    lw: dict[str, tuple[str, dict[str, Any]]] = {
        "base": ("base", {}),
        **{
            f"blur {blur:g}": ("blur", {"blur": (blur,)})
            for blur in (0.08, 0.15, 0.3, 0.5) if (blur,) != BASES[domain]["blur"]
        },
        "self-matches kept": ("debiasing", {"exclude_self_matches": False}),
        "weights as the prose": ("weights", {"weights": "prose"}),
        "weights as printed": ("weights", {"weights": "printed"}),
        "slope of the plan" if BASES[domain].get("line") else "slope of the line":
            ("slope", {"line": not BASES[domain].get("line", False)}),
        "translation": ("shape", {"shape": "translation", "grid": None}),
        "low rank 64": ("shape", {"shape": "low_rank", "rank": 64, "grid": None}),
        "lambda .1": ("lambda", {"lam": 0.1}),
        "lambda 1": ("lambda", {"lam": 1.0}),
        "lambda 1, probabilities": ("outputs", {"lam": 1.0, "outputs": "probabilities"}),
        "one round": ("stopping", {"rounds": 1}),
        "no ridge": ("stopping", {"ridge": (1e-6,)}),
        "adam, batch 512": ("solver", {"solver": "adam", "batch": 512}),
        "adam, batch 128": ("batch", {"solver": "adam", "batch": 128}),
    }
    if domain == "digits":
        lw |= {
            "lambda 1, constants kept": ("lambda", {"lam": 1.0, "keep_constant": True}),
            "a map of its own for every cell": ("shape", {"grid": None}),
            "layer 0 only": ("layers", {"layers": (0,)}),
            "layers 0-5": ("layers", {"layers": (0, 1, 2, 3, 4, 5)}),
            "every layer": ("layers", {"layers": None}),
        }
    rows = {name: Variant("floor", name, {}) for name in FLOORS}
    return rows | {name: Variant(what, "lw", changes) for name, (what, changes) in lw.items()}
