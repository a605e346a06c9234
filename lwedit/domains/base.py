"""What the benchmark and the app need to know of a domain and of an edit.

A domain is a generator, codes with labels, judges, and the attributes worth editing. `digits`
has a shape of its own (edits start from a number of digits); every other domain is an
`AttributeDomain`: one editor an attribute, adding it for alpha > 0 to held-out codes that lack
it, removing it for alpha < 0 from held-out codes that have it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int64
from torch import Tensor

from lwedit.latents import LatentSet, Space

__all__ = [
    "FEWEST",
    "Abridged",
    "AttributeDomain",
    "EditTask",
    "ImageNetwork",
    "Part",
    "Photographed",
    "Seen",
]

Part = Literal["train", "heldout"]
FEWEST = 10  # held-out codes on each side of an edit that can be scored


@dataclass(frozen=True)
class EditTask:
    """One edit: which codes it starts from, and which attribute it adds or removes.

    Attributes:
        name: As it stands in tables, such as "1→2".
        attribute: Target attribute, which the editor adds for alpha > 0.
        count: Number of digits of the source images.
        sign: Of alpha: 1 adds the attribute, -1 removes it.
    """

    name: str
    attribute: str
    count: int
    sign: Literal[1, -1] = 1

    @property
    def stem(self) -> str:
        """The name in names of files."""
        return self.name.replace("→", "to")

    @property
    def adds(self) -> bool:
        """Whether a digit is added."""
        return self.sign > 0

    @property
    def direction(self) -> Literal["add", "remove"]:
        """The same in a word."""
        return "add" if self.adds else "remove"

    @property
    def wanted(self) -> int:
        """Number of digits of the edited images."""
        return self.count + self.sign

    @property
    def sides(self) -> tuple[int, int]:
        """Numbers of digits without and with the attribute."""
        return min(self.count, self.wanted), max(self.count, self.wanted)


@runtime_checkable
class AttributeDomain(Protocol):
    """A generator, codes with labels, and judges of images.

    Two judges: the naming judge labels the training codes, from which editors learn; the
    scoring judge labels the held-out codes and scores edits, and shares no label with the other.

    What is a property here is only read: a domain may have a constant or a cached property for it.
    """

    @property
    def name(self) -> str:
        """Short name, as on the command line."""
        ...

    @property
    def space(self) -> Space:
        """Where the codes live."""
        ...

    @property
    def attributes(self) -> tuple[str, ...]:
        """Everything the judges see, in the order of the labels."""
        ...

    @property
    def editable(self) -> tuple[str, ...]:
        """Attributes worth editing, a subset."""
        ...

    @property
    def weights(self) -> dict[str, str]:
        """Hash of each network's weights."""
        ...

    @property
    def identities(self) -> tuple[str, ...]:
        """Names of the identity measures, best first; the last one is fast."""
        ...

    def latents(self, part: Part, *, progress: bool = False) -> LatentSet:
        """Codes and labels, the training part's by the naming judge, the other's by the scoring."""
        ...

    def generate(
        self, w: Float[Tensor, "n layers dim"], batch: int = 100
    ) -> Float[Tensor, "n channels h w"]:
        """w -> x."""
        ...

    def score(self, x: Float[Tensor, "n channels h w"]) -> Float[Tensor, "n attributes"]:
        """Probability of each attribute by the scoring judge."""
        ...

    def identity(
        self,
        x: Float[Tensor, "n channels h w"],
        x_edit: Float[Tensor, "n channels h w"],
        measure: str,
    ) -> Float[Tensor, " n"]:
        """Similarity of each pair of images, 1 for the same image."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """What is known of the judges.

        facts()["scoring"]["attributes"][NAME] holds "accuracy", and "auc" where it is known.
        """
        ...


class ImageNetwork(NamedTuple):
    """A network that images are compared by.

    Attributes:
        name: As in the columns of results.csv, one word.
        features: x -> (n, dim), for FID and KID.
        maps: x -> feature maps, a tensor (n, c, h, w) a layer, for the perceptual distance.
    """

    name: str
    features: Callable[[Tensor], Tensor]
    maps: Callable[[Tensor], Sequence[Tensor]]


@runtime_checkable
class Seen(Protocol):
    """A domain that says which networks can compare its images; without it they are not."""

    def networks(self) -> tuple[ImageNetwork, ...]:
        """The scoring judge first, then others."""
        ...


@runtime_checkable
class Abridged(Protocol):
    """A domain that can label its first codes without labelling all of them."""

    def abridged(self, part: Part, n: int, *, progress: bool = False) -> LatentSet:
        """The first n codes and labels of `latents(part)`, or all if there are fewer."""
        ...


@runtime_checkable
class Photographed(Protocol):
    """A domain whose held-out codes are of photos, so that identity can be held against those."""

    def photos(self, index: Int64[np.ndarray, " m"]) -> Float[Tensor, "m channels h w"]:
        """Photos of held-out codes, by their rows."""
        ...
