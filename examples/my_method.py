"""A method of one's own: move every code along the axis that separates the classes best.

Used as `python benchmark/run.py --domain toy --method-file examples/my_method.py:Discriminant`.
"""

import torch

from lwedit.editors import AffineEditor, AffineMap, FitData


class Discriminant(AffineEditor):
    """Fisher's discriminant as a direction, as long as the distance between the class means."""

    method = "discriminant"
    uses_seed = False

    @classmethod
    def fit(cls, data: FitData) -> "Discriminant":
        """S^-1 (mean of codes with the attribute - mean of those without)."""
        source, target = (w.flatten(1) for w in data.train.pair(data.attribute))
        gap = target.mean(dim=0) - source.mean(dim=0)
        axis = torch.linalg.solve(torch.cov(source.T) + torch.cov(target.T), gap)
        move = axis * (gap.norm() / axis.norm())
        map = AffineMap(None, move.reshape(data.train.w.shape[1:]))
        return cls(data.attribute, data.train.space, map)
