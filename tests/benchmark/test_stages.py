"""Truths of a whole run on a toy whose answers are known: the brighter, the more digits.

A picture is flat and its grey says how many digits it holds; a code is (grey, noise), so every
edit, verdict and count can be written down. What is tested is the way from codes to cells,
facts and figure, not the networks.
"""

import json

import matplotlib.image
import numpy as np
import pytest
import torch
from torch import nn

from baselines import METHODS
from benchmark import figures
from benchmark.digits_page import write_digits_page
from benchmark.figures import draw_examples
from benchmark.measure import READINGS, JudgeSearch, measure_cell
from benchmark.measure import TestCodes as Codes  # pytest would take it for tests
from benchmark.presets import RunConfig
from benchmark.report import write_report
from benchmark.stages import CellKey, editor_folder, load_cell, measure_all
from lwedit.classifier import LatentClassifier
from lwedit.data import MultiMnist
from lwedit.domains import DigitsDomain
from lwedit.domains.digits import DigitScores, labels
from lwedit.editors import AffineEditor, AffineMap
from lwedit.latents import LatentSet, Space

SPACE = Space(generator="a" * 64, name="W+", layers=1, dim=2)
CONFIG = RunConfig(
    methods=("none", "centroids", "nearest"), floors=False, tasks=("1→2", "3→4"), seeds=(0, 5),
    train_codes=400, test_images=40, alpha_step=0.25, alpha_max=4.0, layers=(),
    classifier_hidden=(8,), bootstrap=50,
)


class ToyDomain:
    """Counts 1, 2, 3, 4, 1, ...; the first `miscounted` single digits have the code of a pair."""

    name, tasks, attributes, space = "toy", DigitsDomain.tasks, DigitsDomain.attributes, SPACE

    def __init__(self, miscounted=0):
        self.miscounted = miscounted
        self.parts = {"train": self._make(800, 0), "heldout": self._make(200, 1)}

    def _make(self, n, seed):
        counts = torch.arange(n) % 4 + 1
        rng = torch.Generator().manual_seed(seed)
        w = torch.stack([counts + 0.2 * torch.rand(n, generator=rng) - 0.1,
                         torch.randn(n, generator=rng)], dim=1)[:, None]
        w[(counts == 1).nonzero()[: self.miscounted, 0], 0, 0] += 1
        classes = np.where(np.arange(4) < counts.numpy()[:, None], 0, -1)
        ink = np.round(self.draw(counts).numpy() * 127.5 + 127.5).astype(np.uint8)
        images = MultiMnist(ink, counts.numpy(), classes, np.full((n, 4, 4), -1))
        return images, LatentSet(w, labels(images), self.attributes, SPACE)

    @staticmethod
    def draw(count):
        return (count / 4 - 0.5)[:, None, None, None].expand(-1, 1, 12, 12).clamp(-1, 1)

    def images(self, part):
        return self.parts[part][0]

    def latents(self, part, *, progress=False):
        return self.parts[part][1]

    def generate(self, w, batch=100):
        return self.draw(w[:, 0, 0])

    def score(self, x):
        count = ((x.mean(dim=(1, 2, 3)) + 0.5) * 4).round().long()
        classes = torch.zeros(len(x), 10, dtype=torch.long)
        classes[:, 0] = count
        return DigitScores(count, classes, torch.ones(len(x)))


class Shift(AffineEditor):
    """H = (step, 0)."""

    method = "shift"

    def __init__(self, step):
        super().__init__("at_least_2", SPACE, AffineMap(None, torch.tensor([[step, 0.0]])))

    @classmethod
    def fit(cls, data):
        raise NotImplementedError


def classifier_from(threshold):
    """One unit: the logit is the first entry of a code minus a threshold."""
    model = LatentClassifier(("at_least_2",), SPACE, ())
    with torch.no_grad():
        model.net[0].weight.copy_(torch.tensor([[1.0, 0.0]]))
        model.net[0].bias.fill_(-threshold)
    return nn.Module.requires_grad_(model, False)


# --- one cell --------------------------------------------------------------------------------


def test_a_cell_by_hand():
    """Codes 1.0, 1.2, .8, .6 moved in steps of .5; the verdict flips beyond 1.6, the judge at 1.5.

    Per image the strengths are 1.5, 1, 2 and 2.5, for all 2.5; by the judge 1, .6, 1.4 and 1.8,
    each rounded up to an eighth. The wish for one digit more is met by 2.5 to 3.5 digits' worth
    of grey only as "more", not as "exactly".
    """
    domain = ToyDomain()
    w = torch.tensor([[[1.0, 0.0]], [[1.2, 0.0]], [[0.8, 3.0]], [[0.6, 0.0]]])
    targets = torch.tensor([[[2.0, 0.0]], [[2.0, 4.0]]])
    codes = Codes(w, np.arange(4), domain.score(domain.generate(w)), 0, targets, 2.0)
    alphas = torch.arange(1, 7) * 0.5
    cells = measure_cell(
        Shift(0.5), classifier_from(1.6), domain, domain.tasks[0], codes, alphas
    )
    assert list(cells) == list(READINGS)
    alpha = {"per image": [1.5, 1.0, 2.0, 2.5], "one for all": [2.5] * 4,
             "by the judge": [1.0, 0.625, 1.5, 1.875]}  # grey of 1.5 reads 2, the even one
    for reading, cell in cells.items():
        assert cell.alpha.tolist() == alpha[reading]
        moved = w[:, 0].numpy() + np.outer(alpha[reading], [0.5, 0.0])
        assert cell.flipped.tolist() == (moved[:, 0] > 1.6).tolist()
        assert cell.flipped.all() == (reading != "by the judge")
        counts = np.round(moved[:, 0])
        assert cell.more.tolist() == (counts >= 2).tolist()
        assert cell.exact.tolist() == (counts == 2).tolist()
        assert cell.kept.all()
        gaps = np.linalg.norm(moved[:, None] - targets[:, 0].numpy(), axis=2).min(axis=1)
        np.testing.assert_allclose(cell.distance, gaps / 2, rtol=1e-5)


def test_a_judge_that_is_not_convinced_and_digits_that_are_lost():
    """An edit that darkens flips a classifier that has its sign wrong, and convinces no one."""
    domain = ToyDomain()
    w = torch.tensor([[[1.0, 0.0]], [[1.1, 0.0]]])
    codes = Codes(w, np.arange(2), domain.score(domain.generate(w)), 0, w, 1.0)
    wrong = classifier_from(0.0)
    wrong.net[0].weight.neg_()
    wrong.net[0].bias.fill_(0.4)  # a yes below .4
    cells = measure_cell(
        Shift(-1.0), wrong, domain, domain.tasks[0], codes, torch.tensor([0.5, 1.0])
    )
    for cell in cells.values():
        assert cell.alpha.tolist() == [1.0, 1.0]  # by the judge: never, hence the largest
        assert cell.flipped.all()
        assert not (cell.more | cell.exact | cell.kept).any()


def test_codes_that_never_flip_get_the_largest_strength_and_are_not_counted():
    domain = ToyDomain()
    w = torch.tensor([[[1.0, 0.0]], [[1.4, 0.0]]])
    codes = Codes(w, np.arange(2), domain.score(domain.generate(w)), 0, w, 1.0)
    alphas = torch.tensor([0.1, 0.2])
    cell = measure_cell(
        Shift(1.0), classifier_from(1.5), domain, domain.tasks[0], codes, alphas
    )["per image"]
    np.testing.assert_allclose(cell.alpha, [0.2, 0.2])
    assert cell.flipped.tolist() == [False, True]


def test_the_judges_strength_needs_no_latent_verdict_and_is_as_fine_as_asked():
    """The classifier never says yes; of strengths up to 3 one image never has enough.

    The judge says two above 1.5: codes .95, .6 and .55 moved by alpha need .55, .9 and .95 (in
    the first step), and -9 needs 10.5.
    """
    domain = ToyDomain()
    w = torch.tensor([0.95, 0.6, 0.55, -9.0])[:, None, None] * torch.tensor([1.0, 0.0])
    codes = Codes(w, np.arange(4), domain.score(domain.generate(w)), 0, w, 1.0)
    for fine, expected in ((0.25, [0.75, 1.0, 1.0, 3.0]), (1 / 64, [36 / 64, 58 / 64, 61 / 64, 3])):
        cell = measure_cell(
            Shift(1.0), classifier_from(99.0), domain, domain.tasks[0], codes,
            torch.tensor([1.5, 3.0]), JudgeSearch(1.0, fine),
        )["by the judge"]
        assert cell.alpha.tolist() == expected
        assert not cell.flipped.any()
        assert cell.more.tolist() == cell.exact.tolist() == [True, True, True, False]


# --- a run -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    domain, out = ToyDomain(miscounted=7), tmp_path_factory.mktemp("run")
    measure_all(domain, CONFIG, out)
    return domain, out


def keys():
    return [
        CellKey(method, task, seed)
        for method in CONFIG.methods for task in CONFIG.tasks for seed in CONFIG.seeds
    ]


def test_images_that_are_miscounted_before_any_edit_are_left_out(finished):
    _, out = finished
    with np.load(out / "tested.npz") as file:
        tested = dict(file)
    assert {name: index.tolist() for name, index in tested.items()} == {
        "at_least_2": list(range(4 * 7, 4 * 40, 4)),  # every fourth image has one digit
        "at_least_4": list(range(2, 4 * 40, 4)),
    }
    facts = json.loads((out / "facts.json").read_text())
    assert facts["left_out"] == {"1→2": 7, "3→4": 0}
    assert facts["measured"] == {"1→2": 33, "3→4": 40}


def test_facts_about_the_networks(finished):
    _, out = finished
    facts = json.loads((out / "facts.json").read_text())
    assert facts["heldout_images"] == 200
    assert facts["count_judge_real"] == facts["classes_judge_real"] == 1.0
    assert facts["reconstruction_count_kept"] == pytest.approx(193 / 200)
    assert facts["reconstruction_classes_kept"] == pytest.approx(193 / 200)
    for seed in CONFIG.seeds:
        accuracy = json.loads((out / f"classifier_{seed}.json").read_text())
        assert set(accuracy) == {"1→2", "3→4"}
        assert all(0 <= value <= 1 for value in accuracy.values())


def test_no_edit_changes_nothing_and_real_targets_are_targets(finished):
    _, out = finished
    for key in keys():
        for reading in READINGS:
            cell = load_cell(key, reading, out)
            assert len(cell.alpha) == (33 if key.task == "1→2" else 40)
            if reading == "by the judge":
                assert (cell.alpha[~cell.more] == CONFIG.alpha_max).all()
            if key.method == "none":
                assert not (cell.more | cell.exact).any()
                assert cell.kept.all()
            at_one = cell.alpha == 1  # there "nearest" has arrived at a real code
            if key.method == "nearest":
                assert cell.exact[at_one].all()


def test_cells_agree_with_the_editors_that_were_saved(finished):
    domain, out = finished
    with np.load(out / "tested.npz") as file:
        tested = dict(file)
    for task in (domain.tasks[0], domain.tasks[2]):
        w = domain.latents("heldout").w[torch.from_numpy(tested[task.attribute])]
        for seed in CONFIG.seeds:
            folder = editor_folder("centroids", task.attribute, seed, out)
            editor = METHODS["centroids"].load(folder, SPACE)
            torch.testing.assert_close(
                editor.map.bias[0, 0], torch.tensor(1.0), rtol=0, atol=0.15
            )  # one digit more is one more
            for reading in READINGS:
                cell = load_cell(CellKey("centroids", task.name, seed), reading, out)
                moved = editor.edit(w, torch.from_numpy(cell.alpha))[:, 0, 0].numpy()
                np.testing.assert_array_equal(cell.more, np.round(moved) > task.count)
                np.testing.assert_array_equal(cell.exact, np.round(moved) == task.count + 1)


def test_editors_see_the_first_nine_tenths_of_the_codes_asked_for(finished):
    """The ceiling keeps its targets: every fourth of 360 codes has four digits."""
    domain, out = finished
    folder = editor_folder("nearest", "at_least_4", 0, out)
    targets = METHODS["nearest"].load(folder, SPACE).targets
    assert torch.equal(targets, domain.latents("train").w[3:360:4])


def test_a_finished_run_is_read_and_an_interrupted_one_goes_on(finished, tmp_path):
    domain, out = finished
    again = tmp_path / "again"
    measure_all(domain, CONFIG, again)
    names = sorted(path.relative_to(out) for path in out.rglob("*.npz"))
    assert names == sorted(path.relative_to(again) for path in again.rglob("*.npz"))
    lost = CellKey("centroids", "3→4", 5).path(again, READINGS[1])
    lost.unlink()
    times = {path: path.stat().st_mtime_ns for path in (again / "cells").iterdir()}
    measure_all(domain, CONFIG, again)
    redone = {path for path, time in times.items() if path.stat().st_mtime_ns != time}
    key = CellKey("centroids", "3→4", 5)
    assert redone == {key.path(again, reading) for reading in (READINGS[0], READINGS[2])}
    for key in keys():  # another run, and a resumed one, end in the same numbers
        for reading in READINGS:
            a, b = load_cell(key, reading, out), load_cell(key, reading, again)
            for name, values in vars(a).items():
                np.testing.assert_array_equal(values, getattr(b, name))
    assert not list(again.rglob("*.tmp"))


def test_a_run_ends_in_a_table(finished):
    _, out = finished
    text = write_report(CONFIG, out).read_text()
    assert "1→2: 33 images (7 left out), 3→4: 40 images (0 left out)" in text
    rows = json.loads((out / "table2.json").read_text())
    assert len(rows) == 3 * 2 * 3
    none = [row for row in rows if row["method"] == "none"]
    assert {row["kept"]["mean"] for row in none} == {None}  # nothing changed, nothing to keep
    figures = {
        reading: draw_examples(ToyDomain(miscounted=7), CONFIG, out, reading)
        for reading in ("one for all", "by the judge")
    }
    assert [path.name for path in figures.values()] == ["fig6.png", "fig6_judge.png"]
    page = write_digits_page(out, figures).read_text()
    assert page.count("src=") == page.count('src="data:image/') == 2
    assert page.count("<table>") == 3
    for row in none:
        assert f"<td>{row['task']}</td><td>no edit</td>" in page
    latex = (out / "table2.tex").read_text()
    assert latex.count(r"\begin{tabular}") == 3
    assert "1$\\to$2 & class centroids &" in latex


# --- the figure ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reading", "name"), [("one for all", "fig6.png"), ("by the judge", "fig6_judge.png")]
)
def test_the_figure_shows_what_was_measured(finished, monkeypatch, reading, name):
    domain, out = finished
    shown = []
    original = figures._column

    def watch(rows, j, title, pixels, *arguments):
        shown.append((j, title, pixels[:, 0, 0, 0].astype(float) / 127.5 - 1))
        original(rows, j, title, pixels, *arguments)

    monkeypatch.setattr(figures, "_column", watch)
    path = draw_examples(domain, CONFIG, out, reading)
    assert path == out / name
    height, width = matplotlib.image.imread(path).shape[:2]
    assert height > width / 2
    titles = ["input", "reconstruction", "class centroids", "nearest real target"]
    assert [title.split("\n")[-1] for _, title, _ in shown] == 2 * titles
    assert [j for j, _, _ in shown] == 2 * [0, 1, 2, 3]
    w = domain.latents("heldout").w
    for block, (task, first) in enumerate(((domain.tasks[0], 28), (domain.tasks[2], 2))):
        rows = list(range(first, first + 16, 4))
        greys = [grey for _, _, grey in shown[4 * block : 4 * block + 4]]
        np.testing.assert_allclose(greys[0], task.count / 4 - 0.5, atol=0.005)
        np.testing.assert_allclose(greys[1], w[rows, 0, 0].numpy() / 4 - 0.5, atol=0.005)
        cell = load_cell(CellKey("centroids", task.name, 0), reading, out)
        folder = editor_folder("centroids", task.attribute, 0, out)
        step = METHODS["centroids"].load(folder, SPACE).map.bias[0, 0].item()
        moved = w[rows, 0, 0].numpy() + cell.alpha[:4] * step
        np.testing.assert_allclose(greys[2], np.clip(moved / 4 - 0.5, -1, 1), atol=0.005)


def test_a_figure_without_a_run_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"tested\.npz"):
        draw_examples(ToyDomain(), CONFIG, tmp_path)
