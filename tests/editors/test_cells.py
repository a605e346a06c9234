"""Truths for the map over cells: a piece is added where there is room, and the contract holds."""

from dataclasses import replace

import pytest
import torch

from lwedit.classifier import LatentClassifier
from lwedit.editors import (
    CellConfig,
    CellMap,
    FitData,
    LatentWassersteinCells,
    LatentWassersteinConfig,
)
from lwedit.latents import LatentSet, Space

CELLS, PART = 4, 2
SPACE = Space("h", "W+", 2, CELLS * PART)
CONFIG = LatentWassersteinConfig(lam=0.0, blur=(0.15,), grid=2, layers=(0,))
QUICK = CellConfig(width=32, depth=2, epochs=8, batch=16, lr=2e-3)


def placed(n, seed):
    """2 x 2 cells; the source has a piece in cell 0 or 1, the target another one below it.

    No affine rule that is the same for all codes' cells and sparing of the others could do it
    exactly: where the new piece goes depends on where the old one is.
    """
    g = torch.Generator().manual_seed(seed)
    w = 0.05 * torch.randn(2 * n, 2, CELLS, PART, generator=g)
    where = torch.randint(2, (2 * n,), generator=g)
    rows = torch.arange(2 * n)
    w[rows, 0, where] += 1.0
    w[rows[n:], 0, where[n:] + 2] += 1.0
    y = (rows >= n).long()[:, None]
    return LatentSet(w.flatten(2), y, ("k",), SPACE), where


@pytest.fixture(scope="module")
def fitted():
    train = placed(300, 0)[0]
    unasked = LatentClassifier(("k",), SPACE, (4,))
    data = FitData(train, placed(100, 1)[0], unasked, "k", 0)
    return data, LatentWassersteinCells.fit(data, CONFIG, QUICK)


def test_a_piece_is_added_below_the_one_that_is_there_and_nowhere_else(fitted):
    _, editor = fitted
    latents, where = placed(100, 2)
    w, at = latents.w[:100], where[:100]
    move = (editor.edit(w, 1.0) - w).view(100, 2, CELLS, PART)
    rows = torch.arange(100)
    below = move[rows, 0, at + 2].mean()
    assert 0.7 < below < 1.05  # the penalty takes some of it
    others = move[:, 0].clone()
    others[rows, at + 2] = 0
    assert others.abs().max() < 0.25
    assert others.square().mean().sqrt() < 0.06
    assert torch.equal(move[:, 1], torch.zeros_like(move[:, 1]))  # a layer that may not move


def test_sparsity_takes_moves_away_from_cells_that_need_none(fitted):
    data, editor = fitted
    free = LatentWassersteinCells.fit(data, CONFIG, replace(QUICK, sparsity=0.0))
    w = data.validation.w[:100]
    sizes = [m.displacement(w).view(100, 2, CELLS, PART)[:, 0, :2].square().mean()
             for m in (editor, free)]
    assert sizes[0] < 0.5 * sizes[1]


def test_strength_zero_moves_nothing_and_a_loaded_editor_edits_bit_for_bit(fitted, tmp_path):
    data, editor = fitted
    w = data.validation.w
    assert torch.equal(editor.edit(w, 0.0), w)
    editor.save(tmp_path)
    loaded = LatentWassersteinCells.load(tmp_path, SPACE)
    assert torch.equal(loaded.edit(w, 1.3), editor.edit(w, 1.3))
    assert torch.equal(editor.to("cpu").edit(w, 1.3), editor.edit(w, 1.3))


def test_same_seed_same_bits_and_another_seed_others(fitted):
    data, _ = fitted
    quick = replace(QUICK, rounds=1, epochs=1)
    one, two, other = (
        LatentWassersteinCells.fit(replace(data, seed=seed), CONFIG, quick).displacement(
            data.train.w)
        for seed in (0, 0, 1)
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_a_map_starts_still_and_tokens_come_back():
    map = CellMap(torch.tensor([0, 2]), cells=4, part=3, width=32, depth=1)
    w = torch.randn(5, 3, 12)
    assert torch.equal(map(w), torch.zeros_like(w))
    tokens = map.tokens(w)
    assert tokens.shape == (5, 4, 6)
    assert torch.equal(tokens[:, 1, 3:], w[:, 2, 3:6])  # cell 1 of the second moved layer
    assert torch.equal(map.layered(tokens), w[:, [0, 2]])


def test_codes_without_a_layout_are_one_cell(fitted):
    data, _ = fitted
    editor = LatentWassersteinCells.fit(data, replace(CONFIG, grid=None), QUICK)
    assert editor.map.cells == 1
    assert editor.displacement(data.train.w).abs().max() > 0.1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grid": 3}, "grid must split a code of 8 entries into equal cells, got 3 x 3"),
        ({"solver": "adam", "grid": None}, "solver must be 'alternate' for a network, got 'adam'"),
    ],
)
def test_settings_that_do_not_suit_are_named(fitted, changes, message):
    with pytest.raises(ValueError, match=message):
        LatentWassersteinCells.fit(fitted[0], replace(CONFIG, **changes), QUICK)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"sparsity": -1.0}, "sparsity must not be negative, got -1.0"),
     ({"rounds": 0}, "rounds, epochs and batch must be positive")],
)
def test_settings_of_the_network_are_checked(changes, message):
    with pytest.raises(ValueError, match=message):
        CellConfig(**changes)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.pop("centre"),
        lambda state: state.update(extra=torch.zeros(1)),
        lambda state: state.update(moved=torch.tensor([5])),
        lambda state: state.update(moved=torch.tensor([-1])),
        lambda state: state.update(moved=torch.tensor([0.0])),
        lambda state: state.update(place=torch.zeros(3, 32)),
        lambda state: state.update(place=torch.zeros(4, 33)),
    ],
)
def test_a_damaged_state_is_refused(fitted, spoil):
    state = fitted[1].state()
    spoil(state)
    with pytest.raises(ValueError, match="must"):
        LatentWassersteinCells.restore(state, "k", SPACE)
    assert LatentWassersteinCells.restore(fitted[1].state(), "k", SPACE).map.cells == CELLS
