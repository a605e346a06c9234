"""FfhqDomain: StyleGAN2's W+ with CelebA's forty labels, and a photo's way into it.

It is an `AttributeDomain` whose codes are those of real photos: the first 90 % train, the last 10 %
are held out, as in LT. Labels are CelebA's own, given by people for the photo behind each code, so
no network of this project named them. Scores of images need an attribute network, which the user
gives; without it the page shows edits and the latent classifier's verdict, and says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from lwedit.domains.base import Part
from lwedit.domains.ffhq.files import (
    CELEBA_ATTRIBUTES,
    CODES,
    ENCODER,
    GENERATOR,
    JUDGE,
    LABELS,
    default_folder,
    read_codes,
    read_labels,
    remedy,
)
from lwedit.generators import Generator
from lwedit.generators.checkpoints import load_generator
from lwedit.inversion.psp import PspEncoder, load_psp
from lwedit.judges.faces import FaceJudge
from lwedit.judges.identity import (
    FeatureIdentity,
    Identified,
    Identity,
    networks_at_hand,
)
from lwedit.latents import LatentSet, Space, hash_state

__all__ = ["FfhqDomain"]

_TRAIN = 0.9
_RAREST = 0.01  # share of the rarer label below which an attribute is not edited
_JUDGE_SIDE = 64


@dataclass(frozen=True)
class FfhqDomain(Identified):
    """Networks that the user brought; see `load`.

    Attributes:
        generator: w -> x.
        encoder: Photo -> w, if there is one.
        judge: Attributes of images, if there is one.
        folder: Where everything lies.
    """

    generator: Generator
    encoder: PspEncoder | None
    judge: FaceJudge | None
    folder: Path

    name: ClassVar[str] = "ffhq"
    attributes: ClassVar[tuple[str, ...]] = CELEBA_ATTRIBUTES

    @classmethod
    def load(cls, folder: Path | None = None) -> "FfhqDomain":
        """Read what is in the folder.

        Args:
            folder: `default_folder()` by default.

        Raises:
            ValueError: If the generator is missing, with the way to get it; if a file is damaged,
                of another architecture, or does not fit the generator.
        """
        folder = default_folder() if folder is None else Path(folder)
        if not (folder / GENERATOR).is_file():
            raise ValueError(
                f"{folder} must hold {GENERATOR}, and does not. {remedy((GENERATOR,))}"
            )
        generator = load_generator(folder / GENERATOR)
        encoder = load_psp(folder / ENCODER) if (folder / ENCODER).is_file() else None
        sizes = (generator.config.layers, generator.config.dim)
        if encoder and (encoder.config.layers, encoder.config.dim) != sizes:
            raise ValueError(
                f"{folder / ENCODER} must make codes of shape {sizes} for the generator, got "
                f"{(encoder.config.layers, encoder.config.dim)}."
            )
        judge = FaceJudge.load(folder / JUDGE) if (folder / JUDGE).is_file() else None
        if judge and judge.attributes != cls.attributes:
            raise ValueError(f"{folder / JUDGE} must answer CelebA's attributes, in their order.")
        return cls(generator, encoder, judge, folder)

    @cached_property
    def weights(self) -> dict[str, str]:
        """Hash of each network's weights, by which editors and runs know what made them."""
        networks = {"generator": self.generator, "encoder": self.encoder, "judge": self.judge}
        return {name: hash_state(one.state_dict()) for name, one in networks.items() if one}

    @cached_property
    def space(self) -> Space:
        """W+ of this generator."""
        config = self.generator.config
        return Space(hash_state(self.generator.state_dict()), "W+", config.layers, config.dim)

    @property
    def has_codes(self) -> bool:
        """Whether there are codes with labels to learn from."""
        return (self.folder / CODES).is_file() and (self.folder / LABELS).is_file()

    @cached_property
    def _labels(self) -> Int64[Tensor, "n 40"]:
        if not self.has_codes:
            raise ValueError(
                f"{self.folder} must hold {CODES} and {LABELS} to learn edits from; "
                f"{remedy((CODES, LABELS))}"
            )
        return read_labels(self.folder / LABELS)

    @cached_property
    def editable(self) -> tuple[str, ...]:
        """Attributes that are neither constant nor very rare in the labels; none without labels."""
        if not self.has_codes:
            return ()
        share = self._labels.double().mean(dim=0)
        rare = torch.minimum(share, 1 - share)
        return tuple(name for name, r in zip(self.attributes, rare, strict=True) if r >= _RAREST)

    def latents(
        self, part: Part, *, progress: bool = False, most: int | None = None  # noqa: ARG002
    ) -> LatentSet:
        """Codes of photos and CelebA's labels.

        Args:
            part: "train", the first 90 %, or "heldout", the others.
            progress: Not used: nothing here takes long.
            most: Only so many of the first.

        Raises:
            ValueError: If codes or labels are missing or do not belong together or to the space.
        """
        y, total = self._labels, len(self._labels)
        cut = int(_TRAIN * total)
        first, last = (0, cut) if part == "train" else (cut, total)
        last = last if most is None else min(first + most, last)
        # One row beyond the labels: a file with more codes than labels is of other labels.
        everything = read_codes(
            self.folder / CODES, self.space.layers, self.space.dim, slice(total - 1, total + 1)
        )
        if len(everything) != 1:
            raise ValueError(f"{CODES} must have a code for each of the {total} rows of {LABELS}.")
        w = read_codes(self.folder / CODES, self.space.layers, self.space.dim, slice(first, last))
        return LatentSet(w, y[first:last], self.attributes, self.space)

    def encode(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n layers dim"]:
        """Aligned photos (`lwedit.inversion.align`) of any size -> codes.

        Raises:
            ValueError: If there is no encoder, with the way to get it.
        """
        if self.encoder is None:
            raise ValueError(
                f"{self.folder} must hold {ENCODER} to read photos. {remedy((ENCODER,))}"
            )
        return self.encoder.encode(x)

    @torch.no_grad()
    def generate(
        self, w: Float[Tensor, "n layers dim"], batch: int = 2
    ) -> Float[Tensor, "n c h w"]:
        """w -> x in batches; at 1024 px an image takes seconds on a CPU."""
        return torch.cat([self.generator(part) for part in w.split(batch)])

    def score(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n attributes"]:
        """Probability of each attribute by the user's judge.

        Raises:
            ValueError: If there is none.
        """
        if self.judge is None:
            raise ValueError(
                f"{self.folder} must hold {JUDGE}, an attribute network for CelebA's 40 labels as "
                "FaceJudge.save writes it, to score images."
            )
        return self.judge.probabilities(_judged(x))

    @cached_property
    def measures(self) -> dict[str, Identity]:
        """Face networks at hand, and the judge's features, where there is one, last."""
        found = networks_at_hand()
        if self.judge is not None:
            judge = self.judge
            found.append(FeatureIdentity("features", lambda x: judge.features(_judged(x))))
        return {measure.name: measure for measure in found}

    def facts(self) -> Mapping[str, Any]:
        """Nothing: the judge is the user's, and only they know how good it is."""
        return {}


def _judged(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c 64 64"]:
    if x.shape[-1] == _JUDGE_SIDE:
        return x
    size = (_JUDGE_SIDE, _JUDGE_SIDE)
    return functional.interpolate(x, size, mode="bilinear", antialias=True)
