"""Truths of the flow mapping: attention by hand, places, and a distribution whose law is known."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from lwedit.generators import Generator, GeneratorConfig
from lwedit.generators.flow_mapping import CELLS, CellVelocity, FlowConfig, FlowMapping
from training.digits.flow_fit import FlowFitConfig, FlowTrainer, guided

DIM, WIDTH = 2 * CELLS, 32
QUICK = FlowFitConfig(steps=300, batch=128, lr=3e-3, rise=20, ema_decay=0.98)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=rng(seed))


def lively(seed=0, width=64):
    """A velocity in which nothing is zero."""
    torch.manual_seed(seed)
    velocity = CellVelocity(DIM, width, depth=2)
    with torch.no_grad():
        for p in velocity.parameters():
            p.add_(0.1 * torch.randn(p.shape))
    return velocity


def two_states(n=4000, seed=0):
    """Every cell near (1, 3), or every cell near (-2, 0): two modes, nothing between them."""
    side = torch.randint(2, (n, 1, 1), generator=rng(seed)).float()
    cells = side * torch.tensor([1.0, 3.0]) + (1 - side) * torch.tensor([-2.0, 0.0])
    return (cells + 0.1 * normal(n, CELLS, 2, seed=seed + 1)).reshape(n, DIM)


def make_mapping(steps=8, width=WIDTH):
    torch.manual_seed(3)
    return FlowMapping(DIM, FlowConfig(width, depth=2, steps=steps))


def test_attention_is_torchs():
    velocity = lively()
    block, h = velocity.blocks[0], normal(3, CELLS, 64, seed=2)
    q, k, v = block.to_heads(h).view(3, CELLS, 3, 2, 32).permute(2, 0, 3, 1, 4)
    expected = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(h.shape)
    torch.testing.assert_close(block._attend(h), expected, rtol=1e-5, atol=1e-6)


def test_without_places_cells_are_alike():
    velocity, w, t = lively(), normal(5, DIM, seed=1), torch.rand(5, generator=rng(2))
    order = torch.randperm(CELLS, generator=rng(3))
    moved = w.view(5, CELLS, 2)[:, order].reshape(5, DIM)
    told = velocity(w, t).view(5, CELLS, 2)[:, order].reshape(5, DIM)
    assert not torch.allclose(velocity(moved, t), told, atol=1e-3)  # places count
    with torch.no_grad():
        velocity.place.zero_()
    told = velocity(w, t).view(5, CELLS, 2)[:, order].reshape(5, DIM)
    torch.testing.assert_close(velocity(moved, t), told, rtol=1e-4, atol=1e-5)


def test_every_cell_sees_every_other_and_the_time():
    velocity, w = lively(), normal(1, DIM, seed=1).requires_grad_()
    t = torch.full((1,), 0.3, requires_grad=True)
    slopes = torch.autograd.grad(velocity(w, t)[0, 0], (w, t))
    assert (slopes[0] != 0).all()
    assert slopes[1] != 0


def test_images_of_a_batch_do_not_meet():
    velocity, w, t = lively(), normal(4, DIM, seed=1), torch.rand(4, generator=rng(2))
    torch.testing.assert_close(velocity(w, t)[2:3], velocity(w[2:3], t[2:3]), rtol=1e-5, atol=1e-6)


def test_an_untrained_flow_hands_the_noise_on_in_the_scale_of_codes():
    mapping = make_mapping()
    mapping.centre.copy_(torch.tensor([1.0, -2.0]))
    mapping.scale.copy_(torch.tensor([3.0, 0.5]))
    z = normal(2, DIM)
    expected = z.view(2, CELLS, 2) * torch.tensor([3.0, 0.5]) + torch.tensor([1.0, -2.0])
    torch.testing.assert_close(mapping(z), expected.reshape(2, DIM))
    torch.testing.assert_close(mapping.to_standard(mapping(z)), z, rtol=1e-5, atol=1e-6)


def test_a_constant_velocity_is_followed_for_one_unit_of_time():
    mapping = make_mapping(steps=7)
    with torch.no_grad():
        mapping.velocity.end.bias.copy_(torch.tensor([0.5, -1.0]))
    moved = mapping(normal(2, DIM)) - normal(2, DIM)
    torch.testing.assert_close(moved.view(2, CELLS, 2)[1, 4], torch.tensor([0.5, -1.0]))


@pytest.mark.slow
def test_two_modes_are_found_with_their_shares_and_nothing_between():
    mapping, codes = make_mapping(), two_states()
    trainer = FlowTrainer(mapping, codes, QUICK, seed=0)
    losses = [trainer.step() for _ in range(QUICK.steps)]
    assert sum(losses[-50:]) < 0.7 * sum(losses[:50])
    with torch.no_grad():
        w = trainer.average(normal(2000, DIM, seed=9)).view(-1, CELLS, 2)
    modes = torch.tensor([[1.0, 3.0], [-2.0, 0.0]])
    gap = (w[:, :, None] - modes).norm(dim=3).min(dim=2).values
    assert gap.median() < 0.5  # the modes are 4.2 apart
    first = (w.mean(dim=1)[:, 0] > -0.5).float().mean()
    assert 0.4 < first < 0.6
    whole = (w[:, :, 0] > -0.5).float().mean(dim=1)  # cells of one code agree
    assert ((whole < 0.1) | (whole > 0.9)).float().mean() > 0.95


def test_the_mean_code_is_that_of_the_codes():
    mapping, codes = make_mapping(), two_states(200)
    trainer = FlowTrainer(mapping, codes, QUICK, seed=0)
    torch.testing.assert_close(trainer.average.w_mean, codes.mean(dim=0))


def test_a_saved_training_goes_on_with_equal_bits(tmp_path):
    trainer = FlowTrainer(make_mapping(), two_states(200), QUICK, seed=0)
    for _ in range(3):
        trainer.step()
    trainer.save(tmp_path)
    again = []
    for _ in range(2):
        other = FlowTrainer(make_mapping(), two_states(200), QUICK, seed=0)
        other.load(tmp_path)
        assert other.done == 3
        assert torch.equal(other.average.velocity.place, trainer.average.velocity.place)
        other.step()
        again.append(other.mapping.velocity.blocks[0].up.weight)
    assert torch.equal(*again)
    # The optimisers' moments came along: a training that lacks them steps elsewhere.
    fresh = FlowTrainer(make_mapping(), two_states(200), QUICK, seed=0)
    fresh.load(tmp_path)
    for optimiser in fresh.optimisers:
        optimiser.state.clear()
    fresh.step()
    assert not torch.equal(fresh.mapping.velocity.blocks[0].up.weight, again[0])


@pytest.mark.parametrize(("codes", "message"), [
    (torch.zeros(5, DIM + 1), rf"codes must have shape \(n, {DIM}\), got \(5, {DIM + 1}\)"),
    (torch.full((5, DIM), float("nan")), "codes must be finite"),
])
def test_wrong_codes_are_refused(codes, message):
    with pytest.raises(ValueError, match=message):
        FlowTrainer(make_mapping(), codes, QUICK, seed=0)


@pytest.mark.parametrize(("dim", "width", "message"), [
    (30, 32, "dim must be a multiple of 16 for a flow, got 30"),
    (32, 0, "width must be a multiple of 32 for a flow, got 0"),
    (32, 40, "width must be a multiple of 32 for a flow, got 40"),
])
def test_sizes_that_do_not_divide_are_refused(dim, width, message):
    with pytest.raises(ValueError, match=message):
        CellVelocity(dim, width, depth=1)


def test_a_generator_with_a_flow_has_codes_and_truncation():
    flow = FlowConfig(WIDTH, depth=2, steps=3)
    config = GeneratorConfig(size=8, dim=DIM, channels=(8, 4), flow=flow)
    generator = Generator(config)
    z = normal(2, DIM)
    w = generator.codes(z)
    assert w.shape == (2, config.layers, DIM)
    generator.mapping.w_mean.fill_(5.0)
    torch.testing.assert_close(generator.codes(z, truncation=0.25), 5 + 0.25 * (w - 5))
    assert not hasattr(Generator(replace(config, flow=None)).mapping, "velocity")


# --- guidance --------------------------------------------------------------------------------


def constant(bias, width=WIDTH):
    """A mapping whose velocity is the same everywhere."""
    mapping = make_mapping(steps=3, width=width)
    with torch.no_grad():
        mapping.velocity.end.bias.copy_(torch.tensor(bias))
    return mapping


def test_guidance_goes_on_from_the_guide_through_the_mapping():
    whole = guided(constant([1.0, 2.0]), constant([0.5, 3.0], width=64), guidance=2.0, steps=5)
    moved = (whole(normal(2, DIM)) - normal(2, DIM)).view(2, CELLS, 2)
    expected = torch.tensor([1 + 2 * 0.5, 2 + 2 * -1.0])
    torch.testing.assert_close(moved, expected.expand_as(moved), rtol=1e-5, atol=1e-5)
    assert whole.config == FlowConfig(WIDTH, 2, 5, 2.0, 64, 2)
    assert not any(p.requires_grad for p in whole.parameters())


def test_a_guide_that_knows_as_much_changes_nothing():
    mapping = constant([1.0, 2.0])
    whole = guided(mapping, constant([1.0, 2.0]), guidance=3.0, steps=3)
    torch.testing.assert_close(whole(normal(2, DIM)), mapping(normal(2, DIM)))


def test_a_guide_of_other_codes_is_refused():
    mapping, guide = constant([1.0, 2.0]), constant([1.0, 2.0])
    guide.scale.fill_(2.0)
    with pytest.raises(ValueError, match="guide must be fitted to the codes of mapping"):
        guided(mapping, guide, guidance=1.0, steps=3)


@pytest.mark.parametrize(("changes", "message"), [
    ({"steps": 0}, "steps must be at least 1, got 0"),
    ({"guidance": -0.5}, "guidance must be 0 or more, got -0.5"),
    ({"guidance": float("nan")}, "guidance must be 0 or more, got nan"),
])
def test_impossible_flows_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        FlowConfig(**changes)
