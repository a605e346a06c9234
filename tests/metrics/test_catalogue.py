"""Truths of the table of metrics: every function stands in it once, ranges hold what is best."""

import inspect

import pytest
import torch

from lwedit import metrics
from lwedit.metrics import METRICS

# Not a quantity of an edit: they read other quantities at equal change, set a unit, name a class,
# or measure a latent space.
HELPERS = {"area_under", "at_change", "new_class", "reaches", "target_spread", "dci",
           "distance_gap", "linear_separability", "two_afc"}


def test_every_metric_is_in_the_table():
    listed = {metric.function.__name__ for metric in METRICS if metric.function}
    functions = {name for name in metrics.__all__ if inspect.isfunction(getattr(metrics, name))}
    assert functions - HELPERS == listed
    assert len({metric.name for metric in METRICS}) == len(METRICS)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_what_is_best_lies_in_the_range(metric):
    assert metric.low < metric.high
    assert metric.low <= metric.best <= metric.high
    assert metric.title
    assert metric.counted in ("images", "codes")


def test_metrics_of_pairs_are_best_where_nothing_differs():
    x = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    w, v = x.flatten(2), x.flatten(1)
    p = torch.rand(4, 3, generator=torch.Generator().manual_seed(1))
    held = {
        "ssim": lambda f: f(x, x).mean(), "perceptual": lambda f: f([x], [x]).mean(),
        "fid": lambda f: f(v[:, :3], v[:, :3]), "round_trip": lambda f: f(w, w + 1, w).mean(),
        "commutator": lambda f: f(w, w + 1, w + 1).mean(), "moved": lambda f: f(p, p).mean(),
        "preservation": lambda f: f(p > 0.5, p > 0.5, 0).mean(),
        "worst": lambda f: f(p > 0.5, p > 0.5, 0).share,
        "gaussian": lambda f: f(w[:, :1, :3], w[:, :1, :3]),
        "gap": lambda f: f(p[:, 0] > 0.5, p[:, 0] > 0.5),
    }
    by_name = {metric.name: metric for metric in METRICS}
    for name, value in held.items():
        found = float(value(by_name[name].function))
        assert found == pytest.approx(by_name[name].best, abs=1e-5), name
