"""Inversion: images to codes from which the generator draws them again."""

from lwedit.inversion.encoder import Encoder

__all__ = ["Encoder"]
