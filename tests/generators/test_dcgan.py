"""Truths of lwedit.generators.dcgan: the usual architecture with its batch norms, exactly."""

import hashlib
import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from lwedit.domains.faces import ASSETS
from lwedit.generators.dcgan import Dcgan, dcgan_metadata, fold_batch_norm, load_dcgan


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


class Published(nn.Module):
    """The DCGAN of the PyTorch tutorial, small, every weight and running moment random."""

    def __init__(self, widths=(12, 16, 8, 8, 4, 3)):
        super().__init__()
        layers = []
        for i, (c_in, c_out) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            stride, padding = (1, 0) if i == 0 else (2, 1)
            layers.append(nn.ConvTranspose2d(c_in, c_out, 4, stride, padding, bias=False))
            if i < len(widths) - 2:
                layers += [nn.BatchNorm2d(c_out), nn.ReLU(True)]
        self.main = nn.Sequential(*layers, nn.Tanh())
        draw = rng(1)
        with torch.no_grad():
            for name, value in self.state_dict().items():
                if value.is_floating_point():
                    noise = torch.randn(value.shape, generator=draw)
                    value.copy_(noise.abs() + 0.1 if "var" in name else noise * 0.4)


@pytest.fixture(scope="module")
def published():
    return Published().eval()


def folded(published):
    generator = Dcgan(12, (16, 8, 8, 4), 3)
    generator.load_state_dict(fold_batch_norm(published.state_dict()))
    return generator


def test_images_are_those_of_the_original_with_its_batch_norms(published):
    w = torch.randn(9, 1, 12, generator=rng())
    with torch.no_grad():
        expected = published.main(w[:, 0, :, None, None])
        torch.testing.assert_close(folded(published)(w), expected, rtol=1e-4, atol=1e-5)
    assert expected.shape == (9, 3, 64, 64)
    assert expected.std() > 0.1


@pytest.mark.parametrize(("depth", "layer"), [(0, 2), (1, 5), (2, 8), (3, 11)])
def test_maps_are_those_after_each_relu_of_the_original(published, depth, layer):
    w = torch.randn(4, 1, 12, generator=rng())
    with torch.no_grad():
        expected = published.main[: layer + 1](w[:, 0, :, None, None])
        maps = folded(published).maps(w, depth)
    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-5)


def test_gradients_are_those_of_the_original(published):
    w = torch.randn(3, 1, 12, generator=rng())
    mine, theirs = w.clone().requires_grad_(), w.clone().requires_grad_()
    folded(published)(mine).square().sum().backward()
    published.main(theirs[:, 0, :, None, None]).square().sum().backward()
    torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-3, atol=1e-3)


def test_a_state_without_its_batch_norm_is_refused(published):
    state = published.state_dict()
    del state["main.4.running_var"]
    with pytest.raises(ValueError, match=r"state must hold 'main\.4\.running_var'"):
        fold_batch_norm(state)


# --- files -----------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path, published):
    generator = folded(published)
    state = {k: v.half().contiguous() for k, v in generator.state_dict().items()}
    save_file(state, tmp_path / "g.safetensors", metadata=dcgan_metadata(generator))
    return tmp_path / "g.safetensors", generator


def test_a_file_gives_the_generator_back_in_halves(saved):
    path, generator = saved
    loaded = load_dcgan(path)
    for name, value in generator.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value.half().float()), name
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(lambda p: p.unlink(), "must be a DCGAN's", id="missing"),
        pytest.param(lambda p: p.write_bytes(p.read_bytes()[:-50]), "must be", id="truncated"),
        pytest.param(lambda p: p.write_text("<html>404</html>"), "must be", id="error page"),
        pytest.param(lambda p: save_file(load_file(p), p), "must name 'channels'", id="header"),
        pytest.param(
            lambda p: save_file(
                load_file(p), p, {"channels": "8,4", "dim": "12", "image_channels": "3"}
            ),
            "must hold the weights of Dcgan",
            id="other sizes",
        ),
    ],
)
def test_a_wrong_file_is_named(saved, damage, message):
    path, _ = saved
    damage(path)
    with pytest.raises(ValueError, match=rf"g\.safetensors {message}"):
        load_dcgan(path)


# --- the shipped generator -------------------------------------------------------------------


def test_the_shipped_generator_draws_faces_in_colour_that_differ():
    x = load_dcgan(ASSETS / "generator.safetensors")(torch.randn(50, 1, 100, generator=rng()))
    assert x.shape == (50, 3, 64, 64)
    assert x.abs().max() <= 1
    skin = x[:, :, 30:40, 28:36].mean(dim=(2, 3))  # red over green over blue in the middle
    assert (skin[:, 0] > skin[:, 2]).float().mean() > 0.8
    assert x.std(dim=0).mean() > 0.3


def test_the_shipped_files_are_those_that_weights_json_names():
    about = json.loads((ASSETS / "weights.json").read_text())
    files = {str(p.relative_to(ASSETS)): p for p in sorted(ASSETS.rglob("*.safetensors"))}
    hashes = {name: hashlib.sha256(p.read_bytes()).hexdigest() for name, p in files.items()}
    assert about["sha256"] == hashes
    assert max(p.stat().st_size for p in files.values()) < 10e6
