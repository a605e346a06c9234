"""Editors: fitted edits of one attribute, behind one contract."""

from lwedit.editors.affine import AffineEditor, AffineMap, Shape
from lwedit.editors.base import Editor, FitData
from lwedit.editors.config import LatentWassersteinConfig, ResidualConfig
from lwedit.editors.latent_wasserstein import (
    LatentWasserstein,
    LatentWassersteinMlp,
    LatentWassersteinStar,
)
from lwedit.editors.residual import ResidualEditor, ResidualMap

__all__ = [
    "AffineEditor",
    "AffineMap",
    "Editor",
    "FitData",
    "LatentWasserstein",
    "LatentWassersteinConfig",
    "LatentWassersteinMlp",
    "LatentWassersteinStar",
    "ResidualConfig",
    "ResidualEditor",
    "ResidualMap",
    "Shape",
]
