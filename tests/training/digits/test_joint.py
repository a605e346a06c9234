"""Truths of the joint training: moments of combined codes, who learns when."""

import copy

import pytest
import torch

from lwedit.generators import GeneratorConfig
from lwedit.inversion import Encoder
from training.digits.joint_trainer import JointTrainer, combine_codes
from training.gan.trainer import TrainingConfig

TINY = GeneratorConfig(size=8, dim=16, mapping_layers=1, channels=(16, 8))


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def make_trainer(warm_up=2, **settings):
    torch.manual_seed(0)
    encoder = Encoder(8, 1, TINY.layers, TINY.dim, width=16)
    with torch.no_grad():
        encoder.residual.weight.add_(0.1 * torch.randn(encoder.residual.weight.shape))
    config = TrainingConfig(batch=8, ema_decay=0.5)
    return JointTrainer(TINY, config, rng(), encoder, warm_up=warm_up, **settings)


def images(seed, n=8):
    return 2 * torch.rand(n, 1, 8, 8, generator=rng(seed)) - 1


def weights(*modules):
    return [p.detach().clone() for module in modules for p in module.parameters()]


def equal(before, after):
    return all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


# --- combined codes --------------------------------------------------------------------------


@pytest.mark.parametrize("terms", [1, 3])
def test_combinations_keep_mean_and_covariance(terms):
    mix = torch.randn(6, 6, generator=rng())
    w = (torch.randn(400, 6, generator=rng(1)) @ mix + 3).reshape(400, 2, 3)
    drawn = combine_codes(w, 100_000, terms, rng(2)).flatten(1)
    flat = w.flatten(1)
    scale = flat.std(dim=0).max()
    torch.testing.assert_close(drawn.mean(dim=0), flat.mean(dim=0), rtol=0, atol=0.02 * scale)
    expected = torch.cov(flat.T, correction=0)
    assert (torch.cov(drawn.T) - expected).norm() < 0.03 * expected.norm()


def test_one_term_is_a_code_or_its_mirror_image():
    w = torch.randn(5, 2, 3, generator=rng())
    centre = w.mean(dim=0)
    drawn = combine_codes(w, 200, 1, rng(1)) - centre
    known = torch.cat([w - centre, centre - w]).flatten(1)
    nearest = (drawn.flatten(1)[:, None] - known).norm(dim=2).min(dim=1)
    assert nearest.values.max() < 1e-4
    assert len(nearest.indices.unique()) == 10


def test_combinations_stay_in_the_span_of_the_codes():
    w = torch.randn(3, 1, 9, generator=rng())
    drawn = (combine_codes(w, 50, 2, rng(1)) - w.mean(dim=0))[:, 0]
    basis = torch.linalg.qr((w - w.mean(dim=0))[:2, 0].T).Q
    torch.testing.assert_close(drawn @ basis @ basis.T, drawn, atol=1e-5, rtol=1e-4)


# --- who learns when -------------------------------------------------------------------------


def test_only_the_discriminator_learns_while_it_warms_up():
    trainer = make_trainer(warm_up=2)
    others = (trainer.generator, trainer.ema, trainer.encoder, trainer.ema_encoder)
    before = [weights(module) for module in others]
    for step in (1, 2, 3):
        judged = weights(trainer.discriminator)
        trainer.step(images(step))
        assert not equal(judged, weights(trainer.discriminator))
        kept = [equal(old, weights(new)) for old, new in zip(before, others, strict=True)]
        assert kept == [step <= 2] * 4


def test_generated_images_are_half_samples_and_half_combinations():
    trainer = make_trainer()
    x = images(1)
    twin = copy.deepcopy(trainer.encoder)
    trainer.step(x)
    w = trainer._sample_codes(8)
    assert w.shape == (8, TINY.layers, TINY.dim)
    real = trainer._codes  # of the batch at hand, before the step that used them
    assert torch.equal(real, twin(x))
    offset = (w[4:] - real.mean(dim=0)).flatten(1)
    basis = torch.linalg.svd((real - real.mean(dim=0)).flatten(1), full_matrices=False).Vh[:7]
    torch.testing.assert_close(offset @ basis.T @ basis, offset, atol=1e-4, rtol=1e-3)
    cuts = (w[:4, 1:] != w[:4, :-1]).any(dim=2).sum(dim=1)
    assert (cuts <= 1).all()  # samples: one code, or two with one cut between them


def curved(y):
    """A feature map that is not linear."""
    return (2 * y).sin()


@pytest.mark.parametrize("features", [None, curved])
def test_the_added_loss_is_that_of_the_formula(features):
    trainer = make_trainer(
        features=features, feature_weight=0.4, reconstruction_weight=3.0, residual_weight=0.2
    )
    x = images(1)
    base, residual = copy.deepcopy(trainer.encoder).parts(x)
    y = trainer.generator.synthesis(base + residual)
    pixels = ((y - x) ** 2).mean()
    seen = 0.0 if features is None else ((curved(y) - curved(x)) ** 2).mean()
    expected = 3.0 * (pixels + 0.4 * seen) + 0.2 * (residual**2).mean()
    torch.testing.assert_close(trainer._regularise(x), expected)
    assert trainer.pixel_error == pytest.approx(pixels.item(), rel=1e-5)


def test_the_discriminator_has_no_say_in_the_encoder():
    trainer = make_trainer(warm_up=0, reconstruction_weight=0.0, residual_weight=0.0)
    encoder, generator = weights(trainer.encoder), weights(trainer.generator)
    for step in range(3):
        trainer.step(images(step))
    assert equal(encoder, weights(trainer.encoder))
    assert not equal(generator, weights(trainer.generator))


def test_the_averaged_encoder_follows_its_formula():
    trainer = make_trainer(warm_up=1)
    slow = weights(trainer.ema_encoder)
    for step in range(1, 5):
        trainer.step(images(step))
        if step > 1:
            fast = weights(trainer.encoder)
            slow = [0.95 * s + 0.05 * f for s, f in zip(slow, fast, strict=True)]
    for expected, got in zip(slow, weights(trainer.ema_encoder), strict=True):
        torch.testing.assert_close(got, expected)


@pytest.mark.slow
def test_reconstructions_improve_while_the_discriminator_watches():
    trainer = make_trainer(warm_up=0, reconstruction_weight=10.0)
    x = images(1)
    errors = []
    for _ in range(40):
        trainer.step(x)
        errors.append(trainer.pixel_error)
    assert sum(errors[-5:]) < 0.8 * sum(errors[:5])


def test_cells_stay_tied_where_asked_for():
    torch.manual_seed(0)
    model = GeneratorConfig(size=8, dim=16, mapping_layers=1, channels=(16, 8))
    for tied in (True, False):
        encoder = Encoder(8, 1, model.layers, model.dim, width=16)
        config = TrainingConfig(batch=8)
        trainer = JointTrainer(model, config, rng(), encoder, warm_up=0, tie_cells=tied)
        trainer.generator.synthesis.localise()
        trainer.step(images(0))
        kernel = trainer.generator.synthesis.blocks["b4"].conv1.weight.view(16, 16, 1, 3, 3)
        assert (kernel.std(dim=1).max() < 1e-6) == tied
