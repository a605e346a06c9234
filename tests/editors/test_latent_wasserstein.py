"""Truths for Latent Wasserstein: Gaussians, whose optimal affine map is a formula."""

from dataclasses import replace

import pytest
import torch

from lwedit.classifier import ClassifierConfig, LatentClassifier
from lwedit.editors import (
    AdamSolver,
    AffineMap,
    AlternateSolver,
    FitData,
    LatentWasserstein,
    LatentWassersteinConfig,
    LatentWassersteinStar,
)
from lwedit.editors.latent_wasserstein import prepare
from lwedit.editors.loss import points
from lwedit.editors.solvers.adam import _batches
from lwedit.editors.solvers.gradient import NegativeGradient
from lwedit.latents import LatentSet, Space
from lwedit.transport import Moments, displacement, divergence, gaussian_map, sinkhorn_divergence

CORE = LatentWassersteinConfig(lam=0.0)
QUICK = {"adam": AdamSolver(max_steps=20), "alternate": AlternateSolver()}


def geomloss(clouds):
    """W of two clouds, differentiable."""
    return sinkhorn_divergence(clouds.x, clouds.y, blur=clouds.blur, a=clouds.a, b=clouds.b)


def gaussians(n, dim, seed=0):
    """Codes of two Gaussians, one layer, and the optimal map between them."""
    g = torch.Generator().manual_seed(seed)
    truth = torch.Generator().manual_seed(99)
    roots = [torch.randn(dim, dim, generator=truth) / dim**0.5 for _ in range(2)]
    s, t = torch.eye(dim) + 0.5 * roots[0] @ roots[0].T, 0.6 * torch.eye(dim) + 0.8 * (
        roots[1] @ roots[1].T
    )
    m = 1.5 * torch.randn(dim, generator=truth)
    x = torch.randn(n, dim, generator=g) @ torch.linalg.cholesky(s).T
    y = torch.randn(n, dim, generator=g) @ torch.linalg.cholesky(t).T + m
    labels = torch.cat([torch.zeros(n), torch.ones(n)]).long()
    labels = torch.stack([labels, (torch.cat([x, y])[:, 0] > 0).long()], dim=1)
    latents = LatentSet(torch.cat([x, y])[:, None], labels, ("k", "l"), Space("h", "Z", 1, dim))
    zero = torch.zeros(dim).double()
    return latents, gaussian_map(Moments(zero, s.double()), Moments(m.double(), t.double()))


def fit_data(n=1500, dim=4, attribute="k"):
    train, map = gaussians(n, dim)
    rng = torch.Generator().manual_seed(0)
    classifier = LatentClassifier.fit(
        train, ClassifierConfig(hidden=(16,), epochs=15, lr=1e-2), rng
    )
    return FitData(train, gaussians(500, dim, 1)[0], classifier, attribute, 0), map


def error(editor, data, map):
    """Relative root mean square error of the displacements of new codes."""
    x = data.validation.pair("k").source
    truth = x[:, 0].double() @ map.weight.T + map.bias - x[:, 0]
    return float((editor.displacement(x)[:, 0] - truth).norm() / truth.norm())


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["per_layer", "full", "low_rank"])
def test_alternate_finds_the_closed_form_map(shape):
    data, map = fit_data()
    editor = LatentWasserstein.fit(data, replace(CORE, shape=shape, rank=4))
    assert error(editor, data, map) < 0.07  # sampling alone gives about .04


@pytest.mark.slow
def test_alternate_finds_the_closed_form_map_in_many_dimensions():
    data, map = fit_data(5000, 16)
    assert error(LatentWasserstein.fit(data, CORE), data, map) < 0.05


@pytest.mark.slow
def test_translation_is_the_difference_of_the_means():
    data, _ = fit_data()
    source, target = data.train.pair("k")
    editor = LatentWasserstein.fit(data, replace(CORE, shape="translation"))
    assert editor.map.weight is None
    torch.testing.assert_close(
        editor.map.bias, target.mean(dim=0) - source.mean(dim=0), atol=0.02, rtol=0
    )


@pytest.mark.slow
def test_adam_lowers_the_divergence_of_codes_that_it_never_saw():
    data, _ = fit_data(300)
    config = replace(CORE, solver=AdamSolver(batch=100, max_steps=200, lr=3e-2), blur=(0.3,))
    editor = LatentWasserstein.fit(data, config)
    source, target = gaussians(400, 4, seed=2)[0].pair("k")
    a = torch.full((400,), 1 / 400)
    before, after = (
        divergence(x[:, 0], target[:, 0], 0.5, a, a, exclude_self_matches=True)
        for x in (source, editor.edit(source, 1.0))
    )
    assert abs(after) < 0.1 * before


@pytest.mark.slow
@pytest.mark.parametrize(
    "solver", [AdamSolver(batch=80, max_steps=120, lr=3e-2), AlternateSolver()]
)
def test_preservation_keeps_the_classifier_where_it_was(solver):
    data, _ = fit_data(300)
    config = LatentWassersteinConfig(solver, blur=(0.3,), lam=0.0)
    source = data.validation.pair("k").source

    def drift(lam):
        editor = LatentWasserstein.fit(data, replace(config, lam=lam))
        moved = data.classifier(editor.edit(source, 1.0)) - data.classifier(source)
        return float(moved[:, 1].square().mean().sqrt())

    assert drift(100.0) < 0.4 * drift(0.0)


@pytest.mark.slow
def test_alternate_stops_where_the_gradient_of_the_whole_loss_is_zero():
    data, _ = fit_data(400)
    config = LatentWassersteinConfig(
        AlternateSolver(rounds=40), shape="translation", lam=2.0, blur=(0.4,),
        exclude_self_matches=False,
    )
    problem = prepare(data, config, torch.Generator().manual_seed(0))
    # Held-out codes decide how long to go on; with the training codes in their place the last
    # round is the optimum of the training loss.
    train = replace(data, validation=data.train)
    found = LatentWasserstein.fit(train, config).map
    slopes = []
    for bias in (torch.zeros_like(found.bias), found.bias.clone()):
        bias.requires_grad_()
        source = problem.train.source
        edited = source + AffineMap(None, bias)(source)
        loss = problem.loss(problem.train, edited, 0.4, geomloss)
        slopes.append(float(torch.autograd.grad(loss, bias)[0].norm()))
    assert slopes[1] < 0.15 * slopes[0]


def test_preservation_is_eq_5():
    data, _ = fit_data(60)
    problem = prepare(data, LatentWassersteinConfig(lam=3.0), torch.Generator().manual_seed(0))
    sides = problem.train
    edited = sides.source + 0.3
    y = data.train.y.double()
    gamma = torch.corrcoef(y.T)[0, 1].abs().float()
    u = [((1 - gamma) ** 0.5 * data.classifier(w)[:, 1:]) for w in (edited, sides.source)]
    expected = sinkhorn_divergence(
        edited[:, 0], sides.target[:, 0], blur=0.3 * problem.loss.distance
    ) + 3 * sinkhorn_divergence(*u, blur=0.3 * problem.loss.feature_distance)
    found = problem.loss(sides, edited, 0.3, geomloss)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("solver", [AdamSolver(batch=64, max_steps=20), AlternateSolver(rounds=2)])
def test_same_seed_same_bits(solver):
    data, _ = fit_data(200)
    config = LatentWassersteinConfig(solver, blur=(0.3,))
    one, two = (LatentWasserstein.fit(data, config) for _ in range(2))
    assert torch.equal(one.map.weight, two.map.weight)
    assert torch.equal(one.map.bias, two.map.bias)


@pytest.mark.slow
def test_star_is_lambda_zero():
    data, _ = fit_data(200)
    star = LatentWassersteinStar.fit(data, LatentWassersteinConfig(lam=7.0, blur=(0.3,)))
    core = LatentWasserstein.fit(data, replace(CORE, blur=(0.3,)))
    assert torch.equal(star.map.weight, core.map.weight)
    assert (star.method, core.method) == ("lw_star", "lw")


def test_a_low_rank_map_is_the_full_one_on_the_axes_and_the_mean_move_off_them():
    data, _ = fit_data(300)
    core = replace(CORE, solver=AlternateSolver(rounds=1, ridge=(0.01,)), blur=(0.3,))
    full, low = (
        LatentWasserstein.fit(data, replace(core, shape=shape, rank=2)).map
        for shape in ("full", "low_rank")
    )
    axes = low.right.T @ low.right  # a projection, the axes being orthonormal
    torch.testing.assert_close(axes @ axes, axes, atol=1e-5, rtol=0)
    assert torch.linalg.matrix_rank(low.weight) == 2
    x = data.train.pair("k").source
    torch.testing.assert_close(low(x).mean(dim=0), full(x).mean(dim=0), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["adam", "alternate"])
def test_masked_layers_stay_where_they_are(solver):
    data, _ = fit_data(200)
    space = Space("h", "W+", 2, 2)
    layered = [
        LatentSet(part.w.reshape(-1, 2, 2), part.y, part.attributes, space)
        for part in (data.train, data.validation)
    ]
    data = replace(data, train=layered[0], validation=layered[1])
    config = replace(CORE, solver=QUICK[solver], blur=(0.3,))
    masked, free = (
        LatentWasserstein.fit(data, replace(config, layers=layers)) for layers in ((1,), None)
    )
    x = data.validation.w
    assert torch.equal(masked.edit(x, 2.0)[:, 0], x[:, 0])
    assert not torch.equal(masked.edit(x, 2.0)[:, 1], x[:, 1])
    assert not torch.equal(free.edit(x, 2.0)[:, 0], x[:, 0])
    with pytest.raises(ValueError, match=r"layers must lie in 0..1, got \(2,\)"):
        LatentWasserstein.fit(data, replace(config, layers=(2,)))


@pytest.mark.slow
def test_layers_that_stay_do_not_enter_the_plan():
    data, _ = fit_data(200)
    space = Space("h", "W+", 2, 2)

    def fitted(second):
        parts = [
            LatentSet(torch.stack([part.w[:, 0, :2], second * part.w[:, 0, 2:]], dim=1), part.y,
                      part.attributes, space)
            for part in (data.train, data.validation)
        ]
        config = replace(CORE, solver=AlternateSolver(rounds=2), blur=(0.3,), layers=(0,))
        return LatentWasserstein.fit(replace(data, train=parts[0], validation=parts[1]), config)

    # Whatever the second layer is, the first is moved in the same way.
    torch.testing.assert_close(fitted(1.0).map.weight, fitted(30.0).map.weight)


def in_layers(data, columns, layers):
    """The same data, of whose coordinates these are kept and cut into layers."""
    space = Space("h", "W+", layers, len(columns) // layers)
    parts = [
        LatentSet(part.w[:, 0, columns].reshape(len(part.w), layers, -1), part.y, part.attributes,
                  space)
        for part in (data.train, data.validation)
    ]
    return replace(data, train=parts[0], validation=parts[1])


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["per_layer", "translation"])
@pytest.mark.parametrize("solver", ["adam", "alternate"])
def test_a_masked_fit_is_the_fit_of_codes_of_the_moved_layers_alone(solver, shape):
    data, _ = fit_data(200, dim=6)
    config = replace(CORE, solver=QUICK[solver], shape=shape, blur=(0.3,))
    masked = LatentWasserstein.fit(
        in_layers(data, [0, 1, 2, 3, 4, 5], 3), replace(config, layers=(0, 2))
    ).map
    alone = LatentWasserstein.fit(in_layers(data, [0, 1, 4, 5], 2), config).map
    torch.testing.assert_close(masked.bias[[0, 2]], alone.bias, rtol=1e-4, atol=1e-4)
    assert not masked.bias[1].any()
    if shape == "per_layer":
        torch.testing.assert_close(masked.weight[[0, 2]], alone.weight, rtol=1e-4, atol=1e-4)
        assert not masked.weight[1].any()


@pytest.mark.parametrize("layers", [None, (1,), (2, 0)])
def test_leaving_layers_out_is_setting_them_to_zero(layers):
    """Distances, hence plans and moves, are those between codes whose other layers are 0."""
    data = in_layers(fit_data(60, dim=6)[0], [0, 1, 2, 3, 4, 5], 3)
    config = replace(CORE, blur=(0.3,), layers=layers)
    problem = prepare(data, config, torch.Generator().manual_seed(0))
    train, mask = problem.train, torch.zeros(3, 1)
    mask[list(layers or (0, 1, 2))] = 1
    x, y = ((w * mask).flatten(1) for w in (train.source, train.target))
    whole = problem.loss.whole(points(train.source, problem.loss.mask))
    torch.testing.assert_close(whole, x, rtol=0, atol=0)
    eps = (0.3 * problem.loss.distance) ** 2
    step = displacement(x, y, eps, train.a, train.b, exclude_self_matches=True, tolerance=1e-3)
    gradient = NegativeGradient(
        problem.loss, train, 0.3, line=False, blocks=3, rng=torch.Generator().manual_seed(0)
    )
    torch.testing.assert_close(gradient(train.source), step.delta, rtol=1e-4, atol=1e-4)


def test_attributes_that_never_vary_are_not_preserved():
    data, _ = fit_data(60)
    y = data.train.y.clone()
    y[:, 1] = 0
    data = replace(data, train=replace(data.train, y=y))
    off, on = (
        prepare(data, LatentWassersteinConfig(keep_constant=keep), torch.Generator()).loss.features
        for keep in (False, True)
    )
    assert off is None  # nothing else is left here
    torch.testing.assert_close(on(data.train.w)[:, 1], data.classifier(data.train.w)[:, 1])


def along_the_line(editor, data):
    """Slope of the displacement along the line through the means, and that of the optimal map."""
    source, target = (codes[:, 0] for codes in data.train.pair("k"))
    axis = target.mean(dim=0) - source.mean(dim=0)
    axis = axis / axis.norm()
    x = source @ axis
    h = editor.displacement(source[:, None])[:, 0] @ axis
    slope = ((x - x.mean()) * (h - h.mean())).mean() / x.var(correction=0)
    return float(slope), float((target @ axis).std() / x.std() - 1)


@pytest.mark.parametrize("shape", ["per_layer", "full"])
def test_with_line_one_round_draws_codes_together_as_far_as_the_optimal_map(shape):
    data = narrowed()
    plain = AlternateSolver(rounds=1, ridge=(1e-6,))
    config = replace(CORE, solver=plain, shape=shape, blur=(1.5,))
    slope, truth = along_the_line(LatentWasserstein.fit(data, config), data)
    assert truth < -0.4
    assert slope > 0.6 * truth  # the plan's blur leaves most of the way to go
    config = replace(config, solver=replace(plain, line=True))
    slope, _ = along_the_line(LatentWasserstein.fit(data, config), data)
    assert slope == pytest.approx(truth, abs=1e-3)


def narrowed(n=1500, dim=4):
    """Two Gaussians that differ in mean and, along the line between the means, in spread."""
    def draw(n, seed):
        g = torch.Generator().manual_seed(seed)
        x, y = torch.randn(2, n, dim, generator=g)
        y[:, 0] = 2 + 0.5 * y[:, 0]
        labels = torch.cat([torch.zeros(n), torch.ones(n)]).long()[:, None]
        return LatentSet(torch.cat([x, y])[:, None], labels, ("k",), Space("h", "Z", 1, dim))

    rng = torch.Generator().manual_seed(0)
    train = draw(n, 0)
    config = ClassifierConfig(hidden=(8,), epochs=1)
    return FitData(train, draw(400, 1), LatentClassifier.fit(train, config, rng), "k", 0)


@pytest.mark.slow
def test_with_line_alternate_still_finds_the_closed_form_map():
    data, map = fit_data()
    config = replace(CORE, solver=AlternateSolver(line=True))
    assert error(LatentWasserstein.fit(data, config), data, map) < 0.07


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["none", "prose"])
def test_back_is_the_mean_move_of_the_weighed_source_codes(weights):
    data, _ = fit_data(300)
    config = replace(CORE, weights=weights, group_by=() if weights == "none" else ("l",),
                     back="mean")
    editor = LatentWasserstein.fit(data, config)
    forward = LatentWasserstein.fit(data, replace(config, back="map"))
    w = data.validation.w
    assert torch.equal(editor.edit(w, 1.3), forward.edit(w, 1.3))
    train = prepare(data, config, torch.Generator().manual_seed(0)).train
    mean = (train.a[:, None, None] * editor.displacement(train.source)).sum(dim=0)
    torch.testing.assert_close(editor.edit(w, -2.0), w - 2 * mean)
    torch.testing.assert_close(forward.edit(w, -2.0), w - 2 * forward.displacement(w))


def test_no_more_codes_are_used_than_asked_for():
    data, _ = fit_data(200)
    train = prepare(data, replace(CORE, most_codes=50), torch.Generator().manual_seed(0)).train
    assert (len(train.source), len(train.target)) == (50, 50)


def test_batches_are_balanced_and_a_short_last_one_is_dropped():
    data, _ = fit_data(50)
    sides = prepare(data, CORE, torch.Generator().manual_seed(0)).train
    more = sides._replace(target=sides.target[:20], b=torch.full((20,), 0.05))
    batches = _batches(more, AdamSolver(imbalance=0.6), 0)
    sizes = [(len(b.source), len(b.target)) for b, _ in zip(batches, range(4), strict=False)]
    assert sizes == [(20, 20)] * 4  # 50 = 20 + 20 + 10, and 10 < .6 * 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lam": -1.0}, "lam must not be negative"),
        ({"blur": ()}, "must hold a candidate"),
        ({"weights": "prose"}, "group_by must be given exactly when"),
        ({"group_by": ("l",)}, "group_by must be given exactly when"),
        ({"rank": 0}, "rank must be positive"),
        ({"layers": ()}, "layers must name a layer at least"),
        ({"solver": AdamSolver(), "shape": "low_rank"}, "shape must not be low_rank for adam"),
    ],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        LatentWassersteinConfig(**change)


@pytest.mark.parametrize("ridge", [(), (0.1, -1.0)])
def test_bad_ridges_are_named(ridge):
    with pytest.raises(ValueError, match="ridge must hold a candidate and none that is negative"):
        AlternateSolver(ridge=ridge)


def test_unfit_data_is_named():
    data, _ = fit_data(50)
    with pytest.raises(ValueError, match="must not hold the target attribute 'k'"):
        LatentWasserstein.fit(data, LatentWassersteinConfig(weights="prose", group_by=("k",)))
    data.classifier.attributes = ("l", "k")
    with pytest.raises(ValueError, match="classifier must predict the attributes of the codes"):
        LatentWasserstein.fit(data, LatentWassersteinConfig())
