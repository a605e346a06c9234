"""What the weights in assets/digits must reach: hashes, reconstructions, readable samples."""

import hashlib
import json

import pytest
import torch

from benchmark.generator import readable
from lwedit.domains.digits import ASSETS
from lwedit.judges.train import truth
from lwedit.metrics import ssim
from lwedit.vocabulary import to_unit_range


def test_the_files_are_those_that_weights_json_names():
    about = json.loads((ASSETS / "weights.json").read_text())
    files = {str(path.relative_to(ASSETS)): path for path in ASSETS.rglob("*.safetensors")}
    hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    assert about["sha256"] == hashes
    assert max(path.stat().st_size for path in files.values()) < 10e6


@pytest.fixture(scope="module")
def reconstructed(shipped):
    """Held-out images with their truth, and what encoder and generator make of them."""
    images = shipped.images("heldout", 2000)
    return images, shipped.generate(shipped.encode(images))


def test_held_out_images_keep_their_digits(shipped, reconstructed):
    images, y = reconstructed
    scores = shipped.score(y)
    count = scores.count == truth(images, "count")[:, 0]
    classes = (scores.classes == truth(images, "classes")).all(dim=1)
    assert count.float().mean() >= 0.98
    assert classes.float().mean() >= 0.93


def test_held_out_images_keep_their_pixels(reconstructed):
    """Beside the best image that looks at nothing, the mean, and beside another real image."""
    images, y = reconstructed
    x = to_unit_range(images.images)
    error = (y - x).square().mean()
    assert error < 0.5 * (x - x.mean(dim=0)).square().mean()
    assert ssim(x, y).mean() > ssim(x, x.roll(1, dims=0)).mean() + 0.2


def test_samples_are_read_with_confidence(shipped):
    z = torch.randn(500, shipped.generator.config.dim, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        w = shipped.generator.codes(z)
    assert readable(shipped, shipped.generate(w)) >= 0.9


def test_held_out_codes_are_the_same_on_a_second_call(shipped):
    first = shipped.latents("heldout")
    again = shipped.latents("heldout")
    assert torch.equal(first.w, again.w)
    assert torch.equal(first.y, again.y)
    assert first.space == again.space == shipped.space
    assert len(first) >= 2500
