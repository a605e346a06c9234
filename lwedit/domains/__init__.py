"""Domains: a generator, codes with labels, judges, and the attributes worth editing."""

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
