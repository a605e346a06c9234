"""How good a latent space is: whether attributes are linear in it, and distances perceptual.

After Shukor, Yao, Damodaran, Hellier, "Semantic and Geometric Unfolding of StyleGAN Latent Space",
2021, 4.2. These measure a space by its codes, no edit:

    linear_separability   accuracy of an SVM an attribute on codes that it has not seen    best 1
    dci                   disentanglement, completeness (best 1), error (best 0)
    distance_gap          latent minus perceptual distance, mean and deviation             best 0
    two_afc               share of triplets in which both distances choose the same        best 1

DCI is Eastwood and Williams', "A Framework for the Quantitative Evaluation of Disentangled
Representations", ICLR 2018, with Lasso. The first 80 % of the codes train, the others are for the
score: shuffled codes are assumed.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from sklearn.linear_model import Lasso
from sklearn.svm import SVC
from torch import Tensor

__all__ = ["Dci", "Gap", "Separability", "dci", "distance_gap", "linear_separability", "two_afc"]

_TRAIN = 0.8


class Separability(NamedTuple):
    """Accuracy of linear SVMs.

    Attributes:
        least: Of the worst attribute.
        most: Of the best one.
        mean: Over attributes.
        each: An attribute.
    """

    least: float
    most: float
    mean: float
    each: Float[Tensor, " k"]


class Dci(NamedTuple):
    """Eastwood and Williams' three numbers.

    Attributes:
        disentanglement: D, how far each entry of a code says something of one attribute alone.
        completeness: C, how far each attribute is said by one entry alone.
        error: I, root mean square error of the predicted labels.
    """

    disentanglement: float
    completeness: float
    error: float


class Gap(NamedTuple):
    """Latent minus perceptual distance over pairs."""

    mean: float
    deviation: float


def linear_separability(
    x: Float[Tensor, "n dim"], y: Int64[Tensor, "n k"], c: float = 1.0
) -> Separability:
    """Accuracy of a linear SVM an attribute, on the last fifth of the codes.

    Args:
        x: Codes; their Gram matrix, n^2 numbers, is kept.
        y: Labels.
        c: Weight of the hinge loss.

    Raises:
        ValueError: If an attribute has one label only among the codes that train.
    """
    cut = _cut(x, y)
    centred = (x - x[:cut].mean(dim=0)).double()
    gram = (centred @ centred[:cut].T).cpu().numpy()
    each = []
    for k in range(y.shape[1]):
        svm = SVC(C=c, kernel="precomputed").fit(gram[:cut], y[:cut, k].cpu().numpy())
        each.append(svm.score(gram[cut:], y[cut:, k].cpu().numpy()))
    found = torch.tensor(each)
    return Separability(min(each), max(each), sum(each) / len(each), found)


def dci(x: Float[Tensor, "n dim"], y: Int64[Tensor, "n k"], alpha: float = 0.02) -> Dci:
    """D, C and I of a Lasso an attribute, on labels in {0, 1}.

    Importance is the absolute coefficient. D weighs entries by their share of all importance; an
    entry or an attribute that no coefficient touches counts for nothing in D, and as 0 in C.

    Args:
        x: Codes of about unit scale, which alpha supposes.
        y: Labels, two attributes at least.
        alpha: Weight of the L1 penalty.

    Raises:
        ValueError: If there is one attribute only, or one has one label only.
    """
    cut = _cut(x, y)
    if y.shape[1] < 2:
        raise ValueError(f"y must have two attributes at least, got {y.shape[1]}.")
    codes, labels = x.double().cpu().numpy(), y.double().cpu().numpy()
    models = [Lasso(alpha).fit(codes[:cut], labels[:cut, k]) for k in range(y.shape[1])]
    importance = np.abs(np.stack([model.coef_ for model in models], axis=1))
    wrong = [model.predict(codes[cut:]) - labels[cut:, k] for k, model in enumerate(models)]
    error = float(np.sqrt(np.square(wrong).mean(axis=1)).mean())
    total = importance.sum()
    if not total > 0:
        return Dci(0.0, 0.0, error)
    of_entries, of_attributes = _purity(importance), _purity(importance.T)
    share = importance.sum(axis=1) / total
    return Dci(float(share @ of_entries), float(of_attributes.mean()), error)


def distance_gap(latent: Float[Tensor, " n"], perceptual: Float[Tensor, " n"]) -> Gap:
    """Mean and deviation of the difference of two distances of the same pairs.

    Args:
        latent: Mean square differences of codes.
        perceptual: Distances of their images, brought to the same scale.
    """
    gap = (latent - perceptual).double()
    return Gap(float(gap.mean()), float(gap.std(correction=0)))


def two_afc(latent: Float[Tensor, "n 2"], perceptual: Float[Tensor, "n 2"]) -> float:
    """Share of triplets in which the same one of two images is nearer to a third.

    Args:
        latent: Distances of the first and of the second code to the reference's.
        perceptual: Those of their images.
    """
    return float(((latent[:, 0] < latent[:, 1]) == (perceptual[:, 0] < perceptual[:, 1]))
                 .double().mean())


def _purity(rows: np.ndarray) -> np.ndarray:
    """1 - entropy of each row as a distribution, in units of the largest; 0 for an empty row."""
    whole = rows.sum(axis=1, keepdims=True)
    p = np.divide(rows, whole, out=np.full_like(rows, 1 / rows.shape[1]), where=whole > 0)
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    return 1 + (p * logs).sum(axis=1) / np.log(rows.shape[1])


def _cut(x: Tensor, y: Tensor) -> int:
    """Number of codes that train; every attribute must have both labels among them."""
    if len(x) != len(y):
        raise ValueError(f"y must label every code: {len(x)} codes, {len(y)} rows.")
    cut = int(_TRAIN * len(x))
    constant = [k for k in range(y.shape[1]) if len(y[:cut, k].unique()) < 2]
    if constant:
        raise ValueError(f"y must have both labels of every attribute among the first {cut} codes, "
                         f"attribute {constant[0]} has one.")
    return cut
