"""Truths that lwedit.inversion.encoder must meet: which entry of a code looks at which cell."""

import pytest
import torch
from torch import nn

from lwedit.generators import GeneratorConfig, Synthesis
from lwedit.inversion import Encoder

DIM, LAYERS = 32, 3
PART = DIM // 16  # entries of a code that belong to one cell


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def make_encoder(size=16, dim=DIM, width=16):
    """An untrained encoder whose residuals and mean are not zero, in evaluation mode."""
    torch.manual_seed(0)
    encoder = Encoder(size, 1, LAYERS, dim, width)
    with torch.no_grad():
        for p in encoder.residual.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=rng(1)))
        encoder.w_mean.copy_(torch.randn(LAYERS, dim, generator=rng(2)))
        encoder(torch.randn(16, 1, size, size, generator=rng(3)))  # moments of batch norm
    return encoder.eval()


def images(n=5, size=16):
    return torch.randn(n, 1, size, size, generator=rng(4))


def test_entries_are_ordered_cell_after_cell():
    maps = torch.randn(2, LAYERS * PART, 4, 4, generator=rng())
    codes = make_encoder()._by_cell(maps)
    for layer in range(LAYERS):
        for m in range(PART):
            for i in range(4):
                for j in range(4):
                    entry = codes[:, layer, (4 * i + j) * PART + m]
                    assert torch.equal(entry, maps[:, layer * PART + m, i, j])


def test_localise_ties_an_entry_to_the_cell_from_which_the_encoder_takes_it():
    synthesis = Synthesis(GeneratorConfig(size=8, dim=DIM, channels=(DIM, 8)))
    synthesis.localise()
    first = synthesis.blocks["b4"].conv1
    maps = torch.randn(3, PART, 4, 4, generator=rng())
    style = first.affine(make_encoder()._by_cell(maps)[:, 0])
    drawn = synthesis.const * style[:, :, None, None]  # what the first convolution sees
    for c in range(DIM):
        i, j = divmod(c // PART, 4)
        expected = torch.zeros(3, 4, 4)
        expected[:, i, j] = 4 * maps[:, c % PART, i, j]
        torch.testing.assert_close(drawn[:, c], expected)


@pytest.mark.parametrize("cell", range(16))
def test_with_eyes_for_one_cell_at_a_time_a_cell_moves_its_own_entries(cell):
    encoder = make_encoder()
    encoder.trunk = nn.Conv2d(1, 16, 4, 4)  # each of the 4x4 features sees its 4x4 pixels
    i, j = divmod(cell, 4)
    x = images()
    y = x.clone()
    y[:, :, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4] += 1
    with torch.no_grad():
        moved = encoder(y) != encoder(x)
    own = torch.arange(DIM) // PART == cell
    assert moved[:, :, own].all()
    assert not moved[:, :, ~own].any()


def test_the_parts_add_up_to_the_code():
    encoder, x = make_encoder(), images()
    base, residual = encoder.parts(x)
    assert base.shape == (5, 1, DIM)
    torch.testing.assert_close(encoder(x), base + residual)


def test_the_mean_code_is_added():
    encoder, x = make_encoder(), images()
    before = encoder(x)
    shift = torch.randn(encoder.w_mean.shape, generator=rng(6))
    encoder.w_mean += shift
    torch.testing.assert_close(encoder(x), before + shift)


def test_training_starts_with_the_same_code_in_every_layer():
    encoder = Encoder(16, 1, LAYERS, DIM, width=16).eval()
    w = encoder.encode(images())
    assert torch.equal(w, w[:, :1].expand_as(w))
    assert w.std(dim=0).min() > 0  # another one for another image


def test_encoding_in_batches_changes_nothing():
    encoder, x = make_encoder(), images(7)
    whole = encoder.encode(x)
    assert not whole.requires_grad
    torch.testing.assert_close(encoder.encode(x, batch=3), whole)
    torch.testing.assert_close(whole, encoder(x).detach())


def test_encoding_in_training_mode_is_refused():
    with pytest.raises(ValueError, match=r"encoder must be in evaluation mode .* call eval\(\)"):
        make_encoder().train().encode(images())


def test_a_dimension_that_cells_cannot_share_is_named():
    with pytest.raises(ValueError, match="dim must be a multiple of 16, .* got 40"):
        Encoder(16, 1, LAYERS, 40)
