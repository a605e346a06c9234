"""Generators: noise to codes to images, and the networks that train them."""

from lwedit.generators.discriminator import Discriminator
from lwedit.generators.stylegan2 import Generator, GeneratorConfig, Mapping, Synthesis

__all__ = ["Discriminator", "Generator", "GeneratorConfig", "Mapping", "Synthesis"]
