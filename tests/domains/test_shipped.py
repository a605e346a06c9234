"""The shipped weights are what the published results say they are.

Whether that is good enough is not decided here: `benchmark/bars.py` prints every bar beside what
was measured.
"""

import hashlib
import json

import pytest
import torch
from scipy.stats import fisher_exact

from benchmark.bars import bars, to_markdown
from benchmark.front import front_table
from benchmark.generator import readable
from lwedit.domains.digits import ASSETS
from lwedit.judges.digits import truth
from lwedit.latents import hash_state
from lwedit.metrics import ssim
from lwedit.vocabulary import to_unit_range

RESULTS = ASSETS.parents[1] / "results"


def test_the_files_are_those_that_weights_json_names():
    about = json.loads((ASSETS / "weights.json").read_text())
    files = {str(path.relative_to(ASSETS)): path for path in ASSETS.rglob("*.safetensors")
             if "editors" not in path.parts}  # these name the generator they belong to
    hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    assert about["sha256"] == hashes
    assert max(path.stat().st_size for path in files.values()) < 10e6


@pytest.fixture(scope="module")
def reconstructed(shipped):
    """Held-out images with their truth, and what encoder and generator make of them."""
    images = shipped.images("heldout", 1000)
    return images, shipped.generate(shipped.encode(images))


def agree(hits, n, share, out_of):
    """Whether hits of n and a published share of out_of can be the same rate (Fisher's test)."""
    before = round(share * out_of)
    return fisher_exact([[hits, n - hits], [before, out_of - before]]).pvalue > 1e-4


@pytest.mark.slow
def test_reconstructions_are_as_good_as_the_published_facts_say(shipped, reconstructed):
    images, y = reconstructed
    facts = json.loads((RESULTS / "digits" / "facts.json").read_text())
    scores = shipped.score(y)
    count = int((scores.count == truth(images, "count")[:, 0]).sum())
    classes = int((scores.classes == truth(images, "classes")).all(dim=1).sum())
    total = facts["heldout_images"]
    assert agree(count, len(y), facts["reconstruction_count_kept"], total)
    assert agree(classes, len(y), facts["reconstruction_classes_kept"], total)


@pytest.mark.slow
def test_a_reconstruction_is_of_its_own_image(reconstructed):
    """Nearer than the best image that looks at nothing, the mean, and than another real image."""
    images, y = reconstructed
    x = to_unit_range(images.images)
    assert (y - x).square().mean() < (x - x.mean(dim=0)).square().mean()
    assert ssim(x, y).mean() > ssim(x, x.roll(1, dims=0)).mean()
    own, other = (y - x).square().mean((1, 2, 3)), (y - x.roll(1, dims=0)).square().mean((1, 2, 3))
    assert (own < other).float().mean() > 0.99


@pytest.mark.slow
def test_samples_are_as_readable_as_the_published_table_says(shipped):
    about = json.loads((RESULTS / "generator" / "generator.json").read_text())
    n = 200  # a draw takes a tenth of a second
    z = torch.randn(n, shipped.generator.config.dim, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        w = shipped.generator.codes(z)
    hits = round(n * readable(shipped, shipped.generate(w))[0])
    share = about["rows"]["samples, truncation 1.0"]["readable"]
    assert agree(hits, n, share, about["samples"])


def test_the_published_results_are_of_the_shipped_weights(shipped):
    mapping = hash_state(shipped.generator.mapping.state_dict())
    samples = json.loads((RESULTS / "generator" / "generator.json").read_text())
    assert samples["weights"] == shipped.weights | {"mapping": mapping}
    edits = json.loads((RESULTS / "digits" / "config.json").read_text())
    assert edits["weights"] == shipped.weights


def test_the_pages_show_the_published_tables():
    readme, results = ((folder / "README.md").read_text() for folder in (RESULTS.parent, RESULTS))
    rows = json.loads((RESULTS / "digits" / "table2.json").read_text())
    assert f"<!-- results -->\n{front_table(rows)}\n<!-- /results -->" in readme
    assert (RESULTS / "digits" / "readme.md").read_text() in results
    assert to_markdown(list(bars(RESULTS.parent))) == (RESULTS / "bars.md").read_text()


@pytest.mark.slow
def test_held_out_codes_are_the_same_on_a_second_call(shipped):
    first = shipped.latents("heldout")
    again = shipped.latents("heldout")
    assert torch.equal(first.w, again.w)
    assert torch.equal(first.y, again.y)
    assert first.space == again.space == shipped.space
    assert len(first) >= 2500
