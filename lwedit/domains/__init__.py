"""Domains: a generator, codes with labels, judges, and the attributes worth editing."""

from lwedit.domains.base import EditTask
from lwedit.domains.digits import DigitsDomain

__all__ = ["DigitsDomain", "EditTask"]
