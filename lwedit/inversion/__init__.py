"""Inversion: images to codes from which the generator draws them again."""

from lwedit.inversion.encoder import Encoder
from lwedit.inversion.training import AutoencoderConfig, AutoencoderTrainer

__all__ = ["AutoencoderConfig", "AutoencoderTrainer", "Encoder"]
