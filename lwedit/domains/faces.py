"""The faces domain: a DCGAN of 64x64 faces that nobody has, two judges, ten attributes.

Everything starts from files in `assets/faces/`. Codes are z, standard Gaussian in 100 dimensions,
drawn by seed: 30,000 for editors to learn from, labelled by the naming judge, and 4,000 held out,
labelled by the scoring judge. The two were trained on labels of different faces, so what an editor
learnt from one is not what the other measures. Labels are computed at first use and cached under
the hash of the weights that made them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from lwedit.domains.base import Part
from lwedit.generators.dcgan import Dcgan, load_dcgan
from lwedit.judges.faces import FACE_ATTRIBUTES, FaceJudge
from lwedit.judges.identity import (
    FeatureIdentity,
    Identified,
    Identity,
    Remembered,
    networks_at_hand,
)
from lwedit.latents import LatentSet, Space, hash_state
from lwedit.shipped import assets, default_cache

__all__ = ["ASSETS", "FacesDomain"]

ASSETS = assets("faces")
_SIZES: dict[Part, int] = {"train": 30_000, "heldout": 4_000}
_SEEDS: dict[Part, int] = {"train": 31, "heldout": 32}


@dataclass(frozen=True)
class FacesDomain(Identified):
    """Shipped networks of the faces domain; see `load`.

    Attributes:
        generator: w -> x.
        naming_judge: Labels the training codes.
        scoring_judge: Labels the held-out codes and scores edits.
        cache: Folder of computed labels.
        report: What is known of the judges, from judges.json.
    """

    generator: Dcgan
    naming_judge: FaceJudge
    scoring_judge: FaceJudge
    cache: Path
    report: Mapping[str, Any]

    name: ClassVar[str] = "faces"
    attributes: ClassVar[tuple[str, ...]] = FACE_ATTRIBUTES
    editable: ClassVar[tuple[str, ...]] = FACE_ATTRIBUTES

    @classmethod
    def load(cls, assets: Path = ASSETS, cache: Path | None = None) -> "FacesDomain":
        """Read the shipped weights.

        Args:
            assets: Folder with generator.safetensors and judges/.
            cache: Where labels are kept between runs; `default_cache()` by default.

        Raises:
            ValueError: If a file is missing, damaged, or of another architecture.
        """
        judges = {}
        for name in ("naming", "scoring"):
            path = assets / "judges" / f"{name}.safetensors"
            judges[name] = FaceJudge.load(path)
            if judges[name].attributes != cls.attributes:
                raise ValueError(f"{path} must answer {cls.attributes}.")
        report = assets / "judges" / "judges.json"
        return cls(
            load_dcgan(assets / "generator.safetensors"),
            judges["naming"],
            judges["scoring"],
            default_cache() if cache is None else Path(cache),
            json.loads(report.read_text()) if report.exists() else {},
        )

    @cached_property
    def weights(self) -> dict[str, str]:
        """Hash of each network's weights, by which codes and runs know what made them."""
        networks = ("generator", "naming_judge", "scoring_judge")
        return {name: hash_state(getattr(self, name).state_dict()) for name in networks}

    @cached_property
    def space(self) -> Space:
        """Z of this generator."""
        return Space(self.weights["generator"], "Z", 1, self.generator.dim)

    def codes(self, part: Part) -> Float[Tensor, "n 1 dim"]:
        """The training or held-out codes, z ~ N(0, I) by seed."""
        rng = torch.Generator().manual_seed(_SEEDS[part])
        return torch.randn(_SIZES[part], 1, self.generator.dim, generator=rng)

    def latents(self, part: Part, *, progress: bool = False) -> LatentSet:
        """Codes and labels, from the cache where it has them."""
        return self.abridged(part, _SIZES[part], progress=progress)

    def abridged(self, part: Part, n: int, *, progress: bool = False) -> LatentSet:
        """The first n codes and labels of `latents(part)`, or all if there are fewer.

        Args:
            part: Which codes.
            n: How many of them.
            progress: Show a bar.

        Raises:
            ValueError: If n is not positive.
        """
        if n < 1:
            raise ValueError(f"n must be positive, got {n}.")
        n = min(n, _SIZES[part])
        for path in (self._cached(part, n), self._cached(part, _SIZES[part])):
            if path.exists():
                return LatentSet.load(path).subset(torch.arange(n))
        w = self.codes(part)[:n]
        bar = tqdm(w.split(100), "labelling", unit="batch", disable=not progress)
        see = (self.naming_judge if part == "train" else self.scoring_judge).probabilities
        y = torch.cat([see(self.generate(batch)) > 0.5 for batch in bar]).long()
        latents = LatentSet(w, y, self.attributes, self.space)
        path = self._cached(part, n)
        path.parent.mkdir(parents=True, exist_ok=True)
        latents.save(path)
        return latents

    def _cached(self, part: Part, n: int) -> Path:
        judge = "naming_judge" if part == "train" else "scoring_judge"
        made = f"{n}x{_SEEDS[part]}_both_sides"  # other codes have other labels
        by = f"{self.weights['generator'][:12]}_{self.weights[judge][:12]}"
        return self.cache / f"faces_{part}_{made}_{by}.npz"

    @torch.no_grad()
    def generate(
        self, w: Float[Tensor, "n layers dim"], batch: int = 100
    ) -> Float[Tensor, "n c h w"]:
        """w -> x in batches."""
        return torch.cat([self.generator(part) for part in w.split(batch)])

    def score(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n attributes"]:
        """Probability of each attribute by the scoring judge."""
        return self.scoring_judge.probabilities(x)

    @cached_property
    def measures(self) -> dict[str, Identity]:
        """Face networks at hand, and the naming judge's features last."""
        found = networks_at_hand()
        found.append(FeatureIdentity("features", self.naming_judge.features))
        return {measure.name: Remembered(measure) for measure in found}

    def facts(self) -> Mapping[str, Any]:
        """Accuracy of the judges on faces that neither was trained on, identity of strangers."""
        return self.report
