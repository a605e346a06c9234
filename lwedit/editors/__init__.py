"""Editors: fitted edits of one attribute, behind one contract."""

from lwedit.editors.affine import AffineEditor, AffineMap, Shape
from lwedit.editors.base import Editor, FitData
from lwedit.editors.config import LatentWassersteinConfig
from lwedit.editors.latent_wasserstein import LatentWasserstein, LatentWassersteinStar
from lwedit.editors.latent_wasserstein_neural import LatentWassersteinNeural
from lwedit.editors.neural import NeuralEditor
from lwedit.editors.paper import PAPER, LatentWassersteinPaper, paper_config
from lwedit.editors.token_transport import NeuralConfig

__all__ = [
    "PAPER",
    "AffineEditor",
    "AffineMap",
    "Editor",
    "FitData",
    "LatentWasserstein",
    "LatentWassersteinConfig",
    "LatentWassersteinNeural",
    "LatentWassersteinPaper",
    "LatentWassersteinStar",
    "NeuralConfig",
    "NeuralEditor",
    "Shape",
    "paper_config",
]
