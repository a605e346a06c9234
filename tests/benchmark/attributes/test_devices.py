"""Truths of --device: one line where there is none; every stage keeps to the device it is given."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from pretended import DEVICE, Pretended, Pretending

from baselines import METHODS
from benchmark import run as command
from benchmark.devices import check_device, move_domain
from benchmark.grid import measure_cell, measure_source
from benchmark.methods import REGISTRY, fit_editor
from benchmark.presets import AttributeConfig, settings_of
from benchmark.sources import edit_set
from benchmark.strengths import Strengths
from lwedit.classifier import ClassifierConfig, LatentClassifier
from lwedit.domains import ToyDomain
from lwedit.editors import FitData

CONFIG = AttributeConfig(domain="toy", test_images=12, calibration=8, real_images=20, pictured=1,
                         batch=5,
                         settings=settings_of("toy", lw={"rounds": 2}, lw_star={"rounds": 2}))
STRENGTHS = Strengths(0.8, True, (0.8, 1.6), (True, True))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("domain", ["toy", "faces", "digits"])
def test_a_device_that_is_not_there_is_one_line(domain, capsys, tmp_path):
    out = str(tmp_path / "run")
    assert command.main(["--domain", domain, "--device", "cuda", "--out", out]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("benchmark: device must be one that is here, got 'cuda'")
    assert not (tmp_path / "run").exists()


def test_a_device_of_no_name_is_named():
    with pytest.raises(ValueError, match="device must be cpu or cuda, got 'tpu9'"):
        check_device("tpu9")


def test_on_the_cpu_a_domain_stays_what_it_is():
    domain = ToyDomain()
    assert move_domain(domain, torch.device("cpu")) is domain


def cell(method, device):
    """Classifier, editor and cell of one method, on codes that lie on a device."""
    domain = move_domain(ToyDomain(sizes=(300, 200)), torch.device(device))
    train, held = (ToyDomain(sizes=(300, 200)).latents(part).to(device)
                   for part in ("train", "heldout"))
    settings = ClassifierConfig(hidden=(8,), epochs=2)
    classifier = LatentClassifier.fit(train, settings, torch.Generator().manual_seed(0))
    data = FitData(train.subset(torch.arange(240)), train.subset(torch.arange(240, 300)),
                   classifier, "disc", 0)
    editor = fit_editor(REGISTRY[method], data, CONFIG.settings.get(method))
    edit = edit_set(held, "disc", "add", CONFIG)
    source = measure_source(domain, edit, CONFIG)
    found = measure_cell(editor.to(device), classifier, domain, edit, source, STRENGTHS, CONFIG,
                         pictures=True)
    return editor, found


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", [name for name, kind in METHODS.items() if not kind.needs_generator]
)
def test_every_stage_keeps_to_its_device_and_gives_the_same_numbers(
    method, tmp_path, quick, unchecked
):
    with quick():
        _, expected = cell(method, "cpu")
    with quick(), Pretending():
        editor, found = cell(method, DEVICE)
        assert all(isinstance(part, Pretended) for part in editor.state().values())
        editor.save(tmp_path)
    for name, values in expected.items():
        assert type(found[name]) is type(values)
        torch.testing.assert_close(torch.from_numpy(found[name]), torch.from_numpy(values))
    loaded = METHODS[method].load(tmp_path, editor.space)
    assert not any(isinstance(part, Pretended) for part in loaded.state().values())


def test_the_size_of_a_batch_changes_nothing_on_the_toy():
    domain = ToyDomain(sizes=(300, 200))
    edit = edit_set(domain.latents("heldout"), "bar", "add", CONFIG)
    one, many = (measure_source(domain, edit, replace(CONFIG, batch=n)) for n in (3, 1000))
    torch.testing.assert_close(one.scores, many.scores)
    torch.testing.assert_close(one.real[1], many.real[1])
