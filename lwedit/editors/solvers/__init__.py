"""Solvers of Latent Wasserstein's loss, each a dataclass of its settings with a `solve`.

`adam` is as published: mini-batches, stopped early on held-out codes. `alternate`, the default,
takes plans of all codes and ridge regression in turn.
"""

from lwedit.editors.solvers.adam import AdamSolver
from lwedit.editors.solvers.alternate import AlternateSolver

__all__ = ["AdamSolver", "AlternateSolver"]
