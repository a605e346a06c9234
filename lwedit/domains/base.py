"""What the benchmark and the app need to know of a domain and of an edit.

A domain is a generator, codes with labels, judges, and the attributes worth editing. `digits`
has a shape of its own (edits start from a number of digits); every other domain is an
`AttributeDomain`: one editor an attribute, adding it for alpha > 0 to held-out codes that lack
it, removing it for alpha < 0 from held-out codes that have it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from lwedit.latents import LatentSet, Space

__all__ = ["AttributeDomain", "EditTask", "Part"]

Part = Literal["train", "heldout"]


@dataclass(frozen=True)
class EditTask:
    """One edit: which codes it starts from and which attribute it adds.

    Attributes:
        name: As it stands in tables, such as "1→2".
        attribute: Target attribute; codes in `keep` with label 0 are the source.
        count: Number of digits of the source images.
    """

    name: str
    attribute: str
    count: int


@runtime_checkable
class AttributeDomain(Protocol):
    """A generator, codes with labels, and judges of images.

    Two judges: the naming judge labels the training codes, from which editors learn; the
    scoring judge labels the held-out codes and scores edits, and shares no label with the other.

    Attributes:
        name: Short name, as on the command line.
        space: Where the codes live.
        attributes: Everything the judges see, in the order of the labels.
        editable: Attributes worth editing, a subset.
        weights: Hash of each network's weights.
        identities: Names of the identity measures, best first; the last one is fast.
    """

    name: str
    space: Space
    attributes: tuple[str, ...]
    editable: tuple[str, ...]
    weights: dict[str, str]
    identities: tuple[str, ...]

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
