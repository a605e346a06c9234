"""The digits domain: MultiMNIST images, the shipped StyleGAN2 and encoder, and two judges.

Everything starts from files in `assets/digits/`. Images are made from the shipped MNIST
digits by seed, so the 25,000 training and 4,000 held-out images are the same on every machine
and nothing is downloaded; their W+ codes are computed at first use and cached under the hash
of the weights that made them. Attributes are exact: at_least_2, at_least_3, at_least_4 (the
targets of the edits "add a digit" and "remove a digit") and has_0 ... has_9 (what should stay).
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from tqdm import tqdm

from lwedit.data import MultiMnist, MultiMnistConfig, digits_for, make_multimnist
from lwedit.domains.base import EditTask, Part
from lwedit.generators import Generator
from lwedit.generators.checkpoints import load_generator, load_weights
from lwedit.inversion import Encoder
from lwedit.judges import CLASSES, COUNT, DigitJudge
from lwedit.latents import LatentSet, Space, hash_state
from lwedit.shipped import assets, default_cache
from lwedit.vocabulary import to_unit_range

__all__ = ["ASSETS", "DigitScores", "DigitsDomain", "labels"]

ASSETS = assets("digits")
_SIZES: dict[Part, int] = {"train": 25_000, "heldout": 4_000}
_SEEDS: dict[Part, int] = {"train": 11, "heldout": 12}


class DigitScores(NamedTuple):
    """What the judges see in images.

    Attributes:
        count: Most probable number of digits.
        classes: Most probable number of digits of each class.
        confidence: Probability of the least certain of the ten class counts.
        count_confidence: Probability of the most probable number of digits.
    """

    count: Int64[Tensor, " n"]  # type: ignore[assignment]  # hides tuple.count
    classes: Int64[Tensor, "n 10"]
    confidence: Float[Tensor, " n"]
    count_confidence: Float[Tensor, " n"]


@dataclass(frozen=True)
class DigitsDomain:
    """Shipped networks and data of the digits domain; see `load`.

    Attributes:
        generator: w -> x.
        encoder: x -> w.
        count_judge: Number of digits in an image.
        classes_judge: Number of digits of each class.
        geometry: How images are made.
        cache: Folder of computed codes.
    """

    generator: Generator
    encoder: Encoder
    count_judge: DigitJudge
    classes_judge: DigitJudge
    geometry: MultiMnistConfig
    cache: Path

    name = "digits"
    tasks = tuple(EditTask(f"{n}→{n + 1}", f"at_least_{n + 1}", n) for n in (1, 2, 3))
    removals = tuple(EditTask(f"{n + 1}→{n}", f"at_least_{n + 1}", n + 1, -1) for n in (1, 2, 3))
    attributes = tuple(f"at_least_{n}" for n in (2, 3, 4)) + tuple(f"has_{c}" for c in range(10))

    @classmethod
    def load(cls, assets: Path = ASSETS, cache: Path | None = None) -> "DigitsDomain":
        """Read the shipped weights.

        Args:
            assets: Folder with generator.safetensors, mapping.safetensors where the generator's
                mapping is a flow, encoder.safetensors and judges/.
            cache: Where codes are kept between runs; `default_cache()` by default.

        Raises:
            ValueError: If a file is missing, damaged, or of another architecture.
        """
        generator = load_generator(assets / "generator.safetensors")
        config = generator.config
        encoder = Encoder(config.size, config.image_channels, config.layers, config.dim)
        load_weights(encoder, assets / "encoder.safetensors")
        return cls(
            generator,
            encoder.to(memory_format=torch.channels_last),
            DigitJudge.load(assets / "judges" / "count.safetensors", COUNT),
            DigitJudge.load(assets / "judges" / "classes.safetensors", CLASSES),
            MultiMnistConfig() if config.size == 64 else MultiMnistConfig.paper(),
            default_cache() if cache is None else Path(cache),
        )

    @cached_property
    def weights(self) -> dict[str, str]:
        """Hash of each network's weights, by which codes and runs know what made them.

        The generator counts without its mapping network: codes and edits never meet it.
        """
        networks = {
            "generator": self.generator.synthesis,
            "encoder": self.encoder,
            "count_judge": self.count_judge,
            "classes_judge": self.classes_judge,
        }
        return {name: hash_state(network.state_dict()) for name, network in networks.items()}

    @cached_property
    def space(self) -> Space:
        """W+ of this generator."""
        config = self.generator.config
        return Space(self.weights["generator"], "W+", config.layers, config.dim)

    def images(self, part: Part, n: int | None = None) -> MultiMnist:
        """The training or held-out images, or the first n of them, with their truth."""
        made = make_multimnist(
            digits_for("domain" if part == "train" else "heldout", self.geometry),
            _SIZES[part],
            self.geometry,
            np.random.default_rng(_SEEDS[part]),
        )
        return made if n is None else MultiMnist(*(field[:n] for field in made))

    def latents(self, part: Part, *, progress: bool = False) -> LatentSet:
        """Codes and labels of `images(part)`, from the cache where it has them."""
        made = f"{_SIZES[part]}x{_SEEDS[part]}"  # other images are other codes
        by = f"{self.weights['generator'][:12]}_{self.weights['encoder'][:12]}"
        path = self.cache / f"digits_{part}_{made}_{by}.npz"
        if path.exists():
            return LatentSet.load(path)
        images = self.images(part)
        w = self.encode(images, progress=progress)
        latents = LatentSet(w, labels(images), self.attributes, self.space)
        path.parent.mkdir(parents=True, exist_ok=True)
        latents.save(path)
        return latents

    def encode(
        self, images: MultiMnist, *, progress: bool = False
    ) -> Float[Tensor, "n layers dim"]:
        """Codes of real images."""
        x = to_unit_range(images.images).split(500)
        bar = tqdm(x, "encoding", unit="batch", disable=not progress)
        return torch.cat([self.encoder.encode(part) for part in bar])

    @torch.no_grad()
    def generate(
        self, w: Float[Tensor, "n layers dim"], batch: int = 100
    ) -> Float[Tensor, "n c h w"]:
        """w -> x in batches."""
        return torch.cat([self.generator(part) for part in w.split(batch)])

    def score(self, x: Float[Tensor, "n c h w"]) -> DigitScores:
        """What the judges see."""
        classes = self.classes_judge.probabilities(x).max(dim=2)
        count = self.count_judge.probabilities(x)[:, 0].max(dim=1)
        return DigitScores(
            count.indices, classes.indices, classes.values.min(dim=1).values, count.values
        )


def labels(images: MultiMnist) -> Int64[Tensor, "n attributes"]:
    """Exact labels of images, in the order of `DigitsDomain.attributes`."""
    counts = torch.from_numpy(images.counts)
    classes = torch.from_numpy(images.classes)
    more = [counts >= n for n in (2, 3, 4)]
    has = [(classes == c).any(dim=1) for c in range(10)]
    return torch.stack(more + has, dim=1).long()
