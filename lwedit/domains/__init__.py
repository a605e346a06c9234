"""Domains: a generator, codes with labels, judges, and the attributes worth editing."""

from typing import TYPE_CHECKING

from lwedit.domains.base import (
    Abridged,
    AttributeDomain,
    EditTask,
    ImageNetwork,
    Photographed,
    Seen,
)
from lwedit.domains.digits import DigitsDomain
from lwedit.domains.faces import FacesDomain
from lwedit.domains.toy import ToyDomain

if TYPE_CHECKING:
    from lwedit.domains.ffhq import FfhqDomain

    def _attribute_domains(
        faces: FacesDomain, ffhq: FfhqDomain, toy: ToyDomain
    ) -> tuple[AttributeDomain, ...]:
        return faces, ffhq, toy  # the type checker's proof that they are

__all__ = [
    "Abridged",
    "AttributeDomain",
    "DigitsDomain",
    "EditTask",
    "FacesDomain",
    "ImageNetwork",
    "Photographed",
    "Seen",
    "ToyDomain",
]
