"""How good a judge is: discrimination, accuracy, calibration, and what the labels allow.

    roc_auc       share of pairs (with, without) that the score puts in the right order; ties half
    balanced      mean of the accuracies on faces with and without the attribute, threshold .5
    ece           expected calibration error, ten bins of equal width: mean |probability - share|
    ceiling_auc   what the best possible judge would reach on labels of such annotators

The last follows from one assumption: a face shows an attribute with a probability q that is its
own, and each annotator's label is an independent draw from it. If q is beta-distributed, then
Cohen's kappa of two annotators is the intraclass correlation 1 / (a + b + 1), and the mean a / (a +
b) is the share of positives, which fixes both parameters; the best judge reports q itself.
"""

import math

import torch
from jaxtyping import Float, Int64
from scipy import stats
from torch import Tensor

__all__ = ["balanced_accuracy", "calibration_error", "ceiling_auc", "interval", "roc_auc"]


def roc_auc(score: Float[Tensor, " n"], y: Int64[Tensor, " n"]) -> float:
    """Area under the ROC curve by ranks (Mann and Whitney), NaN if all labels are alike."""
    positive = int(y.sum())
    negative = len(y) - positive
    if not positive or not negative:
        return math.nan
    ranks = torch.from_numpy(stats.rankdata(score.double().numpy()))
    excess = ranks[y == 1].sum().item() - positive * (positive + 1) / 2
    return excess / (positive * negative)


def balanced_accuracy(p: Float[Tensor, " n"], y: Int64[Tensor, " n"]) -> float:
    """Mean accuracy of both classes at threshold .5."""
    right = (p > 0.5).long() == y
    return (right[y == 1].double().mean() + right[y == 0].double().mean()).item() / 2


def calibration_error(p: Float[Tensor, " n"], y: Int64[Tensor, " n"], bins: int = 10) -> float:
    """Mean distance of probability and share of positives over bins, weighted by their size."""
    index = (p * bins).long().clamp(max=bins - 1)
    gap = torch.zeros(bins, dtype=torch.float64).index_add(0, index, p.double() - y.double())
    return (gap.abs().sum() / len(p)).item()


def ceiling_auc(kappa: float, prevalence: float, samples: int = 200_000) -> float:
    """AUC of the best judge on labels with this agreement, by quantiles of the beta law.

    Raises:
        ValueError: If kappa or prevalence is not between 0 and 1.
    """
    if not 0 < kappa < 1 or not 0 < prevalence < 1:
        raise ValueError(
            f"kappa and prevalence must be in (0, 1), got {kappa:.3g} and {prevalence:.3g}."
        )
    total = 1 / kappa - 1
    grid = (torch.arange(samples, dtype=torch.float64) + 0.5) / samples
    q = torch.from_numpy(
        stats.beta.ppf(grid.numpy(), prevalence * total, (1 - prevalence) * total)
    )
    below = (1 - q).cumsum(dim=0) - (1 - q) / 2  # negatives ranked under each face
    return ((q * below).sum() / (q.sum() * (1 - q).sum())).item()


def interval(
    score: Float[Tensor, "n attributes"],
    y: Int64[Tensor, "n attributes"],
    rng: torch.Generator,
    draws: int = 1000,
) -> Float[Tensor, "attributes_and_mean 2"]:
    """95 % bootstrap intervals over faces of each attribute's AUC and, last, of their mean."""
    values = []
    for _ in range(draws):
        pick = torch.randint(len(y), (len(y),), generator=rng)
        aucs = [roc_auc(score[pick, k], y[pick, k]) for k in range(y.shape[1])]
        values.append([*aucs, sum(aucs) / len(aucs)])
    drawn = torch.tensor(values, dtype=torch.float64)
    return drawn.nanquantile(torch.tensor([0.025, 0.975], dtype=torch.float64), dim=0).T.float()
