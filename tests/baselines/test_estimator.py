"""Truths of LatentEdit: it edits as the Editor inside it, and behaves as scikit-learn asks."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from baselines.estimator import LatentEdit
from lwedit.classifier import ClassifierConfig

SMALL = ClassifierConfig(hidden=(4,), epochs=1)
# Sets of scikit-learn's checks in which a class has fewer codes than an edit is learnt from.
TOO_FEW = {"check_fit2d_1feature"}
# LW also asks for three codes of each label to choose its settings by.
TOO_FEW_FOR_LW = TOO_FEW | {
    "check_dont_overwrite_parameters", "check_n_features_in_after_fitting",
    "check_estimators_nan_inf", "check_f_contiguous_array_estimator", "check_dict_unchanged",
    "check_methods_sample_order_invariance", "check_methods_subset_invariance",
    "check_fit2d_predict1d"}
NEEDS_SWITCH = {"check_array_api_input"}  # scikit-learn runs it where SCIPY_ARRAY_API is set


def shifted(n=400, layers=None, seed=0):
    """Codes of two classes: the second is the first moved by 2 along the first axis."""
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((n, 6))
    y = np.arange(n) % 2
    W[:, 0] += 2 * y
    return W if layers is None else W.reshape(n, layers, -1), y


def checks(method):
    edit = LatentEdit(method, classifier=SMALL)
    return [check for check in estimator_checks_generator(edit)
            if check[1].func.__name__ not in NEEDS_SWITCH | (
                TOO_FEW_FOR_LW if method == "lw_star" else TOO_FEW)]


@pytest.mark.parametrize("method", ["centroids", "gaussian_ot", "lw_star"])
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("unchecked")  # some hand in arguments of a wrong type
def test_it_passes_scikit_learns_own_checks(method):
    done = checks(method)
    for estimator, check in done:
        check(estimator)
    assert len(done) >= (38 if method == "lw_star" else 45)


def test_the_shift_between_two_classes_is_the_edit():
    W, y = shifted(4000)
    for method in ("centroids", "lw_star", "gaussian_ot"):
        edited = LatentEdit(method, classifier=SMALL).fit(W, y).transform(W[y == 0])
        move = (edited - W[y == 0]).mean(axis=0)
        np.testing.assert_allclose(move, [2, 0, 0, 0, 0, 0], atol=0.15)


def test_it_moves_codes_as_the_editor_inside_it():
    W, y = shifted(layers=2)
    edit = LatentEdit("lw_star", classifier=SMALL).fit(W, y)
    inside = edit.editor_.edit(torch.from_numpy(W).float(), -0.5).numpy()
    np.testing.assert_array_equal(edit.transform(W.astype(np.float32), alpha=-0.5), inside)
    each = np.linspace(0, 1, len(W))
    moved = edit.transform(W, alpha=each) - W
    np.testing.assert_allclose(moved, each[:, None, None] * (edit.transform(W) - W), atol=1e-5)
    assert edit.transform(W).dtype == np.float64


def test_flat_and_layered_codes_are_different_spaces():
    W, y = shifted(layers=2)
    assert LatentEdit("centroids", classifier=SMALL).fit(W, y).editor_.space.layers == 2
    flat = LatentEdit("centroids", classifier=SMALL).fit(W.reshape(len(W), -1), y)
    assert (flat.editor_.space.layers, flat.editor_.space.dim) == (1, 6)
    with pytest.raises(ValueError, match=r"W must have shape \(n, 2, 3\), got \(4, 2, 4\)"):
        LatentEdit("centroids", classifier=SMALL).fit(W, y).transform(np.zeros((4, 2, 4)))


def test_it_stands_in_a_pipeline_and_is_cloned():
    W, y = shifted()
    edit = LatentEdit("centroids", classifier=SMALL, alpha=0.5)
    line = make_pipeline(StandardScaler(), PCA(4), clone(edit))
    line.set_params(latentedit__alpha=2.0)
    before = line[:-1].fit(W, y).transform(W)
    gap = before[y == 1].mean(axis=0) - before[y == 0].mean(axis=0)
    moved = line.fit(W, y).transform(W) - before
    np.testing.assert_allclose(moved.mean(axis=0), 2 * gap, atol=0.1)
    assert edit.alpha == 0.5
    assert not hasattr(edit, "editor_")


def test_one_of_several_attributes_by_the_greater_label():
    W, y = shifted(4000)
    other = np.where(W[:, 1] > 0, "yes", "no")
    edit = LatentEdit("centroids", classifier=SMALL, attribute=1).fit(
        W, np.stack([y.astype(object), other], axis=1))
    move = (edit.transform(W) - W).mean(axis=0)
    assert move[1] == pytest.approx(2 * (2 / np.pi) ** 0.5, abs=0.1)  # E|N(0, 1)| twice
    assert abs(move[0]) < 0.15


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"method": "best"}, "method must be one of none, random, centroids"),
        ({"method": "sefa"}, "method must not need a generator"),
        ({"attribute": 3}, r"attribute must be a column of y, 0 .. 0, got 3"),
    ],
)
def test_what_cannot_be_fitted_is_refused(given, said):
    W, y = shifted(40)
    with pytest.raises(ValueError, match=said):
        LatentEdit(**{"classifier": SMALL} | given).fit(W, y)


def test_labels_of_three_values_are_refused():
    W, y = shifted(40)
    with pytest.raises(ValueError, match="column 0 holds 3. Only binary labels"):
        LatentEdit("centroids").fit(W, np.arange(len(y)) % 3)
