"""Editors: fitted edits of one attribute, behind one contract."""

from lwedit.editors.affine import AffineEditor, AffineMap, Shape
from lwedit.editors.base import Editor, FitData
from lwedit.editors.config import LatentWassersteinConfig
from lwedit.editors.latent_wasserstein import LatentWasserstein, LatentWassersteinStar
from lwedit.editors.paper import PAPER, LatentWassersteinPaper, paper_config

__all__ = [
    "PAPER",
    "AffineEditor",
    "AffineMap",
    "Editor",
    "FitData",
    "LatentWasserstein",
    "LatentWassersteinConfig",
    "LatentWassersteinPaper",
    "LatentWassersteinStar",
    "Shape",
    "paper_config",
]
