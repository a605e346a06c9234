"""Truths for LELSD: its score by hand, and a generator each of whose entries draws one quarter."""

from dataclasses import replace

import pytest
import torch

from baselines.lelsd import KMeansParts, Lelsd, LelsdConfig, find_directions, localisation
from lwedit.classifier import LatentClassifier
from lwedit.editors import FitData
from lwedit.generators import Generator, GeneratorConfig
from lwedit.generators.dcgan import Dcgan
from lwedit.generators.features import StyleSpace, feature_maps
from lwedit.latents import LatentSet, Space

FAST = LelsdConfig(directions=1, steps=60, lr=5e-3)


class Linear(LatentClassifier):
    """F reads the first two entries."""

    def forward(self, w):
        return w[:, 0, :2]


def quarter(i):
    """The mask of a quarter of 4x4 places."""
    mask = torch.zeros(4, 4)
    mask[2 * (i // 2) : 2 * (i // 2) + 2, 2 * (i % 2) : 2 * (i % 2) + 2] = 1
    return mask


def local():
    """Entry i of z makes channel i brighter in quarter i, where all other channels are dark."""
    generator = Dcgan(4, (4, 4), 1)
    with torch.no_grad():
        generator.first.weight.copy_(torch.stack([
            quarter(c)[:, :, None] * torch.eye(4)[c] for c in range(4)
        ]).reshape(64, 4))
        generator.first.bias.copy_(torch.stack([5 * quarter(c) for c in range(4)]).flatten())
        generator.up[0].weight.copy_(0.1 * torch.eye(4)[:, :, None, None].expand(4, 4, 4, 4))
        generator.up[0].bias.zero_()
    return generator


def codes(n=400, layers=1, dim=4):
    return torch.randn(n, layers, dim, generator=torch.Generator().manual_seed(0))


def data(generator, w=None, attribute="k"):
    w = codes() if w is None else w
    space = Space("hash", "Z", *w.shape[1:])
    latents = LatentSet(w, (w[:, 0, :2] > 0).long(), ("k", "l"), space)
    return FitData(latents, latents, Linear(("k", "l"), space, (1,)), attribute, 0, generator)


def masked(i):
    return lambda features: quarter(i).expand(len(features.image), 4, 4)


def test_the_score_is_the_share_of_the_change_inside_the_mask():
    zeros = [torch.zeros(1, 2, 2, 2), torch.zeros(1, 1, 4, 4)]
    moved = [torch.tensor([[[[1.0, 0], [0, 2.0]], [[1.0, 1.0], [0, 0]]]]), torch.ones(1, 1, 4, 4)]
    mask = torch.zeros(1, 4, 4)
    mask[:, :2, :2], mask[:, 0, 2] = 1, 1  # of 2x2 places one, and a quarter of the next
    found = localisation(zeros, moved, mask)
    torch.testing.assert_close(found, torch.tensor([(2 + 1 / 4) / 7, 5 / 16]))


@pytest.mark.slow
def test_the_local_direction_is_found():
    config = LelsdConfig(directions=1)
    rng = torch.Generator().manual_seed(0)
    (u,) = find_directions(local(), codes(), masked(2), 2.0, config, rng)
    torch.testing.assert_close(u.norm(), torch.tensor(2.0))
    assert (u[0, 2] / 2).abs() > 0.98
    maps = [feature_maps(local(), x) for x in (codes(5), codes(5) + u)]
    score = localisation(maps[0].maps, maps[1].maps, masked(2)(maps[0]))
    assert score[0] > 0.97


@pytest.mark.slow
def test_two_directions_of_one_part_do_not_repeat_each_other():
    """A mask of two quarters: each direction stays in them, and they are not the same."""
    both = lambda features: masked(0)(features) + masked(3)(features)  # noqa: E731
    config, rng = replace(FAST, directions=2), torch.Generator().manual_seed(1)
    u = find_directions(local(), codes(), both, 1.0, config, rng)[:, 0]
    assert (u[:, [0, 3]].square().sum(dim=1) > 0.9).all()
    assert torch.corrcoef(u)[0, 1].abs() < 0.3


def test_the_generators_own_features_show_the_parts_and_the_attributes():
    generator, w = local(), codes(20)
    before = feature_maps(generator, w)
    before = before._replace(maps=before.maps[:1])
    clusters = KMeansParts(before, 4, 0)
    masks = clusters(before)
    expected = torch.stack([quarter(i) for i in range(4)])
    for i in range(4):
        after = feature_maps(generator, w + torch.eye(4)[i])
        part = clusters.part_of(before, after._replace(maps=after.maps[:1]))
        torch.testing.assert_close(masks[:, part], expected[i].expand(20, 4, 4))


@pytest.mark.slow
def test_an_attribute_gets_the_direction_of_its_part():
    config = replace(FAST, parts=4)
    for k, attribute in enumerate(("k", "l")):
        move = Lelsd.fit(data(local(), attribute=attribute), config).map.bias[0]
        assert move[k] > 0.9 * move.norm()
        apart = data(local()).train.pair(attribute)
        gap = (apart.target.mean(dim=0) - apart.source.mean(dim=0)).norm()
        torch.testing.assert_close(move.norm(), gap)


def test_in_w_all_layers_move_alike_and_styles_move_as_codes():
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(8, 1, 8, 1, (6, 4)))
    config = LelsdConfig(directions=1, space="W", steps=2)
    move = Lelsd.fit(data(generator, codes(40, 4, 8)), config, segment=masked(0)).map.bias
    torch.testing.assert_close(move, move[:1].expand(4, 8))
    some = replace(data(generator, codes(40, 4, 8)), layers=(0, 2))
    move = Lelsd.fit(some, replace(config, space="W+"), segment=masked(0)).map.bias
    assert move.abs().sum(dim=1).nonzero().flatten().tolist() == [0, 2]
    styles = StyleSpace(generator)
    s = styles.codes(codes(40, 4, 8)).detach() - 1
    editor = Lelsd.fit(data(styles, s), LelsdConfig(directions=1, steps=2), segment=masked(0))
    assert editor.edit(s, 1.0).shape == s.shape
    assert all(part.grad is None for part in generator.parameters())


def test_without_a_generator_it_is_refused_in_one_line(unchecked):
    with pytest.raises(ValueError, match=r"lelsd needs the generator's maps .*, got None"):
        Lelsd.fit(data(None))
    with pytest.raises(ValueError, match="space must be W or W\\+, got 'S'"):
        LelsdConfig(space="S")
