"""Truths of the way from a training run to the shipped files: nothing drawn anew, all hashed."""

import hashlib
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lwedit.data import MultiMnistConfig, digits_for, make_multimnist
from lwedit.domains import DigitsDomain
from lwedit.generators import GeneratorConfig, Synthesis
from lwedit.generators.flow_mapping import FlowConfig
from lwedit.inversion import Encoder
from lwedit.judges import CLASSES, COUNT, DigitJudge
from lwedit.vocabulary import to_unit_range
from training.digits import joint as joint_command
from training.digits import mapping, ship
from training.digits.autoencoder import _save as save_autoencoder
from training.digits.autoencoder_trainer import AutoencoderConfig, AutoencoderTrainer
from training.digits.joint_trainer import JointTrainer
from training.digits.mapping_fit import MappingFitConfig
from training.gan.checkpoints import save_checkpoint
from training.gan.trainer import TrainingConfig

TINY = GeneratorConfig(size=64, dim=16, mapping_layers=4, channels=(16, 8, 8, 8, 8))


def make_encoder():
    return Encoder(TINY.size, 1, TINY.layers, TINY.dim)


@pytest.fixture(scope="module")
def pool():
    return digits_for("heldout", MultiMnistConfig())


@pytest.fixture(scope="module")
def x(pool):
    made = make_multimnist(pool, 16, MultiMnistConfig(), np.random.default_rng(5))
    return to_unit_range(made.images)


@pytest.fixture(scope="module")
def warm(tmp_path_factory, x):
    """An autoencoder after three steps, and its run folder."""
    torch.manual_seed(0)
    config = AutoencoderConfig(train_generator=True)
    trainer = AutoencoderTrainer(Synthesis(TINY), make_encoder(), config)
    with torch.no_grad():  # residuals with a mean that has to go somewhere
        trainer.encoder.residual.bias.add_(torch.randn(trainer.encoder.residual.bias.shape))
    for _ in range(3):
        trainer.step(x)
    folder = tmp_path_factory.mktemp("warm")
    save_autoencoder(trainer, folder)
    return trainer, folder


@pytest.fixture(scope="module")
def joint(warm, pool):
    """Joint training at its start from the autoencoder."""
    rng = torch.Generator().manual_seed(0)
    trainer = JointTrainer(TINY, TrainingConfig(), rng, make_encoder())

    fitting = MappingFitConfig(
        flow_steps=2, width=8, depth=1, pairs=8, path_steps=2, distil_steps=2, batch=8
    )

    def fewer(digits, n, config, draw):
        return make_multimnist(digits, min(n, 64), config, draw)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joint_command, "digits_for", lambda name, geometry: pool)
        patch.setattr(joint_command, "make_multimnist", fewer)
        joint_command._start_from(trainer, warm[1], MultiMnistConfig(), fitting)
    return trainer


@pytest.mark.slow
def test_joint_training_begins_with_the_images_of_the_autoencoder(warm, joint, x):
    autoencoder, _ = warm
    expected = autoencoder.ema_synthesis(autoencoder.ema_encoder.encode(x))
    for generator in (joint.ema, joint.generator):
        y = generator(joint.ema_encoder.encode(x)).detach()
        torch.testing.assert_close(y, expected, rtol=1e-3, atol=1e-4)
    ema, encoder = joint.ema_encoder.state_dict(), joint.encoder.state_dict()
    assert all(torch.equal(ema[name], encoder[name]) for name in ema)


def test_joint_training_begins_with_residuals_around_zero(warm, joint, pool):
    made = make_multimnist(pool, 64, MultiMnistConfig(), np.random.default_rng(3))
    images = to_unit_range(made.images)
    with torch.no_grad():
        before = warm[0].ema_encoder.parts(images)[1].mean(dim=0)
        after = joint.ema_encoder.parts(images)[1].mean(dim=0)
    assert before.abs().mean() > 0.3
    torch.testing.assert_close(after, torch.zeros_like(after), rtol=0, atol=1e-4)


def save_joint(joint, folder):
    folder.mkdir(parents=True)
    save_checkpoint(joint, folder)
    joint_command._save(joint, folder)
    return folder


def ship_to(run, out):
    (out / "judges").mkdir(parents=True)
    DigitJudge(COUNT, width=8).save(out / "judges" / "count.safetensors")
    DigitJudge(CLASSES, width=8).save(out / "judges" / "classes.safetensors")
    ship.main(["--run", str(run), "--out", str(out)])
    return DigitsDomain.load(out)


def test_averaged_weights_are_shipped_in_halves(joint, tmp_path):
    domain = ship_to(save_joint(joint, tmp_path / "run"), tmp_path / "out")
    for shipped, trained in ((domain.generator, joint.ema), (domain.encoder, joint.ema_encoder)):
        for (name, a), b in zip(
            shipped.state_dict().items(), trained.state_dict().values(), strict=True
        ):
            expected = b.half().float() if b.is_floating_point() else b
            assert torch.equal(a, expected), name
    for name in ("generator", "encoder"):
        dtypes = {v.dtype for v in load_file(tmp_path / "out" / f"{name}.safetensors").values()}
        assert dtypes <= {torch.float16, torch.int64}


def test_shipping_changes_images_by_less_than_a_grey_level(joint, x, tmp_path):
    domain = ship_to(save_joint(joint, tmp_path / "run"), tmp_path / "out")
    w = joint.ema_encoder.encode(x)
    torch.testing.assert_close(domain.encoder.encode(x), w, rtol=0, atol=2e-2)
    assert (domain.generate(w) - joint.ema(w)).abs().mean() < 2 / 255


def test_an_autoencoder_can_be_shipped_too(warm, x, tmp_path):
    autoencoder, folder = warm
    domain = ship_to(folder, tmp_path / "out")
    w = autoencoder.ema_encoder.encode(x)
    assert (domain.generate(w) - autoencoder.ema_synthesis(w)).abs().mean() < 2 / 255


def test_every_file_is_named_with_its_hash(joint, tmp_path):
    ship_to(save_joint(joint, tmp_path / "run"), tmp_path / "out")
    about = json.loads((tmp_path / "out" / "weights.json").read_text())
    files = ["encoder", "generator", "judges/classes", "judges/count"]
    assert list(about["sha256"]) == [f"{name}.safetensors" for name in files]
    for name, digest in about["sha256"].items():
        assert hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == digest
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_a_checkpoint_keeps_adams_squares_and_counts(tmp_path):
    run, folder = tmp_path / "run", tmp_path / "copy"
    run.mkdir()
    squares = torch.tensor([1e-12, 3e-9]).to(torch.bfloat16)
    save_file({"0": squares, "0.step": torch.tensor(70_001.0)}, run / "optimiser_g.safetensors")
    save_file({"weight": torch.tensor([[0.1, 2.0]])}, run / "generator.safetensors")
    (run / "state.json").write_text("{}")
    ship._copy_run(run, folder)
    moments = load_file(folder / "optimiser_g.safetensors")
    assert torch.equal(moments["0"], squares)
    assert moments["0.step"] == 70_001.0
    assert load_file(folder / "generator.safetensors")["weight"].dtype == torch.float16


@pytest.mark.slow
def test_a_flow_fitted_to_a_run_is_shipped_in_its_place(joint, pool, tmp_path, monkeypatch):
    run, out = save_joint(joint, tmp_path / "run"), tmp_path / "out"
    monkeypatch.setattr(mapping, "digits_for", lambda name, geometry: pool)
    command = ["--run", str(run), "--out", str(tmp_path / "flow"), "--codes", "60", "--width", "32",
               "--depth", "1", "--path-steps", "3", "--batch", "8", "--minutes", "0",
               "--guide-width", "32", "--guide-depth", "1", "--guide-steps", "2", "--steps"]
    mapping.main([*command, "2"])
    mapping.main([*command, "4"])  # goes on
    for folder, updates in ((tmp_path / "flow", 4), (tmp_path / "flow" / "guide", 2)):
        assert json.loads((folder / "flow.json").read_text())["updates"] == updates
    assert len(list((tmp_path / "flow").glob("samples_*.png"))) == 4

    ship_to(run, out)
    plain = DigitsDomain.load(out)
    ship.main(["--run", str(run), "--out", str(out), "--mapping", str(tmp_path / "flow")])
    domain = DigitsDomain.load(out)
    assert domain.generator.config.flow == FlowConfig(32, 1, 3, 2.5, 32, 1)
    assert domain.weights == plain.weights  # codes of images never meet the mapping
    trained = load_file(tmp_path / "flow" / "mapping.safetensors")
    for name, value in domain.generator.mapping.state_dict().items():
        assert torch.equal(value, trained[name].half().float()), name
    about = json.loads((out / "weights.json").read_text())
    assert about["training"]["mapping"]["updates"] == 4
    assert about["training"]["mapping"]["guide_updates"] == 2
    assert "mapping.safetensors" in about["sha256"]
    codes = load_file(tmp_path / "flow" / "codes.safetensors")["w"]
    torch.testing.assert_close(trained["w_mean"], codes.mean(dim=0))
    ship.main(["--run", str(run), "--out", str(out)])  # and back
    assert DigitsDomain.load(out).generator.config.flow is None
    assert "mapping.safetensors" not in json.loads((out / "weights.json").read_text())["sha256"]
