"""Truths for GANSpace, SeFa and the naming of their directions: toys whose answer is known."""

from dataclasses import replace

import pytest
import torch

from baselines.directions import choose, effects, layer_groups, on_layers
from baselines.ganspace import GanSpace, axes_of_features, principal_axes
from baselines.sefa import SeFa, SeFaConfig, first_affines, semantic_directions
from lwedit.classifier import LatentClassifier
from lwedit.editors import FitData
from lwedit.generators import Generator, GeneratorConfig
from lwedit.generators.dcgan import Dcgan
from lwedit.latents import LatentSet, Space


class Linear(LatentClassifier):
    """F_k(w) = entry k of the first layer, F_l(w) = ten times entry l."""

    def forward(self, w):
        return w[:, 0, :2] * torch.tensor([1.0, 10.0])


def rotation(dim, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(dim, dim, generator=rng)).Q


def world(w, name="W+", generator=None, attribute="k"):
    space = Space("hash", name, *w.shape[1:])
    latents = LatentSet(w, (w[:, 0, :2] > 0).long(), ("k", "l"), space)
    return FitData(latents, latents, Linear(("k", "l"), space, (1,)), attribute, 0, generator)


def gaussian(n, layers, dim, seed=0):
    return torch.randn(n, layers, dim, generator=torch.Generator().manual_seed(seed))


# --- naming ----------------------------------------------------------------------------------


def test_effects_are_the_slope_in_deviations():
    w = gaussian(150, 2, 3)
    moves = torch.zeros(2, 2, 3)
    moves[0, 0, 0], moves[1, 0, 1], moves[1, 1, 2] = 2.0, -0.5, 9.0
    spread = w[:, 0, :2].std(dim=0)
    expected = torch.tensor([[2.0, 0.0], [0.0, -0.5]]) / spread  # ten times as steep, and as wide
    torch.testing.assert_close(effects(moves, world(w)), expected)


def test_a_direction_goes_to_the_attribute_that_it_changes_most():
    """The longest changes both attributes, and the second more: it is not the first one's."""
    moves = torch.zeros(3, 2, 3)
    moves[0, 0, :2] = torch.tensor([3.0, 4.0])
    moves[1, 0, 0], moves[2, 0, 0] = 0.5, -1.0
    w = gaussian(150, 2, 3)
    torch.testing.assert_close(choose(moves, world(w)).bias, -moves[2])
    torch.testing.assert_close(choose(moves, world(w, attribute="l")).bias, moves[0])
    torch.testing.assert_close(choose(moves[:1], world(w)).bias, moves[0])  # there is no other


def test_layer_groups_are_stylegans():
    one, ten, all_of_them = (world(gaussian(60, layers, 3)) for layers in (1, 10, 18))
    assert layer_groups(one) == [(0,)]
    assert layer_groups(ten)[1:] == [(0, 1, 2, 3), (4, 5, 6, 7), (8, 9)]
    assert layer_groups(all_of_them)[3] == tuple(range(8, 18))
    assert layer_groups(replace(ten, layers=(0, 1, 5))) == [(0, 1, 5), (0, 1), (5,)]
    moved = on_layers(torch.ones(2, 3), (1, 5), 10).abs().sum(dim=(0, 2)).nonzero().flatten()
    assert moved.tolist() == [1, 5]


# --- GANSpace --------------------------------------------------------------------------------


def test_axes_are_those_that_made_the_codes_whatever_the_layers_means():
    turn, deviations = rotation(4), torch.tensor([4.0, 2.0, 1.0, 0.5])
    w = gaussian(4000, 3, 4) * deviations @ turn.T + 50 * gaussian(1, 3, 4, seed=1)
    axes = principal_axes(w)
    torch.testing.assert_close((axes.directions @ turn).abs(), torch.eye(4), atol=0.03, rtol=0)
    torch.testing.assert_close(axes.deviations, deviations, rtol=0.03, atol=0)


def test_codes_shared_by_all_layers_have_the_axes_of_w():
    w = gaussian(300, 1, 4) * torch.tensor([3.0, 2.0, 1.0, 0.5])
    one, many = principal_axes(w), principal_axes(w.expand(-1, 5, -1))
    torch.testing.assert_close(one.deviations, many.deviations)
    torch.testing.assert_close((one.directions @ many.directions.T).abs(), torch.eye(4),
                               atol=1e-4, rtol=0)


def test_in_z_the_features_say_which_axes_come_first():
    turn, gains = rotation(4), torch.tensor([5.0, 3.0, 2.0, 1.0])
    weight = rotation(7, 1)[:, :4] @ torch.diag(gains) @ turn.T  # 7 features of 4 entries
    axes = axes_of_features(gaussian(6000, 1, 4)[:, 0], weight)
    torch.testing.assert_close((axes.directions @ turn).abs(), torch.eye(4), atol=0.06, rtol=0)


def test_ganspace_finds_the_axis_and_moves_by_its_deviation():
    w = gaussian(3000, 2, 3) * torch.tensor([1.5, 1.0, 4.0])
    move = GanSpace.fit(world(w)).map.bias
    torch.testing.assert_close(move, torch.tensor([[1.5, 0, 0]] * 2), atol=0.15, rtol=0)


def test_ganspace_in_z_asks_a_dcgans_first_layer():
    generator = Dcgan(3, (8, 4), 1)
    turn = rotation(3)
    with torch.no_grad():
        inputs = torch.diag(torch.tensor([3.0, 2.0, 1.0])) @ turn.T
        generator.first.weight.copy_(torch.linalg.qr(generator.first.weight).Q @ inputs)
    move = GanSpace.fit(world(gaussian(4000, 1, 3), "Z", generator)).map.bias[0]
    overlap = (turn.T @ (move / move.norm())).abs().max()
    assert overlap > 0.99


# --- SeFa ------------------------------------------------------------------------------------


def test_directions_are_sorted_singular_vectors():
    a = gaussian(40, 1, 6)[:, 0] * torch.tensor([1.0, 5.0, 2.0, 4.0, 3.0, 0.5])
    unit = a / a.norm(dim=1, keepdim=True)
    expected = torch.linalg.svd(unit).Vh
    found = semantic_directions([a[:25], a[25:]], 4)
    torch.testing.assert_close((found @ expected.T).abs(), torch.eye(6)[:4], atol=1e-4, rtol=0)


def test_the_length_of_a_style_does_not_count():
    a = gaussian(20, 1, 4)[:, 0]
    stretched = a * torch.linspace(0.1, 9, 20)[:, None]
    found, expected = (semantic_directions([rows], 2) for rows in (stretched, a))
    torch.testing.assert_close((found * expected).sum(dim=1).abs(), torch.ones(2))


def test_every_layer_reads_by_the_affine_of_its_convolution():
    generator = Generator(GeneratorConfig(16, 1, 8, 1, (8, 6, 4)))
    affines = first_affines(generator)
    blocks = generator.synthesis.blocks
    expected = [blocks["b4"].conv1, blocks["b8"].conv0, blocks["b8"].conv1, blocks["b16"].conv0,
                blocks["b16"].conv1, blocks["b16"].to_image]
    assert all(a.equal(layer.affine.weight) for a, layer in zip(affines, expected, strict=True))
    # The truth behind the table: moving layer i of w changes the style of that convolution.
    for i, layer in enumerate(expected):
        seen = []
        hook = layer.affine.register_forward_pre_hook(lambda _, args, seen=seen: seen.append(args))
        generator(torch.arange(6.0).reshape(1, 6, 1).expand(1, 6, 8))
        hook.remove()
        assert float(seen[0][0][0, 0]) == i


@pytest.mark.parametrize("generator", [
    Generator(GeneratorConfig(8, 1, 4, 1, (4, 4))), Dcgan(4, (2, 2), 1),
], ids=["stylegan2", "dcgan"])
def test_sefa_finds_the_direction_that_the_generator_was_built_to_answer(generator):
    layers = 4 if isinstance(generator, Generator) else 1
    with torch.no_grad():
        parts = (([a for affines in generator.synthesis.affines() for a in affines])
                 if layers == 4 else [generator.first])
        for part in parts:
            part.weight.mul_(0.05)
            part.weight[:, 0] += 1.0
    w = gaussian(500, layers, 4)
    move = SeFa.fit(world(w, "W+" if layers > 1 else "Z", generator), SeFaConfig(1)).map.bias
    spread = w[..., 0].std(dim=0).square().mean().sqrt()
    torch.testing.assert_close(move, spread * torch.eye(4)[:1].expand(layers, 4), atol=0.12, rtol=0)


def test_what_sefa_cannot_read_is_named():
    w = gaussian(20, 4, 4)
    with pytest.raises(ValueError, match="sefa needs the generator's weights"):
        SeFa.fit(world(w))
    with pytest.raises(ValueError, match="must be a StyleGAN2 or a DCGAN for sefa, got Linear"):
        SeFa.fit(world(w, generator=torch.nn.Linear(2, 2)))
    with pytest.raises(ValueError, match=r"must read codes of shape \(4, 4\), it reads \(1, 4\)"):
        SeFa.fit(world(w, generator=Dcgan(4, (2, 2), 1)))
