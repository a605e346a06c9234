"""Editors: fitted edits of one attribute, behind one contract.

In the order of the paper: `base` (the contract, Eq. 1), `affine` (H), `loss` (Eq. 4 and 5), `sides`
(codes and masses), `problem` (what a solver is given), `solvers`, `config`, `latent_wasserstein`
(the method), `paper` (the recipe as published). Then the same with networks: `token_transport`
(map and potential), `neural` (the editor), `semi_dual` (how they learn from each other),
`latent_wasserstein_neural` (the method). `frame` is for codes of unusual units.
"""

from lwedit.editors.affine import AffineEditor, AffineMap, Shape
from lwedit.editors.base import Editor, FitData
from lwedit.editors.card import Card
from lwedit.editors.config import LatentWassersteinConfig
from lwedit.editors.latent_wasserstein import LatentWasserstein, LatentWassersteinStar
from lwedit.editors.latent_wasserstein_neural import LatentWassersteinNeural
from lwedit.editors.neural import NeuralEditor
from lwedit.editors.paper import PAPER, LatentWassersteinPaper, paper_config
from lwedit.editors.solvers import AdamSolver, AlternateSolver
from lwedit.editors.token_transport import NeuralConfig

__all__ = [
    "PAPER",
    "AdamSolver",
    "AffineEditor",
    "AffineMap",
    "AlternateSolver",
    "Card",
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
