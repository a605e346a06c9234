"""The scoring classifier of codes of one's own: a cross-validated logistic regression each.

Each attribute has the ridge at which the codes left out of a fit are named best (log loss), among
six; what those codes are told apart by is its area under the ROC curve, which says whether the
attribute can be learnt at all. Codes are centred, divided by one overall deviation and, where they
have more numbers than there are codes, turned onto their principal axes, which changes no ridge
solution; of more than 512 axes the first 512 are kept.

All attributes are fitted at once: the sum of their convex losses is minimised by L-BFGS. Must agree
with scikit-learn's LogisticRegression.
"""

import torch
from jaxtyping import Float, Int64
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional

from lwedit.vocabulary import flatten_codes

__all__ = ["Scorer", "fit_scorer"]

_RIDGES = (10.0, 1.0, 0.1, 1e-2, 1e-3, 1e-4)  # from the strongest on: each starts from the last
_AXES = 512
_MOST_CODES = 4000
_STEPS = 40


class Scorer(nn.Module):
    """Codes -> one logit an attribute.

    Attributes:
        auc: Area under the ROC curve of each attribute in cross-validation; 1/2 is chance.
    """

    weight: Tensor
    bias: Tensor
    centre: Tensor

    def __init__(
        self, weight: Float[Tensor, "flat attributes"], bias: Float[Tensor, " attributes"],
        centre: Float[Tensor, " flat"], auc: tuple[float, ...],
    ):
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.register_buffer("centre", centre)
        self.auc = auc

    def forward(self, w: Float[Tensor, "n layers dim"]) -> Float[Tensor, "n attributes"]:
        """w -> logits."""
        return (flatten_codes(w) - self.centre) @ self.weight + self.bias

    def only(self, columns: list[int]) -> "Scorer":
        """The same for some of the attributes."""
        auc = tuple(self.auc[i] for i in columns)
        return Scorer(self.weight[:, columns], self.bias[columns], self.centre, auc)


def fit_scorer(
    w: Float[Tensor, "n layers dim"], y: Int64[Tensor, "n attributes"], rng: torch.Generator
) -> Scorer:
    """Train on codes and labels; both labels of every attribute must occur.

    Args:
        w: Codes, of which the first 4,000 are used.
        y: Labels.
        rng: Source of the folds.
    """
    v, y = flatten_codes(w[:_MOST_CODES]).double(), y[:_MOST_CODES].double()
    centre = v.mean(dim=0)
    scale = (v - centre).square().mean().sqrt()
    axes = _axes(((v - centre) / scale).float()).double()
    x = (v - centre) / scale @ axes
    folds = torch.randperm(len(x), generator=rng) % (5 if len(x) < 2000 else 3)
    logits = torch.zeros(len(_RIDGES), *y.shape, dtype=torch.float64)
    for fold in range(int(folds.max()) + 1):
        out = folds == fold
        for i, (weight, bias) in enumerate(_path(x[~out], y[~out])):
            logits[i, out] = x[out] @ weight + bias
    truth = y.expand(len(_RIDGES), -1, -1)
    loss = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(dim=1)
    best = loss.argmin(dim=0)
    path = list(_path(x, y))
    columns = range(y.shape[1])
    weight = torch.stack([path[best[j]][0][:, j] for j in columns], dim=1)
    bias = torch.stack([path[best[j]][1][j] for j in columns])
    auc = tuple(float(roc_auc_score(y[:, j], logits[best[j], :, j])) for j in columns)
    return Scorer((axes @ weight / scale).float(), bias.float(), centre.float(), auc)


def _axes(x: Float[Tensor, "n flat"]) -> Float[Tensor, "flat axes"]:
    """Orthonormal axes that hold the codes, the identity where those are few numbers."""
    n, flat = x.shape
    if flat <= min(n, _AXES):
        return torch.eye(flat)
    if min(n, flat) <= 2 * _AXES:
        return torch.linalg.svd(x, full_matrices=False).Vh[:_AXES].T
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return torch.pca_lowrank(x, q=_AXES, center=False, niter=2)[2]


def _path(
    x: Float[Tensor, "n axes"], y: Float[Tensor, "n attributes"]
) -> list[tuple[Float[Tensor, "axes attributes"], Float[Tensor, " attributes"]]]:
    """Weights and biases at every ridge."""
    share = y.mean(dim=0).clamp(1 / (2 * len(y)), 1 - 1 / (2 * len(y)))
    weight = x.new_zeros(x.shape[1], y.shape[1], requires_grad=True)
    bias = share.logit().requires_grad_()
    found = []
    for ridge in _RIDGES:
        solver = torch.optim.LBFGS([weight, bias], max_iter=_STEPS, tolerance_grad=1e-5,
                                   history_size=20, line_search_fn="strong_wolfe")

        def loss(ridge: float = ridge, solver: torch.optim.LBFGS = solver) -> Tensor:
            solver.zero_grad()
            fit = functional.binary_cross_entropy_with_logits(x @ weight + bias, y,
                                                              reduction="none")
            total = fit.mean(dim=0).sum() + ridge / 2 * weight.square().sum()
            total.backward()
            return total

        with torch.enable_grad():
            solver.step(loss)
        found.append((weight.detach().clone(), bias.detach().clone()))
    return found
