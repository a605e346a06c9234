"""Truths for the measurements of transport: known seconds, known counts, known strengths."""

import time

import pytest
import torch

from baselines import METHODS
from benchmark.transport.exactness import gradient_error, value_error
from benchmark.transport.isolated import measured
from benchmark.transport.soundness import strengths
from benchmark.transport.sources import classifier_of, gaussian_data, of_count
from lwedit.classifier import LatentClassifier
from lwedit.domains import ToyDomain
from lwedit.editors import AffineMap
from lwedit.latents import LatentSet, Space

SPACE = Space("h", "Z", 1, 1)


def nap(seconds):
    time.sleep(seconds)
    return 2 * seconds


def fail():
    raise SystemExit(3)


@pytest.mark.slow
def test_a_call_in_its_own_process_gives_its_value_its_seconds_and_its_memory():
    cost = measured(nap, 0.5, threads=1)
    assert cost.value == 1.0
    assert 0.5 <= cost.seconds < 2
    assert 0.05 < cost.gigabytes < 4
    with pytest.raises(RuntimeError, match="fail ended with code"):
        measured(fail, threads=1)


def test_small_clouds_meet_the_bar():
    assert value_error(40) < 0.01


@pytest.mark.slow
def test_gradients_meet_the_bar():
    assert gradient_error() < 0.01


def test_the_optimal_map_carries_one_gaussian_to_the_other():
    data, truth = gaussian_data(20_000, 3)
    source, target = (side[:, 0].double() for side in data.train.pair("k"))
    carried = source @ truth.weight.T + truth.bias
    torch.testing.assert_close(carried.mean(dim=0), target.mean(dim=0), atol=0.05, rtol=0)
    torch.testing.assert_close(carried.T.cov(), target.T.cov(), atol=0.05, rtol=0.05)


def test_counts_are_those_of_the_labels():
    y = torch.tensor([[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]])
    names = ("at_least_2", "at_least_3", "at_least_4")
    latents = LatentSet(torch.zeros(4, 1, 1), y, names, SPACE)
    assert of_count(latents, 1, 3).tolist() == [True, False, True, False]


def test_the_latent_classifier_knows_rare_attributes():
    """One code in five has a bar: a classifier that has not learnt long says no to all of them."""
    domain = ToyDomain()
    heldout, classifier = domain.latents("heldout"), classifier_of(domain.latents("train"))
    says = classifier(heldout.w) > 0
    found = {
        name: float(says[heldout.labels(name) == 1, heldout.column(name)].float().mean())
        for name in domain.attributes
    }
    assert min(found.values()) >= 0.75, found
    assert classifier.accuracy(heldout).min() >= 0.9


def test_strengths_are_d_and_twice_d_of_nine_in_ten_verdicts():
    classifier = LatentClassifier(("k",), SPACE, ())  # one linear layer: w - 1 > 0
    with torch.no_grad():
        classifier.net[0].weight.fill_(1.0)
        classifier.net[0].bias.fill_(-1.0)
    w = torch.linspace(-1, 0, 11)[:, None, None]
    mover = METHODS["centroids"]("k", SPACE, AffineMap(None, torch.ones(1, 1)))
    # w + alpha > 1 for 10 of 11 codes, -0.9 the last of them: alpha > 1.9
    assert strengths(mover, classifier, w) == (2.0, 3.0, 4.0)
