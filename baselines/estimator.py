"""Any method as a scikit-learn estimator, for codes that come from anywhere.

    edit = LatentEdit("lw_star").fit(W, y)        # W (n, dim) or (n, layers, dim), y of 0 and 1
    W_edit = edit.transform(W, alpha=1.5)         # Eq. 1: W + alpha H(W)

It has `get_params`, `set_params`, `clone` and a place in a pipeline; what it fits is an
`lwedit` Editor, `editor_`, and `editor_.edit` gives the same codes. As POT's `ot.da` it takes
arrays and gives arrays. Methods that look at a generator have none here and are refused.

W and y are arrays, so this is the one place where shapes come as scikit-learn's own messages.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import ClassifierTags, Tags
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from baselines import METHODS
from lwedit.classifier import ClassifierConfig, LatentClassifier
from lwedit.editors import FitData
from lwedit.latents import LatentSet, Space

__all__ = ["LatentEdit"]

_FEWEST = 4  # codes of each label to learn from; as many more, where there are, to choose by


class LatentEdit(TransformerMixin, BaseEstimator):
    """Learn an edit of codes from their labels, and apply it.

    Attributes:
        method: Name in `baselines.METHODS`.
        config: Settings of the method, its own defaults if None.
        attribute: Column of y that is edited, where y has several.
        names: Names of y's columns, `attribute_0`, ... if None.
        alpha: Strength of `transform`; 1 is the displacement as fitted, below 0 removes.
        classifier: Settings of the latent classifier, LT's if None. It is trained for every
            method: LT and the preservation term of LW need it.
        validation: Share of the codes by which methods choose settings and when to stop.
        random_state: Seed of everything random in the fit.
        editor_: The fitted Editor.
        classes_: 0 and 1, as they stand in y.
    """

    def __init__(
        self, method: str = "lw", *, config: Any = None, attribute: int = 0,
        names: Sequence[str] | None = None, alpha: float = 1.0,
        classifier: ClassifierConfig | None = None, validation: float = 0.1, random_state: int = 0,
    ):
        self.method, self.config, self.attribute = method, config, attribute
        self.names, self.alpha, self.classifier = names, alpha, classifier
        self.validation, self.random_state = validation, random_state

    def fit(self, W: Any, y: Any) -> "LatentEdit":
        """Learn the edit.

        Args:
            W: Codes, (n, dim) or (n, layers, dim).
            y: Labels, (n,) or (n, attributes), in two values; the greater one has the attribute.

        Raises:
            ValueError: If the method is unknown or needs a generator, or codes and labels are not
                such that an edit can be learnt.
        """
        kind = self._kind()
        W = validate_data(self, W, dtype=np.float64, allow_nd=True, ensure_min_samples=2)
        labels = self._labels(y, len(W))
        w = torch.from_numpy(W.reshape(len(W), -1, W.shape[-1])).float()
        space = Space(hashlib.sha256(w.numpy().tobytes()).hexdigest(),
                      "W+" if w.shape[1] > 1 else "W", *w.shape[1:])
        self.shape_ = W.shape[1:]
        names = tuple(self.names or (f"attribute_{j}" for j in range(labels.shape[1])))
        latents = LatentSet(w, torch.from_numpy(labels), names, space)
        train, validation = self._parts(latents)
        rng = torch.Generator().manual_seed(self.random_state)
        classifier = LatentClassifier.fit(train, self.classifier or ClassifierConfig(), rng)
        data = FitData(train, validation, classifier, names[self.attribute], self.random_state)
        self.editor_ = kind.fit(data) if self.config is None else kind.fit(data, self.config)
        return self

    def transform(self, W: Any, alpha: float | np.ndarray | None = None) -> np.ndarray:
        """The edited codes, in W's shape and precision.

        Args:
            W: Codes of the shape that was fitted.
            alpha: Strength, one for all or one a code; the estimator's own if None.

        Raises:
            ValueError: If W has another shape, or is not finite.
        """
        check_is_fitted(self, "editor_")
        W = validate_data(self, W, dtype=(np.float32, np.float64), allow_nd=True, reset=False)
        if W.shape[1:] != self.shape_:
            raise ValueError(f"W must have shape (n, {', '.join(map(str, self.shape_))}), got "
                             f"{W.shape}.")
        w = torch.from_numpy(W.reshape(len(W), -1, W.shape[-1]).copy()).float()
        given = self.alpha if alpha is None else alpha
        strength = given if isinstance(given, int | float) else torch.as_tensor(
            np.asarray(given, np.float32))
        return self.editor_.edit(w, strength).numpy().reshape(W.shape).astype(W.dtype)

    def _kind(self) -> Any:
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {self.method!r}.")
        kind = METHODS[self.method]
        if kind.needs_generator:
            raise ValueError(f"method must not need a generator, which codes alone have not, got "
                             f"{self.method!r}.")
        return kind

    def _labels(self, y: Any, n: int) -> np.ndarray:
        """y as (n, attributes) of 0 and 1."""
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None.")
        y = check_array(y, dtype=None, ensure_2d=False, input_name="y")
        y = y[:, None] if y.ndim == 1 else y
        if len(y) != n:
            raise ValueError(f"y must have a row a code: {n} codes, {len(y)} rows.")
        if not 0 <= self.attribute < y.shape[1]:
            raise ValueError(f"attribute must be a column of y, 0 .. {y.shape[1] - 1}, got "
                             f"{self.attribute}.")
        for j in range(y.shape[1]):
            values = np.unique(y[:, j])
            if len(values) != 2:
                raise ValueError(f"y must hold two values in each column, column {j} holds "
                                 f"{len(values)}. Only binary labels say what an edit adds.")
            if j == self.attribute:
                self.classes_ = values
        return np.stack([y[:, j] == y[:, j].max() for j in range(y.shape[1])], 1).astype(np.int64)

    def _parts(self, latents: LatentSet) -> tuple[LatentSet, LatentSet]:
        """Training and validation codes, with the attribute's share in both."""
        rows = np.arange(len(latents))
        column = latents.y[:, self.attribute].numpy()
        rarer = max(min(column.sum(), (1 - column).sum()), 1)
        share = max(self.validation, min(_FEWEST, max(rarer - _FEWEST, 1)) / rarer)
        held_out = max(2, int(share * len(rows)))  # of few codes a greater share
        train, held = train_test_split(rows, test_size=held_out, stratify=column,
                                       random_state=self.random_state)
        return (latents.subset(torch.from_numpy(np.sort(train))),
                latents.subset(torch.from_numpy(np.sort(held))))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.classifier_tags = ClassifierTags(multi_class=False)  # of y: labels are two values
        tags.target_tags.multi_output = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
