"""What the benchmark and the app need to know of an edit, whatever the domain."""

from dataclasses import dataclass

__all__ = ["EditTask"]


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
