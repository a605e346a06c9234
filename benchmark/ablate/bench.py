"""What the ablation needs of a domain: fits, held-out codes, verdicts of judges.

Both domains give for each edit the codes to fit on, held-out source codes whose image the judge
reads right before the edit, held-out target codes, and two verdicts an image afterwards: whether
the edit is seen, and how much of the rest is still there.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from benchmark.ablate.variants import AblationPreset
from benchmark.presets import RunConfig
from benchmark.transport.sources import attribute_data, classifier_of, digits_data, of_count
from lwedit.domains import DigitsDomain, FacesDomain
from lwedit.editors import FitData

__all__ = ["Bench", "DigitsBench", "FacesBench", "Verdicts"]


class Verdicts(NamedTuple):
    """What judges say of edited images.

    Attributes:
        changed: 1 where the edit is seen.
        kept: Share of the rest that is still there: digits of the image, or the other attributes.
    """

    changed: Float[Tensor, " n"]
    kept: Float[Tensor, " n"]


class Bench(ABC):
    """A domain, ready for the ablation.

    Attributes:
        name: Of the domain.
        edits: Names of the edits.
        kept: What `Verdicts.kept` is, in words.
        group_by: Attributes that sample weights go by.
    """

    name: str
    edits: tuple[str, ...]
    kept: str
    group_by: tuple[str, ...]

    def __init__(self, preset: AblationPreset):
        self.preset = preset
        self.edits = self.edits[: preset.edits]

    @abstractmethod
    def data(self, edit: str, seed: int) -> FitData:
        """Codes to fit on."""

    @abstractmethod
    def codes(self, edit: str) -> tuple[Tensor, Tensor]:
        """Held-out source codes and held-out target codes."""

    @abstractmethod
    def judge(self, edit: str, w: Tensor, w_edit: Tensor) -> Verdicts:
        """Draw and look."""


class DigitsBench(Bench):
    """Adding a digit."""

    name = "digits"
    edits = ("2→3", "1→2", "3→4")
    kept = "every digit of the reconstruction is still there"
    group_by = ("has_0", "has_1")

    def __init__(self, preset: AblationPreset):
        super().__init__(preset)
        self.domain = DigitsDomain.load()
        self.heldout = self.domain.latents("heldout")
        self.classifier = classifier_of(self.domain.latents("train"), RunConfig().learning)

    def data(self, edit: str, seed: int) -> FitData:
        """Codes of n and n + 1 digits."""
        return digits_data(self.domain, int(edit[0]), self.classifier, seed=seed)

    def codes(self, edit: str) -> tuple[Tensor, Tensor]:
        """Of images whose reconstruction is counted right."""
        n = int(edit[0])
        w = self.heldout.w[of_count(self.heldout, n)][: self.preset.images]
        right = self.domain.score(self.domain.generate(w)).count == n
        return w[right], self.heldout.w[of_count(self.heldout, n + 1)]

    def judge(self, edit: str, w: Tensor, w_edit: Tensor) -> Verdicts:
        """Count and classes of the digits."""
        before, after = (self.domain.score(self.domain.generate(v)) for v in (w, w_edit))
        changed = after.count >= int(edit[0]) + 1
        kept = (after.classes >= before.classes).all(dim=1)
        return Verdicts(changed.float(), kept.float())


class FacesBench(Bench):
    """Adding an attribute to a face."""

    name = "faces"
    edits = ("eyeglasses", "smiling", "masculine")
    kept = "share of the other attributes whose verdict stays"
    group_by = ("long_hair", "mouth_open")

    def __init__(self, preset: AblationPreset):
        super().__init__(preset)
        self.domain = FacesDomain.load()
        self.heldout = self.domain.latents("heldout")
        self.classifier = classifier_of(self.domain.latents("train"))

    def data(self, edit: str, seed: int) -> FitData:
        """Codes without and with the attribute."""
        return attribute_data(self.domain, edit, self.classifier, seed=seed)

    def codes(self, edit: str) -> tuple[Tensor, Tensor]:
        """Those that the scoring judge sees without and with it."""
        pair = self.heldout.pair(edit)
        return pair.source[: self.preset.images], pair.target

    def judge(self, edit: str, w: Tensor, w_edit: Tensor) -> Verdicts:
        """The scoring judge's verdicts."""
        k = self.domain.attributes.index(edit)
        before, after = (
            self.domain.score(self.domain.generate(v)) > 0.5 for v in (w, w_edit)
        )
        others = torch.arange(len(self.domain.attributes)) != k
        same = (before == after)[:, others].float().mean(dim=1)
        return Verdicts(after[:, k].float(), same)
