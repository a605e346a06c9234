"""Generators: noise to codes to images."""

from lwedit.generators.stylegan2 import Generator, GeneratorConfig, Mapping, Synthesis

__all__ = ["Generator", "GeneratorConfig", "Mapping", "Synthesis"]
