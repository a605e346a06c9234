"""Editors: fitted edits of one attribute, behind one contract."""

from lwedit.editors.affine import AffineEditor, AffineMap, Shape
from lwedit.editors.base import Editor, FitData
from lwedit.editors.config import LatentWassersteinConfig
from lwedit.editors.latent_wasserstein import LatentWasserstein, LatentWassersteinStar

__all__ = [
    "AffineEditor",
    "AffineMap",
    "Editor",
    "FitData",
    "LatentWasserstein",
    "LatentWassersteinConfig",
    "LatentWassersteinStar",
    "Shape",
]
