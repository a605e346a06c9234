"""On the toy every metric is a formula: what a cell says lies within its interval of it.

The edit under test moves factor k by c and another factor j by b, all codes alike, so that after
it the attributes, the identity and the two networks' features are Gaussians that can be written
down. Intervals are three and a half standard errors, of a binomial share or of a mean.
"""

import math

import numpy as np
import pytest
import torch

from benchmark.grid import Partner, measure_cell, measure_source
from benchmark.likeness import of_halves
from benchmark.presets import AttributeConfig
from benchmark.sources import edit_set
from benchmark.strengths import Strengths
from lwedit.classifier import LatentClassifier
from lwedit.domains import ToyDomain
from lwedit.domains.toy import ATTRIBUTES, LOST, THRESHOLDS, TrueEdit, mixing
from lwedit.editors import AffineEditor, AffineMap
from lwedit.metrics import gaussian_distance, linearity, monotone

DOMAIN = ToyDomain(sizes=(10, 3000))
CONFIG = AttributeConfig(domain="toy", test_images=800, calibration=10, real_images=500)
K, J = 3, 2  # bar, which is edited, and cross, which the edit drags along
STEP, DRAG = 1.2, 0.5
STRENGTHS = Strengths(0.5, True, (0.5, 1.0, 1.5), (True, True, True))
NORMAL = torch.distributions.Normal(0.0, 1.0)


def phi(x):
    return NORMAL.cdf(torch.tensor(x)).item()


class Shift(AffineEditor):
    """f_k += STEP alpha, f_j += DRAG alpha."""

    method = "shift"

    def __init__(self, step=STEP, drag=DRAG, k=K, j=J):
        inverse = torch.linalg.inv(mixing().double())
        move = (step * inverse[:, k] + drag * inverse[:, j]).float()
        super().__init__(ATTRIBUTES[k], DOMAIN.space, AffineMap(None, move.reshape(2, 6)))

    @classmethod
    def fit(cls, data):
        raise NotImplementedError


def exact_classifier():
    """The latent classifier that is never wrong: f_k > t_k is linear in the code."""
    model = LatentClassifier(ATTRIBUTES, DOMAIN.space, ())
    with torch.no_grad():
        model.net[0].weight.copy_(mixing()[: len(ATTRIBUTES)])
        model.net[0].bias.copy_(-torch.tensor(THRESHOLDS))
    return model.requires_grad_(False)


@pytest.fixture(scope="module")
def edit():
    return edit_set(DOMAIN.latents("heldout"), ATTRIBUTES[K], "add", CONFIG)


@pytest.fixture(scope="module")
def source(edit):
    return measure_source(DOMAIN, edit, CONFIG)


@pytest.fixture(scope="module")
def cell(edit, source):
    partner = Partner(TrueEdit("disc", DOMAIN.space), 1.0)
    return measure_cell(Shift(), exact_classifier(), DOMAIN, edit, source, STRENGTHS, CONFIG,
                        pictures=False, partner=partner)


def within(share, n):
    """Three and a half standard errors of a binomial share."""
    return pytest.approx(share, abs=3.5 * math.sqrt(share * (1 - share) / n) + 1e-9)


def change_at(alpha):
    """P(f_k + STEP alpha > t | f_k < t)."""
    below = phi(THRESHOLDS[K])
    return (below - phi(THRESHOLDS[K] - STEP * alpha)) / below


def test_target_change_is_that_of_a_gaussian(cell):
    for i, alpha in enumerate(STRENGTHS.alphas):
        assert cell.present[i, :, K].mean() == within(change_at(alpha), len(cell.index))


def test_the_gap_of_a_classifier_that_is_never_wrong_is_nought(cell):
    np.testing.assert_array_equal(cell.latent, cell.present[:, :, K])


def test_only_the_attribute_that_is_dragged_along_changes(cell):
    for i, alpha in enumerate(STRENGTHS.alphas):
        crossed = phi(THRESHOLDS[J]) - phi(THRESHOLDS[J] - DRAG * alpha)
        kept = cell.present[i] == cell.present_before
        assert kept[:, J].mean() == within(1 - crossed, len(cell.index))
        others = [a for a in range(4) if a not in (J, K)]
        assert kept[:, others].all()


def test_the_re_scored_probability_is_the_judges_own_curve(cell):
    """Mean change of sigmoid(4 (f - t)) as f_j, standard normal, moves by DRAG alpha."""
    f = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    weight = torch.exp(-f.square() / 2) / math.sqrt(2 * math.pi) * (f[1] - f[0])

    def probability(move):
        return (weight * (4 * (f + move - THRESHOLDS[J])).sigmoid()).sum().item()

    moved = cell.scores[1, :, J] - cell.scores_before[:, J]
    error = float(3.5 * moved.std() / math.sqrt(len(moved)))
    assert moved.mean() == pytest.approx(probability(DRAG) - probability(0.0), abs=error)


def test_identity_is_kept_and_that_of_the_photo_is_the_encoders(cell):
    """cos(f + e, f) with e ~ N(0, LOST^2) in eight dimensions; its mean is found by sampling."""
    assert cell.identity.min() > 0.9999
    rng = torch.Generator().manual_seed(5)
    f, e = (torch.randn(200_000, 8, generator=rng) for _ in range(2))
    expected = torch.cosine_similarity(f, f + LOST * e).mean().item()
    error = float(3.5 * cell.identity_photo[0].std() / math.sqrt(len(cell.index)))
    for seen in cell.identity_photo:
        assert seen.mean() == pytest.approx(expected, abs=error)


def test_pictures_differ_where_the_edit_drew_and_ssim_knows(cell):
    """At the 50 % level the shift has drawn: likeness falls as strengths grow, and is in range."""
    assert len(cell.level_alpha) == len(cell.ssim) == sum(change_at(1.5) > x for x in (.5, .7, .9))
    means = cell.ssim.mean(axis=1)
    assert (np.diff(means) < 0).all()
    assert (np.diff(cell.perceptual.mean(axis=1)) > 0).all()
    assert 0 < means[-1] < means[0] < 1


def test_fid_of_the_pixels_is_that_of_two_truncated_gaussians(edit, source, cell):
    """FID sees f_k | f_k < t moved by STEP alpha against f_k | f_k > t, and f_j moved as well.

    Every other factor is the same standard Gaussian in both sets, so it adds only the bias of two
    finite samples, which twelve dimensions of 800 and 500 points keep below .12.
    """
    t = THRESHOLDS[K]
    density = math.exp(-t * t / 2) / math.sqrt(2 * math.pi)
    low, high = -density / phi(t), density / (1 - phi(t))
    spread = [math.sqrt(1 + t * m - m * m) for m in (low, high)]
    for alpha, fid in zip(cell.level_alpha, cell.fid[:, 1], strict=True):
        means = (low + STEP * alpha - high) ** 2 + (DRAG * alpha) ** 2
        exact = means + (spread[0] - spread[1]) ** 2
        assert exact - 0.1 < fid < exact + 0.25
    fid, kid = of_halves(source.real)
    assert (fid < 0.6).all()  # 250 points each
    assert (kid.abs() < 0.1).all()


def test_codes_and_images_of_the_true_edit_are_real_ones(edit, source):
    true = measure_cell(TrueEdit(ATTRIBUTES[K], DOMAIN.space), exact_classifier(), DOMAIN, edit,
                        source, Strengths(1.0, True, (0.9, 1.0), (True, True)), CONFIG,
                        pictures=False)
    assert true.present[1, :, K].all()
    others = [a for a in range(4) if a != K]
    assert (true.present[1] == true.present_before)[:, others].all()
    half = len(edit.targets) // 2
    floor = gaussian_distance(edit.targets[:half], edit.targets[half:])
    assert true.gaussian[1] < 2 * floor + 0.02
    for ratio in (true.nearest[1], true.knn[1], true.norm[1]):
        error = float(3.5 * ratio.std() / math.sqrt(len(ratio)) + 0.02)
        assert ratio.mean() == pytest.approx(1.0, abs=error)
    assert true.commutator.size == 0


def test_the_score_of_a_shift_is_monotone_linear_and_undone(cell):
    wanted = torch.from_numpy(cell.scores[:, :, K])
    assert monotone(wanted).mean() == 1
    inside = ((wanted > 2e-3) & (wanted < 1 - 2e-3)).all(dim=0)  # else the logit is clipped
    assert linearity(wanted[:, inside], torch.tensor(STRENGTHS.alphas)).min() > 0.999
    assert cell.round_trip.max() < 1e-5


def test_a_shift_of_another_factor_commutes_with_the_true_edit(cell):
    """Bar and disc are independent: done in either order the codes are the same."""
    assert cell.commutator.max() < 1e-4


def test_the_true_edit_of_bar_does_not_commute_with_a_shift_of_bar(edit, source):
    partner = Partner(TrueEdit("bar", DOMAIN.space), 1.0)
    found = measure_cell(Shift(), exact_classifier(), DOMAIN, edit, source, STRENGTHS, CONFIG,
                         pictures=False, partner=partner).commutator
    f = DOMAIN.factors(edit.w)[:, K].double()
    below = phi(THRESHOLDS[K])

    def moved(x):
        rank = torch.special.ndtr(x)
        lacks = rank <= below
        share = torch.where(lacks, rank / below, (rank - below) / (1 - below)).clamp(1e-3, 1 - 1e-3)
        aim = torch.where(lacks, below + (1 - below) * share, below * share)
        return x + (torch.special.ndtri(aim) - x) * torch.where(lacks, 1.0, -1.0)

    ab, ba = moved(f + STEP * 1.5), moved(f) + STEP * 1.5
    drag = 1.5 * DRAG  # along an axis orthogonal to that of f_k
    expected = (ab - ba).abs() / ((ab - f).square() + drag**2).sqrt()
    np.testing.assert_allclose(found, expected.numpy(), rtol=0.02, atol=1e-3)


def test_no_edit_changes_nothing(edit, source):
    still = measure_cell(Shift(0.0, 0.0), exact_classifier(), DOMAIN, edit, source, STRENGTHS,
                         CONFIG, pictures=False)
    assert not still.present[:, :, K].any()
    assert (still.present == still.present_before).all()
    assert still.identity.min() > 0.9999
    assert still.round_trip.max() == 0
    assert len(still.level_alpha) == len(still.fid) == 0
