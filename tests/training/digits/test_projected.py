"""Truths that training.digits.projected must meet: what is frozen, what each head can see."""

import pytest
import torch
from torch.nn import functional

from lwedit.judges import CLASSES, DigitJudge
from training.digits.projected import ProjectedDiscriminator
from training.gan.trainer import gradient_penalty


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def make(seed=0, width=16):
    torch.manual_seed(seed)
    trunk = DigitJudge(CLASSES, width=width).trunk
    stages = [trunk[:3], trunk[3], trunk[4]]
    return ProjectedDiscriminator(stages, (width // 4, width // 2, width), hidden=8)


def images(n=4, seed=0):
    return 2 * torch.rand(n, 1, 64, 64, generator=rng(seed)) - 1


def test_the_network_it_looks_through_never_learns():
    discriminator = make()
    discriminator.train().requires_grad_(True)
    before = {k: v.clone() for k, v in discriminator.stages.state_dict().items()}
    learning = [p for p in discriminator.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(learning, 1e-2)
    for _ in range(3):
        optimiser.zero_grad()
        discriminator(images()).mean().backward()
        optimiser.step()
    after = discriminator.stages.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)  # running moments among them
    frozen = {id(p) for p in discriminator.stages.parameters()}
    assert not frozen & {id(p) for p in learning}
    assert len(learning) + len(frozen) == len(list(discriminator.parameters()))


@pytest.mark.slow
def test_it_learns_to_tell_two_kinds_of_images_apart():
    discriminator = make()
    dots = torch.full((8, 1, 64, 64), -1.0)
    dots[:, :, 20:24, 20:24] = 1.0
    blank = torch.full((8, 1, 64, 64), -1.0)
    discriminator.requires_grad_(True)
    optimiser = torch.optim.Adam([p for p in discriminator.parameters() if p.requires_grad], 5e-2)
    for _ in range(60):
        fake, real = discriminator(blank), discriminator(dots)
        loss = functional.softplus(fake).mean() + functional.softplus(-real).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert discriminator(dots).mean() > 1 + discriminator(blank).mean()


@torch.no_grad()
def test_fine_heads_answer_for_places_and_the_coarse_one_for_the_whole():
    discriminator = make()
    x = images(1)
    changed = x.clone()
    changed[:, :, :6, :6] = 1.0  # the upper left corner
    a, b = (discriminator(v).reshape(3, 8, 8) for v in (x, changed))
    moved = a != b
    assert moved[0, 0, 0]
    assert moved[1, 0, 0]
    assert not moved[0, 4:, :].any()  # the far half of the finest head
    assert not moved[0, :, 4:].any()
    assert moved[2].all()


@torch.no_grad()
def test_each_head_has_as_many_logits():
    logits = make()(images())
    assert logits.shape == (4, 3 * 64)
    whole = logits.reshape(4, 3, 64)[:, 2]
    assert torch.equal(whole, whole[:, :1].expand(-1, 64))


def test_the_penalty_is_that_of_the_mean_logit():
    discriminator, x = make().double(), images(2).double().requires_grad_()
    logits = discriminator(x).mean(dim=1)
    (slope,) = torch.autograd.grad(logits.sum(), x)
    expected = slope.square().sum(dim=(1, 2, 3)).mean()
    torch.testing.assert_close(gradient_penalty(discriminator, x), expected)


def test_stages_and_widths_must_match():
    with pytest.raises(ValueError, match="stages and widths must be as many, got 1 and 3"):
        ProjectedDiscriminator([torch.nn.Identity()], (4, 8, 16))
