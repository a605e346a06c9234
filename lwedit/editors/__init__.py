"""Editors: fitted edits of one attribute, behind one contract."""

from lwedit.editors.affine import AffineEditor, AffineMap, Shape
from lwedit.editors.base import Editor, FitData
from lwedit.editors.cells import CellEditor, CellMap
from lwedit.editors.config import CellConfig, LatentWassersteinConfig, ResidualConfig
from lwedit.editors.latent_wasserstein import (
    LatentWasserstein,
    LatentWassersteinCells,
    LatentWassersteinMlp,
    LatentWassersteinStar,
)
from lwedit.editors.residual import ResidualEditor, ResidualMap

__all__ = [
    "AffineEditor",
    "AffineMap",
    "CellConfig",
    "CellEditor",
    "CellMap",
    "Editor",
    "FitData",
    "LatentWasserstein",
    "LatentWassersteinCells",
    "LatentWassersteinConfig",
    "LatentWassersteinMlp",
    "LatentWassersteinStar",
    "ResidualConfig",
    "ResidualEditor",
    "ResidualMap",
    "Shape",
]
