"""LW with a neural map, held against transports whose answer is known."""

import dataclasses

import pytest
import torch

from lwedit.classifier import LatentClassifier
from lwedit.editors.base import FitData
from lwedit.editors.latent_wasserstein_neural import LatentWassersteinNeural
from lwedit.editors.semi_dual import SemiDual
from lwedit.editors.token_transport import NeuralConfig, Transport, from_tokens, to_tokens
from lwedit.latents import LatentSet, Space
from lwedit.transport import gaussian_map, moments

SMALL = NeuralConfig(
    width=32, depth=1, potential_width=32, potential_depth=1, noise=0, candidates=1, batch=64,
    lr=2e-3, average=0.98,
)


def _rng(seed=0):
    return torch.Generator().manual_seed(seed)


def _solve(source, target, config, seed=0):
    training = SemiDual(source, target, False, config, seed)
    for _ in range(config.steps):
        training.step()
    return training.average


def _apply(transport, x, u=None):
    """T(x, u) in the units of the codes."""
    noise = torch.zeros(len(x), transport.noise) if u is None else u
    t = (x - transport.centre) / transport.scale
    with torch.no_grad():
        return x + transport.move(t, noise) * transport.scale


def _data(source, target, seed=0, layers=1):
    w = torch.cat([source, target])
    y = torch.cat([torch.zeros(len(source), 1), torch.ones(len(target), 1)]).long()
    space = Space("0" * 64, "W+", w.shape[1], w.shape[2])
    latents = LatentSet(w, y, ("more",), space)
    return FitData(latents, latents, LatentClassifier(("more",), space, (4,)), "more", seed)


@pytest.fixture(scope="module")
def quick():
    """An editor of a few steps, both directions, with noise."""
    config = dataclasses.replace(SMALL, steps=20, noise=3, candidates=4)
    source, target = torch.randn(200, 2, 3, generator=_rng()), torch.randn(200, 2, 3) + 1
    return LatentWassersteinNeural.fit(_data(source, target), config)


@pytest.mark.slow
def test_between_gaussians_the_quadratic_cost_gives_the_closed_form_map():
    mix = torch.tensor([[1.0, 0.6], [0.0, 0.8]])
    source = torch.randn(3000, 1, 2, generator=_rng(1))
    target = torch.randn(3000, 1, 2, generator=_rng(2)) @ mix + torch.tensor([2.0, -1.0])
    config = dataclasses.replace(SMALL, power=2.0, price=1.0, balanced=True, steps=400, r1=0.01)
    transport = _solve(source, target, config)
    truth = gaussian_map(moments(source[:, 0]), moments(target[:, 0]))
    fresh = torch.randn(2000, 1, 2, generator=_rng(3))
    right = fresh[:, 0] @ truth.weight.float().T + truth.bias.float()
    moved = _apply(transport, fresh)[:, 0]
    # L2 unexplained variance of the map, against that of moving everything by the mean.
    unexplained = (moved - right).square().sum(1).mean() / target[:, 0].var(dim=0).sum()
    by_mean = (fresh[:, 0] + (target - source).mean(0) - right).square().sum(1).mean()
    assert unexplained < 0.05 < by_mean / target[:, 0].var(dim=0).sum()


@pytest.mark.slow
def test_a_cost_per_token_moves_the_free_token_only():
    """A source has one of two tokens filled (+1), a target both: only the free one may move."""
    def scenes(n, filled, seed):
        rng = _rng(seed)
        order = torch.rand(n, 2, generator=rng).argsort(dim=1)
        full = (order < filled).float()[:, :, None] * 2 - 1
        return full + 0.3 * torch.randn(n, 2, 2, generator=rng)

    config = dataclasses.replace(SMALL, steps=250, price=0.3, r1_every=2)
    transport = _solve(scenes(2000, 1, 1), scenes(2000, 2, 2), config)
    x = scenes(300, 1, 3)
    move = (_apply(transport, x) - x).mean(dim=2)
    free = x.mean(dim=2) < 0
    assert (move[free].mean() - 2).abs() < 0.4
    assert move[~free].abs().mean() < 0.1


@pytest.mark.slow
def test_noise_covers_several_answers():
    """One source point, three equally far targets: draws must reach all three."""
    angle = torch.tensor([0.0, 2.0944, 4.1888])
    places = torch.stack([angle.cos(), angle.sin()], dim=1) * 3
    source = 0.05 * torch.randn(500, 1, 2, generator=_rng(1))
    which = torch.randint(3, (1500,), generator=_rng(2))
    target = (places[which] + 0.1 * torch.randn(1500, 2, generator=_rng(3)))[:, None]
    config = dataclasses.replace(SMALL, noise=2, price=0.05, power=2.0, steps=400)
    transport = _solve(source, target, config)
    x, u = source[:1].expand(300, 1, 2), torch.randn(300, 2, generator=_rng(4))
    moved = _apply(transport, x.clone(), u)[:, 0]
    nearest = torch.cdist(moved, places).min(dim=1)
    assert (nearest.values < 1.0).float().mean() > 0.8
    assert (torch.bincount(nearest.indices, minlength=3) / 300 > 0.1).all()


def _filled(n, filled, seed):
    """Codes of two tokens, so many of them filled (entry 0), each of class a or b (entry 1)."""
    rng = _rng(seed)
    full = torch.rand(n, 2, generator=rng).argsort(dim=1) < filled
    kind = torch.randint(2, (n, 2), generator=rng)
    t = torch.stack([2.0 * full - 1, (2.0 * kind - 1) * full], dim=2)
    y = torch.stack([(full & (kind == k)).any(dim=1) for k in (0, 1)], dim=1).float()
    return t + 0.1 * torch.randn(t.shape, generator=rng), y


@pytest.fixture(scope="module")
def by_class():
    """Adds or removes a filled token of a class: one to two, two to one."""
    (few, few_y), (many, many_y) = _filled(2000, 1, 1), _filled(2000, 2, 2)
    config = dataclasses.replace(
        SMALL, steps=300, noise=2, price=0.2, r1_every=2, classes=("a", "b"), read_steps=150,
        candidates=8,
    )
    w, more = torch.cat([few, many]), torch.arange(4000) >= 2000
    y = torch.cat([more[:, None], torch.cat([few_y, many_y])], dim=1).long()
    space = Space("0" * 64, "W+", 2, 2)
    latents = LatentSet(w, y, ("more", "a", "b"), space)
    unused = LatentClassifier(latents.attributes, space, (4,))
    return LatentWassersteinNeural.fit(FitData(latents, latents, unused, "more", 0), config)


@pytest.mark.slow
def test_what_is_added_is_of_the_class_asked_for_and_what_was_there_stays(by_class):
    w, _ = _filled(400, 1, 7)
    free = w[:, :, 0] < 0
    for k in (0, 1):
        edited = by_class.draw(w, 1.0, _rng(k), k)
        right = ((edited[free] - torch.tensor([1.0, 2.0 * k - 1])).abs() < 0.5).all(dim=1)
        assert right.float().mean() > 0.9
        assert (edited - w)[~free].abs().mean() < 0.1


@pytest.mark.slow
def test_what_is_removed_is_of_the_class_asked_for(by_class):
    w, y = _filled(600, 2, 8)
    w = w[y.sum(dim=1) == 2]  # one token of each class
    for k in (0, 1):
        gone = (w[:, :, 1] > 0) == bool(k)
        edited = by_class.draw(w, -1.0, _rng(k), k)
        assert (edited[gone][:, 0] < 0).float().mean() > 0.9
        assert (edited[~gone][:, 0] > 0).float().mean() > 0.9


@pytest.mark.slow
def test_without_a_class_asked_for_every_class_is_drawn(by_class):
    w, _ = _filled(1, 1, 9)
    free = w[0, :, 0] < 0
    kinds = {bool(by_class.draw(w, 1.0, _rng(i))[0, free, 1] > 0) for i in range(8)}
    assert kinds == {False, True}
    with pytest.raises(ValueError, match="k must be one of the editor's 2 classes"):
        by_class.draw(w, 1.0, _rng(0), 2)


@pytest.mark.slow
def test_the_class_of_an_edit_is_drawn_by_the_code(by_class):
    w, _ = _filled(300, 1, 11)
    free = w[:, :, 0] < 0
    edited = by_class.edit(w, 1.0)
    share = (edited[free][:, 1] > 0).float().mean()
    assert 0.4 < share < 0.6
    torch.testing.assert_close(by_class.edit(w[7:9], 1.0), edited[7:9])


@pytest.mark.slow
def test_an_editor_with_classes_is_saved_with_them(by_class, tmp_path):
    by_class.save(tmp_path)
    again = LatentWassersteinNeural.load(tmp_path, by_class.space)
    w, _ = _filled(20, 1, 10)
    assert torch.equal(again.edit(w, 1.0), by_class.edit(w, 1.0))
    assert torch.equal(again.draw(w, 1.0, _rng(), 1), by_class.draw(w, 1.0, _rng(), 1))


def test_best_is_the_candidate_of_highest_value_less_cost():
    torch.manual_seed(0)
    transport = Transport(3, 4, True, NeuralConfig(width=32, noise=5))
    torch.nn.init.normal_(transport.map.end.weight)
    x, noises = 3 * torch.randn(64, 3, 4), torch.randn(7, 5)
    scores, moves = [], []
    for u in noises:
        move = transport.move(x, u.expand(64, -1))
        moves.append(move)
        scores.append(transport.value(x + move) - transport.cost(move))
    pick = torch.stack(scores).argmax(dim=0)
    assert len(pick.unique()) > 1
    assert torch.equal(transport.best(x, noises), torch.stack(moves)[pick, torch.arange(64)])


@pytest.mark.slow
def test_alpha_zero_is_the_identity_and_the_two_directions_are_two_maps(quick):
    w = torch.randn(5, 2, 3, generator=_rng(5))
    assert torch.equal(quick.edit(w, 0.0), w)
    full, half = quick.edit(w, 1.0) - w, quick.edit(w, 0.5) - w
    torch.testing.assert_close(half, full / 2)
    back = quick.edit(w, -1.0) - w
    assert not torch.allclose(back, -full)
    torch.testing.assert_close(back, quick._moved_by("remove", w))


def test_an_edit_does_not_depend_on_what_else_is_edited(quick):
    w = torch.randn(8, 2, 3, generator=_rng(6))
    torch.testing.assert_close(quick.edit(w, 1.0)[3:4], quick.edit(w[3:4], 1.0))


def test_draw_gives_other_answers_and_leaves_the_editor_as_it_was(quick):
    w = torch.randn(4, 2, 3, generator=_rng(7))
    before = quick.edit(w, 1.0)
    drawn = quick.draw(w, 1.0, _rng(8))
    assert not torch.equal(drawn, before)
    assert torch.equal(drawn, quick.draw(w, 1.0, _rng(8)))
    assert torch.equal(quick.edit(w, 1.0), before)


def test_saved_and_loaded_edits_bit_for_bit(quick, tmp_path):
    quick.save(tmp_path)
    again = LatentWassersteinNeural.load(tmp_path, quick.space)
    w = torch.randn(4, 2, 3, generator=_rng(9))
    for alpha in (1.0, -1.0, 0.7):
        assert torch.equal(again.edit(w, alpha), quick.edit(w, alpha))


def test_a_fit_that_was_stopped_ends_in_the_same_weights(tmp_path):
    x, y = torch.randn(80, 2, 3, generator=_rng()), torch.randn(90, 2, 3, generator=_rng(1)) + 1
    config = dataclasses.replace(SMALL, steps=12, noise=2)
    whole = SemiDual(x, y, False, config, 5)
    for _ in range(12):
        whole.step()
    first = SemiDual(x, y, False, config, 5)
    for _ in range(7):
        first.step()
    first.save(tmp_path / "state.safetensors")
    second = SemiDual(x, y, False, config, 5)
    second.load(tmp_path / "state.safetensors")
    assert second.done == 7
    for _ in range(5):
        second.step()
    for name, part in whole.average.state_dict().items():
        assert torch.equal(part, second.average.state_dict()[name]), name
    other = SemiDual(x, y, False, config, 6)
    with pytest.raises(ValueError, match="checkpoint of this fit"):
        other.load(tmp_path / "state.safetensors")


@pytest.mark.slow
def test_the_preservation_term_prices_what_the_classifier_sees():
    """The classifier reads entry 0 as another attribute: with lam the edit leaves entry 0 alone."""
    source = torch.randn(1500, 1, 2, generator=_rng(1))
    target = torch.randn(1500, 1, 2, generator=_rng(2)) + 2
    other = (torch.cat([source, target])[:, 0, 0] > 1).long()
    data = _data(source, target)
    y = torch.stack([data.train.y[:, 0], other[torch.randperm(3000, generator=_rng(3))]], dim=1)
    space = data.train.space
    latents = LatentSet(data.train.w, y, ("more", "other"), space)
    classifier = LatentClassifier(("more", "other"), space, (4,))
    classifier.forward = lambda w: torch.stack([w[:, 0, 1], 3 * w[:, 0, 0]], dim=1)
    moves = []
    for lam in (0.0, 5.0):
        config = dataclasses.replace(
            SMALL, steps=150, lam=lam, power=2.0, price=0.1, directions=("add",)
        )
        editor = LatentWassersteinNeural.fit(
            FitData(latents, latents, classifier, "more", 0), config
        )
        moves.append(editor.displacement(source).abs().mean(dim=(0, 1)))
    assert moves[1][0] < 0.3 * moves[0][0]
    assert moves[1][1] > 0.7 * moves[0][1]


def test_cells_are_tokens_and_move_all_layers_alike():
    w = torch.randn(4, 3, 8, generator=_rng(3))
    t = to_tokens(w, 4)
    assert torch.equal(t[:, 1], w.mean(dim=1)[:, 2:4])
    back = from_tokens(t, 4, 3)
    assert torch.equal(back[:, 0], back[:, 2])
    assert torch.equal(back[:, 0], w.mean(dim=1))
    assert torch.equal(from_tokens(to_tokens(w, None), None, 3), w)
    with pytest.raises(ValueError, match="cells must divide a code of 8 entries"):
        to_tokens(w, 3)


def test_only_the_fitted_direction_can_be_asked_for(tmp_path):
    x, y = torch.randn(50, 1, 2, generator=_rng()), torch.randn(50, 1, 2, generator=_rng(1))
    config = dataclasses.replace(SMALL, steps=2, directions=("remove",))
    editor = LatentWassersteinNeural.fit(_data(x, y), config)
    editor.edit(x, -1.0)
    with pytest.raises(ValueError, match="alpha must have the other sign"):
        editor.edit(x, 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"width": 40}, "width must be a multiple of 32"), ({"steps": 0}, "steps must be at least 1"),
     ({"price": -1.0}, "price must not be negative"), ({"power": 3.0}, "power must lie in"),
     ({"directions": ()}, "directions must be some of"),
     ({"counts": ("two",)}, "counts need classes beside them")],
)
def test_settings_are_checked(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(NeuralConfig(), **change)


def test_damaged_state_is_refused(quick):
    state = quick.state()
    del state["add.map.place"]
    with pytest.raises(ValueError, match="state must be that of a neural editor"):
        LatentWassersteinNeural.restore(state, "more", quick.space)
    with pytest.raises(ValueError, match="transport must move codes of shape"):
        LatentWassersteinNeural.restore(quick.state(), "more", Space("0" * 64, "W+", 4, 3))


@pytest.mark.slow
def test_one_fit_serves_every_number_of_things():
    """Of three tokens one or two are filled; one is added where it is free."""
    def codes(n, filled, seed):
        rng = _rng(seed)
        full = (torch.rand(n, 3, generator=rng).argsort(dim=1) < filled).float()
        return 2 * full[:, :, None] - 1 + 0.1 * torch.randn(n, 3, 2, generator=rng)

    clouds = [codes(1500, n, n) for n in (1, 2, 3)]
    y = torch.tensor([[0, 0, 1], [1, 0, 1], [1, 1, 1]]).repeat_interleave(1500, dim=0)
    space = Space("0" * 64, "W+", 3, 2)
    latents = LatentSet(torch.cat(clouds), y, ("two", "three", "is"), space)
    unused = LatentClassifier(latents.attributes, space, (4,))
    config = dataclasses.replace(
        SMALL, steps=400, noise=3, candidates=4, price=0.2, r1_every=2, classes=("is",),
        counts=("two", "three"), read_steps=150, directions=("add",),
    )
    editor = LatentWassersteinNeural.fit(FitData(latents, latents, unused, "two", 0), config)
    for filled in (1, 2):
        edited = editor.edit(codes(300, filled, 9), 1.0)
        now = (edited.mean(dim=2) > 0).sum(dim=1)
        assert (now == filled + 1).float().mean() > 0.9


@pytest.mark.slow
def test_without_a_class_asked_for_one_that_is_shown_is_removed(by_class):
    w, y = _filled(400, 2, 12)
    edited = by_class.edit(w, -1.0)
    once = y.sum(dim=1) == 2  # one token of each class
    assert ((edited[:, :, 0] > 0).sum(dim=1)[once] == 1).float().mean() > 0.9


def test_labels_that_cannot_tell_are_refused():
    w = torch.randn(40, 1, 2, generator=_rng())
    y = torch.arange(40)[:, None] % torch.tensor([2, 3, 40]) > 0
    y[:, 2] = False  # a class that no code shows
    latents = LatentSet(w, y.long(), ("more", "other", "a"), Space("0" * 64, "W+", 1, 2))
    classifier = LatentClassifier(latents.attributes, latents.space, (4,))
    data = FitData(latents, latents, classifier, "more", 0)
    config = dataclasses.replace(SMALL, steps=1, read_steps=1, classes=("a",))
    with pytest.raises(ValueError, match="every code that loses one of classes"):
        LatentWassersteinNeural.fit(data, dataclasses.replace(config, directions=("remove",)))
    with pytest.raises(ValueError, match="attribute must be one of counts"):
        LatentWassersteinNeural.fit(data, dataclasses.replace(config, counts=("other",)))
