"""Truths of the autoencoder's training: losses by hand, a toy, files."""

import copy
import json

import numpy as np
import pytest
import torch

from lwedit.generators import GeneratorConfig, Synthesis
from lwedit.inversion import Encoder
from training.digits.autoencoder import _load, _save, main, reconstruction_sheet
from training.digits.autoencoder_trainer import AutoencoderConfig, AutoencoderTrainer

TINY = GeneratorConfig(size=8, dim=32, channels=(32, 16))
QUICK = {"lr_generator": 5e-3, "lr_encoder": 5e-3}


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def make_trainer(seed=0, features=None, **settings):
    torch.manual_seed(seed)
    synthesis, encoder = Synthesis(TINY), Encoder(8, 1, TINY.layers, TINY.dim, width=32)
    synthesis.localise()
    with torch.no_grad():
        encoder.residual.weight.add_(0.1 * torch.randn(encoder.residual.weight.shape))
    return AutoencoderTrainer(synthesis, encoder, AutoencoderConfig(**settings), features)


def bars(n, seed=0):
    """One bright line a picture, across or down, at one of eight places."""
    x = torch.full((n, 1, 8, 8), -1.0)
    place = torch.randint(8, (n,), generator=rng(seed))
    x[torch.arange(n), 0, place] = 1.0
    down = torch.rand(n, generator=rng(seed + 1)) < 0.5
    return torch.where(down[:, None, None, None], x.mT, x)


def snapshot(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a | b)


# --- one step --------------------------------------------------------------------------------


def curved(y):
    """A feature map that is not linear."""
    return (2 * y).sin()


@pytest.mark.parametrize(("c_f", "c_r"), [(0.0, 0.0), (0.0, 0.7), (0.3, 0.7)])
def test_losses_and_their_gradient_are_those_of_the_formula(c_f, c_r):
    trainer = make_trainer(
        features=curved, feature_weight=c_f, residual_weight=c_r, train_generator=True
    )
    synthesis, encoder = copy.deepcopy((trainer.synthesis, trainer.encoder))
    x = bars(6)
    base, residual = encoder.parts(x)
    y = synthesis(base + residual)
    pixels, spread = ((y - x) ** 2).mean(), (residual**2).mean()
    error = ((curved(y) - curved(x)) ** 2).mean()
    (pixels + c_f * error + c_r * spread).backward()
    losses = trainer.step(x)
    assert losses.pixels == pytest.approx(pixels.item(), rel=1e-5)
    assert losses.residual == pytest.approx(spread.item(), rel=1e-5)
    assert losses.features == pytest.approx(error.item() if c_f else 0.0, rel=1e-5)
    for ours, theirs in ((encoder, trainer.encoder), (synthesis, trainer.synthesis)):
        for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            if p.grad is not None:
                torch.testing.assert_close(q.grad, p.grad, rtol=1e-3, atol=1e-6, msg=name)


def test_a_weight_on_features_needs_features():
    with pytest.raises(ValueError, match="features must be given where feature_weight > 0"):
        make_trainer(feature_weight=0.1)


def test_the_step_size_is_scaled_in_both_networks():
    trainer = make_trainer(lr_encoder=1e-3, lr_generator=4e-3, train_generator=True)
    trainer.step(bars(4), lr_scale=0.25)
    trainer.step(bars(4), lr_scale=0.5)
    assert [g["lr"] for g in trainer.optimiser.param_groups] == pytest.approx([5e-4, 2e-3])


def test_a_frozen_generator_keeps_every_bit_and_a_trained_one_does_not():
    for train_generator in (False, True):
        trainer = make_trainer(train_generator=train_generator)
        networks = (trainer.synthesis, trainer.ema_synthesis, trainer.encoder, trainer.ema_encoder)
        before = [snapshot(network) for network in networks]
        for step in range(3):
            trainer.step(bars(8, seed=step))
        kept = [same(old, snapshot(new)) for old, new in zip(before, networks, strict=True)]
        assert kept == [not train_generator] * 2 + [False] * 2


def test_moving_average_follows_its_formula():
    trainer = make_trainer(ema_decay=0.5, train_generator=True)
    pairs = ((trainer.ema_encoder, trainer.encoder), (trainer.ema_synthesis, trainer.synthesis))
    slow = [snapshot(ema) for ema, _ in pairs]
    for step in range(1, 16):
        trainer.step(bars(8, seed=step))
        decay = min(0.5, 1 - 10 / (step + 10))
        for state, (_, fast) in zip(slow, pairs, strict=True):
            for name, value in fast.state_dict().items():
                floats = value.is_floating_point()
                state[name] = decay * state[name] + (1 - decay) * value if floats else value
    for state, (ema, _) in zip(slow, pairs, strict=True):
        for name, value in ema.state_dict().items():
            torch.testing.assert_close(value, state[name], msg=name)


def test_images_are_counted_as_shown():
    trainer = make_trainer()
    for n in (8, 8, 3):
        trainer.step(bars(n))
    assert (trainer.steps, trainer.images_seen) == (3, 19)


# --- a toy -----------------------------------------------------------------------------------


def train_on_bars(trainer, steps):
    for step in range(steps):
        trainer.step(bars(16, seed=10 + step))
    return trainer


def unexplained(trainer):
    """Error in units of that of the mean image, the best guess without an encoder."""
    x = bars(200, seed=5)
    error = (trainer.ema_synthesis(trainer.ema_encoder.encode(x)) - x).square().mean()
    return error / (x - x.mean(dim=0)).square().mean()


@pytest.fixture(scope="module")
def taught():
    return train_on_bars(make_trainer(**QUICK, train_generator=True), 250)


@pytest.mark.slow
def test_bars_are_drawn_again(taught):
    assert unexplained(taught) < 0.1


@pytest.mark.slow
def test_a_new_encoder_learns_through_a_frozen_generator(taught):
    trainer = make_trainer(seed=1, **QUICK)
    trainer.synthesis.load_state_dict(taught.ema_synthesis.state_dict())
    trainer.ema_synthesis.load_state_dict(taught.ema_synthesis.state_dict())
    assert unexplained(trainer) > 0.5
    assert unexplained(train_on_bars(trainer, 150)) < 0.2


def test_training_is_a_function_of_first_weights_and_images():
    results = []
    for noise, seed in ((1, 0), (2, 0), (1, 3)):
        trainer = make_trainer(seed=seed, **QUICK, train_generator=True)
        torch.manual_seed(noise)
        for step in range(3):
            trainer.step(bars(8, seed=step))
        results.append(snapshot(trainer.encoder) | snapshot(trainer.synthesis))
    assert same(results[0], results[1])
    assert not same(results[0], results[2])


# --- files -----------------------------------------------------------------------------------


def test_a_checkpoint_gives_every_weight_back_exactly(tmp_path):
    trainer = make_trainer(**QUICK, train_generator=True)
    for n in (8, 8, 5):
        trainer.step(bars(n, seed=n))
    _save(trainer, tmp_path)
    other = make_trainer(seed=1, **QUICK, train_generator=True)
    _load(other, tmp_path)
    for name in ("encoder", "ema_encoder", "synthesis", "ema_synthesis"):
        assert same(snapshot(getattr(trainer, name)), snapshot(getattr(other, name))), name
    assert (other.steps, other.images_seen) == (3, 21)
    parts = ("encoder", "encoder_ema", "synthesis", "synthesis_ema")
    files = {f"{part}.safetensors" for part in parts} | {"state.json"}
    assert {path.name for path in tmp_path.iterdir()} == files
    sizes = json.loads((tmp_path / "state.json").read_text())["model"]
    assert GeneratorConfig(**(sizes | {"channels": tuple(sizes["channels"])})) == TINY


def test_the_sheet_shows_images_above_their_reconstructions_in_dark_ink():
    x, y = bars(6), bars(6, seed=3) * 0.5
    sheet = np.asarray(reconstruction_sheet(x, y, columns=3)).astype(float)
    assert sheet.shape == (2 * 2 * 8, 3 * 8)
    for i in range(6):
        row, column = divmod(i, 3)
        for below, image in enumerate((x[i, 0], y[i, 0])):
            top = 8 * (2 * row + below)
            tile = sheet[top : top + 8, 8 * column : 8 * column + 8]
            assert np.abs(tile - 127.5 * (1 - image.numpy())).max() <= 0.51


def test_the_command_must_know_what_the_encoder_is_for(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--out", str(tmp_path)])
    assert stop.value.code == 2
    assert "one of --generator and --train-generator must be given" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_trains_and_goes_on_from_its_checkpoint(tmp_path):
    out = tmp_path / "run"
    command = ["--out", str(out), "--batch", "8", "--dim", "16", "--minutes", "0", "--threads", "1"]
    for images in (12, 20):
        main([*command, "--train-generator", "--images", str(images)])
        assert json.loads((out / "state.json").read_text())["images"] == images
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [entry["images"] for entry in log] == [8, 12, 20]
