"""Truths that training.gan and training.digits.gan must meet: closed forms, resumed runs."""

import copy
import json
import math

import pytest
import torch
from safetensors import safe_open
from torch import nn

from lwedit.generators import GeneratorConfig
from lwedit.generators.sheet import sample_sheet
from training.digits.gan import main
from training.gan.checkpoints import load_checkpoint, save_checkpoint
from training.gan.trainer import GanTrainer, TrainingConfig

TINY = GeneratorConfig(size=8, image_channels=1, dim=8, mapping_layers=1, channels=(16, 8))


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def make_trainer(seed=0, **settings):
    return GanTrainer(TINY, TrainingConfig(**({"batch": 8} | settings)), rng(seed))


def two_pixels(n=8):
    """Every real image is black but for two white pixels, one of them at a random place."""
    x = torch.full((n, 64), -1.0)
    x[:, 9] = 1.0
    x[torch.arange(n), torch.randint(64, (n,), generator=rng(3))] = 1.0
    return x.reshape(n, 1, 8, 8)


def softplus(v):
    return math.log1p(math.exp(v))


class Constant(nn.Module):
    """D(x) = c."""

    def __init__(self, c):
        super().__init__()
        self.c = nn.Parameter(torch.tensor(c))

    def forward(self, x):
        return self.c + 0 * x.mean(dim=(1, 2, 3))


class Linear(nn.Module):
    """D(x) = <a, x>."""

    def __init__(self, a):
        super().__init__()
        self.a = nn.Parameter(a)

    def forward(self, x):
        return x.flatten(1) @ self.a


def with_discriminator(trainer, discriminator):
    """The trainer with another discriminator, under the same optimiser settings."""
    old = trainer.optimiser_d.param_groups[0]
    trainer.discriminator = discriminator
    trainer.optimiser_d = torch.optim.Adam(discriminator.parameters(), old["lr"], old["betas"])
    return trainer


# --- one step --------------------------------------------------------------------------------


def test_losses_at_a_known_logit():
    c = 0.7
    trainer = with_discriminator(make_trainer(), Constant(c))
    losses = trainer.step(two_pixels())
    # Adam's first step is its whole step size against the sign of the slope, which is c's; lazy
    # R1 every 16 steps shortens it by 16/17. The generator's loss sees the moved logit.
    moved = c - 2.5e-3 * 16 / 17
    assert losses.discriminator == pytest.approx(softplus(c) + softplus(-c), rel=1e-6)
    assert losses.generator == pytest.approx(softplus(-moved), rel=1e-6)
    assert (losses.real, losses.fake) == pytest.approx((c, c), rel=1e-6)


def test_losses_at_logits_that_tell_the_images_apart():
    a = torch.zeros(64)
    a[9] = 2.0  # the pixel that is white in every real image
    trainer = with_discriminator(make_trainer(seed=4), Linear(a))
    probe = copy.deepcopy(trainer)  # the same state draws the same images
    probe.rng.set_state(trainer.rng.get_state())
    with torch.no_grad():
        fake = 2.0 * probe._sample_images(8)[:, 0, 1, 1]
    losses = trainer.step(two_pixels())
    assert losses.real == pytest.approx(2.0)
    assert losses.fake == pytest.approx(fake.mean().item(), rel=1e-5)
    expected = sum(softplus(logit) for logit in fake.tolist()) / 8 + softplus(-2.0)
    assert losses.discriminator == pytest.approx(expected, rel=1e-5)


def test_lazy_r1_leaves_the_pace_of_adam_as_it_was():
    """17 updates of D, R1's among them, go as far and forget as much as 16 did."""
    group = make_trainer(lr=1e-3).optimiser_d.param_groups[0]
    assert 17 * group["lr"] == pytest.approx(16 * 1e-3)
    assert group["betas"] == (0.0, pytest.approx(0.99 ** (16 / 17)))


@pytest.mark.parametrize("every", [1, 4])
def test_r1_is_weighted_by_half_gamma_times_its_interval(monkeypatch, every):
    slope = torch.full((64,), 0.25)  # squared length 4
    trainer = make_trainer(r1_every=every, r1_gamma=0.6)
    with_discriminator(trainer, Linear(slope))
    seen = []
    monkeypatch.setattr(trainer, "_descend", lambda optimiser, loss: seen.append(loss.item()))
    for _ in range(4):
        trainer.step(two_pixels())
    per_step = [2] * 4 if every > 1 else [3] * 4  # D, (R1), G
    assert len(seen) == sum(per_step) + (every > 1)
    penalties = seen[1::3] if every == 1 else [seen[7]]
    assert penalties == pytest.approx([0.6 / 2 * every * 4.0] * len(penalties), rel=1e-6)


def test_generator_step_leaves_the_discriminator_alone_and_trainable():
    trainer = make_trainer()
    after_d = []
    original = trainer._descend

    def watch(optimiser, loss):
        original(optimiser, loss)
        after_d.append([p.detach().clone() for p in trainer.discriminator.parameters()])

    trainer._descend = watch
    trainer.step(two_pixels())
    for before, after in zip(*after_d, strict=True):  # after D's update, after G's
        assert torch.equal(before, after)
    assert all(p.requires_grad for p in trainer.discriminator.parameters())


def test_moving_average_follows_its_formula():
    trainer = make_trainer(ema_decay=0.5)
    slow = [p.detach().clone() for p in trainer.ema.parameters()]
    for step in range(1, 16):
        trainer.step(two_pixels())
        decay = min(0.5, 1 - 10 / (step + 10))  # the window is a tenth of what was seen, or 1/(1-d)
        fast = trainer.generator.parameters()
        slow = [decay * s + (1 - decay) * f.detach() for s, f in zip(slow, fast, strict=True)]
        for expected, got in zip(slow, trainer.ema.parameters(), strict=True):
            torch.testing.assert_close(got, expected)
    for fast, got in zip(trainer.generator.buffers(), trainer.ema.buffers(), strict=True):
        assert torch.equal(fast, got)


def test_style_mixing_cuts_once_at_a_layer():
    trainer = make_trainer(mixing=1.0)
    w = trainer._sample_codes(64)
    same = (w[:, 1:] == w[:, :-1]).all(dim=2)  # (n, layers - 1)
    assert ((~same).sum(dim=1) == 1).all()
    assert (~same).any(dim=0).all()  # every layer is cut at in some image
    plain = make_trainer(mixing=0.0)._sample_codes(16)
    assert torch.equal(plain, plain[:, :1].expand_as(plain))


def test_training_is_a_function_of_its_generator_alone():
    trainers = []
    for noise in (1, 2):
        torch.manual_seed(noise)  # the global state must not matter
        trainer = make_trainer(seed=7)
        for _ in range(3):
            trainer.step(two_pixels())
        trainers.append(trainer)
    for a, b in zip(*(t.generator.state_dict().values() for t in trainers), strict=True):
        assert torch.equal(a, b)


@pytest.mark.slow
def test_the_discriminator_learns_to_tell_two_pixels_from_noise():
    trainer = make_trainer(r1_every=4)
    losses = [trainer.step(two_pixels()) for _ in range(30)]
    assert all(math.isfinite(value) for step in losses for value in step)
    gaps = [step.real - step.fake for step in losses]
    assert abs(gaps[0]) < 0.5
    assert min(gaps[-5:]) > gaps[0] + 0.3


def test_images_are_counted_as_shown():
    trainer = make_trainer()
    for n in (8, 8, 3):
        trainer.step(two_pixels(n))
    assert (trainer.steps, trainer.images_seen) == (3, 19)


# --- checkpoints -----------------------------------------------------------------------------


@pytest.fixture
def trained():
    trainer = make_trainer(r1_every=2)
    for n in (8, 8, 4):
        trainer.step(two_pixels(n))
    return trainer


def states(trainer):
    for module in (trainer.generator, trainer.ema, trainer.discriminator):
        yield from module.state_dict().values()


def test_a_checkpoint_gives_the_weights_back_exactly(trained, tmp_path):
    save_checkpoint(trained, tmp_path)
    other = make_trainer(seed=1, r1_every=2, batch=4)
    load_checkpoint(other, tmp_path)
    assert (other.steps, other.images_seen) == (3, 20)
    for a, b in zip(states(trained), states(other), strict=True):
        assert torch.equal(a, b)


def test_training_goes_on_as_if_it_had_not_stopped(trained, tmp_path):
    save_checkpoint(trained, tmp_path)
    other = make_trainer(seed=1, r1_every=2)
    load_checkpoint(other, tmp_path)
    before = [p.detach().clone() for p in trained.generator.parameters()]
    other.rng.set_state(trained.rng.get_state())
    for trainer in (trained, other):
        trainer.step(two_pixels())
    for start, a, b in zip(before, trained.generator.parameters(),
                           other.generator.parameters(), strict=True):
        # Squares are kept in bfloat16 (8 bits): their root, and so the step, is off by 2^-10.
        torch.testing.assert_close(b - start, a - start, rtol=2e-2, atol=1e-5)


def test_a_checkpoint_of_an_untrained_network_loads(tmp_path):
    save_checkpoint(make_trainer(), tmp_path)
    other = make_trainer(seed=1)
    load_checkpoint(other, tmp_path)
    other.step(two_pixels())
    assert other.steps == 1


def test_another_architecture_is_refused_by_name(trained, tmp_path):
    save_checkpoint(trained, tmp_path)
    wide = GanTrainer(
        GeneratorConfig(size=8, dim=8, mapping_layers=1, channels=(16, 16)), trained.config, rng()
    )
    before = [p.detach().clone() for p in wide.generator.parameters()]
    with pytest.raises(ValueError, match=r"must hold a model of .*\(16, 16\).*got .*\(16, 8\)"):
        load_checkpoint(wide, tmp_path)
    for a, b in zip(before, wide.generator.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_checkpoint_from_before_a_size_had_a_name_goes_on(trained, tmp_path):
    save_checkpoint(trained, tmp_path)
    state = json.loads((tmp_path / "state.json").read_text())
    for later in ("mapping_width", "flow"):
        del state["model"][later]
    (tmp_path / "state.json").write_text(json.dumps(state))
    again = GanTrainer(trained.generator.config, trained.config, rng())
    load_checkpoint(again, tmp_path)
    assert again.images_seen == trained.images_seen


@pytest.mark.slow
def test_a_checkpoint_is_safetensors_and_json_and_nothing_else(trained, tmp_path):
    save_checkpoint(trained, tmp_path)
    files = {path.name for path in tmp_path.iterdir()}
    weights = {name for name in files if name.endswith(".safetensors")}
    assert files - weights == {"state.json"}
    assert len(weights) == 5
    for name in weights:
        with safe_open(tmp_path / name, "pt") as file:
            assert list(file.keys())
    assert json.loads((tmp_path / "state.json").read_text())["steps"] == 3


def test_sample_sheet_shows_the_images_row_by_row_in_dark_ink():
    ema = make_trainer().ema
    z = torch.randn(6, 8, generator=rng())
    sheet = torch.tensor(list(sample_sheet(ema, z, columns=3).tobytes())).reshape(16, 24)
    with torch.no_grad():
        x = ema(ema.codes(z)).clamp(-1, 1)
    for i in range(6):
        row, column = divmod(i, 3)
        tile = sheet[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        assert (tile - 127.5 * (1 - x[i, 0])).abs().max() <= 0.51


@pytest.mark.slow
def test_the_command_trains_and_goes_on_from_its_checkpoint(tmp_path):
    out = tmp_path / "run"
    command = ["--out", str(out), "--batch", "8", "--dim", "16", "--minutes", "0"]
    for images in (12, 20):
        main([*command, "--images", str(images)])
        assert json.loads((out / "state.json").read_text())["images"] == images
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [entry["images"] for entry in log] == [8, 12, 20]
    assert {path.name for path in out.glob("*.png")} == {
        "samples_0000008.png", "samples_0000012.png", "samples_0000020.png",
    }
