"""The digits domain: MultiMNIST images, the shipped StyleGAN2 and encoder, and two judges.

Everything starts from files in `assets/digits/`. Images are made from the shipped MNIST
digits by seed, so the 25,000 training and 4,000 held-out images are the same on every machine
and nothing is downloaded; their W+ codes are computed at first use and cached under the hash
of the weights that made them. Attributes are exact: at_least_2, at_least_3, at_least_4 (the
targets of the three edits "add a digit") and has_0 ... has_9 (what should stay).
"""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor
from tqdm import tqdm

from lwedit.data import MultiMnist, MultiMnistConfig, digits_for, make_multimnist
from lwedit.domains.base import EditTask
from lwedit.generators import Generator, GeneratorConfig
from lwedit.inversion import Encoder
from lwedit.judges import CLASSES, COUNT, DigitJudge
from lwedit.latents import LatentSet, Space, hash_state
from lwedit.vocabulary import to_unit_range

__all__ = ["ASSETS", "DigitScores", "DigitsDomain", "Part", "default_cache"]

Part = Literal["train", "heldout"]
ASSETS = Path(__file__).resolve().parents[2] / "assets" / "digits"
_SIZES: dict[Part, int] = {"train": 25_000, "heldout": 4_000}
_SEEDS: dict[Part, int] = {"train": 11, "heldout": 12}


def default_cache() -> Path:
    """Folder of computed codes: $LWEDIT_CACHE, or .cache/lwedit beside the package."""
    return Path(os.environ.get("LWEDIT_CACHE", ASSETS.parents[1] / ".cache" / "lwedit"))


class DigitScores(NamedTuple):
    """What the judges see in images.

    Attributes:
        count: Most probable number of digits.
        classes: Most probable number of digits of each class.
        confidence: Probability of the least certain of the ten class counts.
    """

    count: Int64[Tensor, " n"]
    classes: Int64[Tensor, "n 10"]
    confidence: Float[Tensor, " n"]


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
    attributes = tuple(f"at_least_{n}" for n in (2, 3, 4)) + tuple(f"has_{c}" for c in range(10))

    @classmethod
    def load(cls, assets: Path = ASSETS, cache: Path | None = None) -> "DigitsDomain":
        """Read the shipped weights.

        Args:
            assets: Folder with generator.safetensors, encoder.safetensors and judges/.
            cache: Where codes are kept between runs; `default_cache()` by default.

        Raises:
            ValueError: If a file is missing, damaged, or of another architecture.
        """
        generator = load_generator(assets / "generator.safetensors")
        config = generator.config
        encoder = Encoder(config.size, config.image_channels, config.layers, config.dim)
        _fill(encoder, assets / "encoder.safetensors")
        return cls(
            generator,
            encoder.to(memory_format=torch.channels_last),
            DigitJudge.load(assets / "judges" / "count.safetensors", COUNT),
            DigitJudge.load(assets / "judges" / "classes.safetensors", CLASSES),
            MultiMnistConfig() if config.size == 64 else MultiMnistConfig.paper(),
            default_cache() if cache is None else Path(cache),
        )

    @cached_property
    def space(self) -> Space:
        """W+ of this generator."""
        config = self.generator.config
        return Space(hash_state(self.generator.state_dict()), "W+", config.layers, config.dim)

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
        encoder = hash_state(self.encoder.state_dict())
        path = self.cache / f"digits_{part}_{self.space.generator[:12]}_{encoder[:12]}.npz"
        if path.exists():
            return LatentSet.load(path)
        images = self.images(part)
        w = self.encode(images, progress=progress)
        latents = LatentSet(w, labels(images), self.attributes, self.space)
        path.parent.mkdir(parents=True, exist_ok=True)
        latents.save(path)
        return latents

    def encode(self, images: MultiMnist, *, progress: bool = False) -> Float[Tensor, "n layers dim"]:
        """Codes of real images."""
        x = to_unit_range(images.images).split(500)
        bar = tqdm(x, "encoding", unit="batch", disable=not progress)
        return torch.cat([self.encoder.encode(part) for part in bar])

    @torch.no_grad()
    def generate(self, w: Float[Tensor, "n layers dim"], batch: int = 100) -> Float[Tensor, "n c h w"]:
        """w -> x in batches."""
        return torch.cat([self.generator(part) for part in w.split(batch)])

    def score(self, x: Float[Tensor, "n c h w"]) -> DigitScores:
        """What the judges see."""
        probabilities = self.classes_judge.probabilities(x)
        best = probabilities.max(dim=2)
        return DigitScores(
            self.count_judge.predict(x)[:, 0], best.indices, best.values.min(dim=1).values
        )


def labels(images: MultiMnist) -> Int64[Tensor, "n attributes"]:
    """Exact labels of images, in the order of `DigitsDomain.attributes`."""
    counts = torch.from_numpy(images.counts)
    classes = torch.from_numpy(images.classes)
    more = [counts >= n for n in (2, 3, 4)]
    has = [(classes == c).any(dim=1) for c in range(10)]
    return torch.stack(more + has, dim=1).long()


def load_generator(path: Path) -> Generator:
    """A generator from a .safetensors file whose header holds its configuration.

    Raises:
        ValueError: If the file is missing, damaged or has no such header.
    """
    try:
        with safe_open(path, "pt") as file:
            sizes = {k: int(v) for k, v in file.metadata().items() if k in _INTEGERS}
            channels = tuple(int(c) for c in file.metadata()["channels"].split(","))
    except (OSError, SafetensorError, AttributeError, KeyError, ValueError) as error:
        raise ValueError(f"{path} must be a generator's .safetensors file: {error}") from error
    generator = Generator(GeneratorConfig(channels=channels, **sizes))
    _fill(generator, path)
    return generator.to(memory_format=torch.channels_last)


_INTEGERS = ("size", "image_channels", "dim", "mapping_layers")


def generator_metadata(config: GeneratorConfig) -> dict[str, str]:
    """The header that `load_generator` reads."""
    about = {name: str(getattr(config, name)) for name in _INTEGERS}
    return about | {"channels": ",".join(str(c) for c in config.channels)}


def _fill(module: torch.nn.Module, path: Path) -> None:
    try:
        state = load_file(path)
        module.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ValueError(f"{path} must hold the weights of {type(module).__name__}: {error}") from error
    module.eval().requires_grad_(False)
