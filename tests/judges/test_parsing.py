"""Truths that lwedit.judges.parsing must meet: a closed form, a round trip, a colour told apart."""

import math

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from lwedit.judges.parsing import Parser, intersection_over_union


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_intersection_over_union_of_counted_pixels():
    found = torch.tensor([[[0, 0, 1], [1, 1, 2]]])
    truth = torch.tensor([[[0, 1, 1], [1, 0, 0]]])
    overlap = intersection_over_union(found, truth, 4)
    assert overlap[:3].tolist() == pytest.approx([1 / 4, 2 / 4, 0])
    assert math.isnan(overlap[3])


@pytest.mark.slow
def test_a_parser_learns_which_colour_is_which():
    torch.manual_seed(0)
    parser = Parser(("dark", "light"), width=4, levels=2).train()
    optimiser = torch.optim.Adam(parser.parameters(), 0.02)
    draw = rng()
    for _ in range(60):
        light = torch.rand(8, 1, 8, 8, generator=draw) < 0.5
        x = functional.interpolate(light.float(), scale_factor=2).expand(-1, 3, -1, -1) * 2 - 1
        truth = functional.interpolate(light.float(), scale_factor=2)[:, 0].long()
        loss = functional.cross_entropy(parser(x), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    found = parser.eval().parse(x, batch=3)
    assert intersection_over_union(found, truth, 2).min() > 0.95


def test_a_saved_parser_reads_the_same(tmp_path):
    torch.manual_seed(1)
    parser = Parser(("a", "b", "c"), width=4, levels=1).eval()
    parser.save(tmp_path / "parser.safetensors")
    loaded = Parser.load(tmp_path / "parser.safetensors")
    x = torch.randn(2, 3, 8, 8, generator=rng())
    assert loaded.regions == ("a", "b", "c")
    with torch.no_grad():
        torch.testing.assert_close(loaded(x), parser(x), atol=5e-3, rtol=5e-3)  # float16


def test_a_file_of_something_else_is_refused(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"other.safetensors must hold a parser of portraits"):
        Parser.load(tmp_path / "other.safetensors")
