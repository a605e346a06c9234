"""Truths of what the scoring judge learns about headwear, and from which faces."""

import csv

import pytest
import torch

from lwedit.domains.faces import ASSETS
from lwedit.generators.dcgan import Dcgan
from lwedit.judges.faces import FACE_ATTRIBUTES, FaceJudge
from lwedit.vocabulary import from_unit_range
from training.faces.headwear import (
    _kept_lesson,
    draw_lesson,
    mean_judge,
    recalibrate,
    set_headwear,
)
from training.faces.judges import calibrate
from training.faces.labels import FaceLabels, face_codes, load_headwear, load_parts
from training.faces.student import Pool, Student, StudentConfig

TABLE = ASSETS / "labels_headwear.csv"
HAT = FACE_ATTRIBUTES.index("headwear")
OTHERS = [k for k in range(len(FACE_ATTRIBUTES)) if k != HAT]


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


# --- the table -------------------------------------------------------------------------------


def test_the_table_has_each_face_once_and_unclear_ones_without_a_label():
    with TABLE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = [int(row["index"]) for row in rows]
    assert len(set(numbers)) == len(rows) == 3616
    assert max(numbers) < len(face_codes(2))
    assert {row["annotator"] for row in rows} == {"G", "I", "J", "K"}
    with (ASSETS / "labels_headwear_check.csv").open(newline="") as file:
        assert not set(numbers) & {int(row["index"]) for row in csv.DictReader(file)}
    assert all((row["headwear"] == "") == (row["unclear"] == "1") for row in rows)


def test_its_faces_are_of_a_draw_of_their_own():
    parts = load_parts(ASSETS, FACE_ATTRIBUTES)
    known = {tuple(z[:3].tolist()) for part in parts.values() for z in part.z}
    indices = {face for part in parts.values() for face in part.index.tolist()}
    for labels in load_headwear(TABLE).values():
        assert torch.equal(labels.z, face_codes(2)[labels.index - 5120])
        assert not known & {tuple(z[:3].tolist()) for z in labels.z}
        assert not indices & set(labels.index.tolist())


def test_random_faces_are_told_from_chosen_ones(tmp_path):
    path = tmp_path / "hats.csv"
    path.write_text(
        "index,chosen,headwear,unclear\n4,random,1,0\n5,unsure,0,0\n6,random,,1\n9,missed,1,0\n"
    )
    found = load_headwear(path)
    assert found["random"].index.tolist() == [5124]
    assert found["chosen"].index.tolist() == [5125, 5129]
    assert found["chosen"].y.tolist() == [[0], [1]]


def test_some_annotators_can_be_asked_for(tmp_path):
    path = tmp_path / "hats.csv"
    path.write_text("index,annotator,chosen,headwear,unclear\n4,G,random,1,0\n5,G,unsure,0,0\n"
                    "7,H,unsure,,1\n9,H,unsure,1,0\n")
    assert load_headwear(path, ("G",))["chosen"].index.tolist() == [5125]
    assert load_headwear(path)["chosen"].index.tolist() == [5125, 5129]
    with pytest.raises(ValueError, match="annotators must be some of"):
        load_headwear(path, ("Z",))


def test_the_mean_judge_has_the_mean_weights():
    torch.manual_seed(0)
    one, other = FaceJudge(width=4, features=8), FaceJudge(width=4, features=8)
    mean = mean_judge(one, other)
    for name, value in mean.named_parameters():
        halfway = (one.get_parameter(name) + other.get_parameter(name)) / 2
        torch.testing.assert_close(value, halfway)
    x = torch.rand(3, 3, 64, 64, generator=rng()) * 2 - 1
    torch.testing.assert_close(mean_judge(one, one).logits(x), one.eval().logits(x))


@pytest.mark.parametrize("text", ["index,headwear,unclear\n4,1,0\n",
                                  "index,chosen,headwear,unclear\n4,,1,0\n"])
def test_a_table_that_does_not_say_why_is_refused(tmp_path, text):
    (tmp_path / "hats.csv").write_text(text)
    with pytest.raises(ValueError, match=r"hats\.csv must say in its column chosen why"):
        load_headwear(tmp_path / "hats.csv")


# --- what is learnt --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world():
    """A small generator, an untrained judge, 60 labelled faces and 20 labelled for hats alone."""
    torch.manual_seed(1)
    generator = Dcgan(6, (8, 8, 8, 8), 3).eval()
    judge = FaceJudge(width=4, features=8).train()
    with torch.no_grad():
        judge(torch.randn(16, 3, 64, 64, generator=rng(1)))
    y = torch.randint(0, 2, (60, 10), generator=rng(2))
    z = torch.randn(60, 6, generator=rng(3))
    y[:, HAT] = z[:, 0] > 0
    part = FaceLabels(torch.arange(60), z, y)
    more = torch.randn(20, 6, generator=rng(4))
    chosen = FaceLabels(100 + torch.arange(20), more, (more[:, :1] > 0).long())
    return generator, judge.eval(), part, chosen


def test_only_headwear_gets_new_probabilities():
    p = torch.rand(5, 10, generator=rng())
    hats = torch.rand(5, generator=rng(1))
    new = set_headwear(p, hats)
    assert torch.equal(new[:, HAT], hats)
    assert torch.equal(new[:, OTHERS], p[:, OTHERS])
    assert not torch.equal(p[:, HAT], hats)  # what came in is left as it was


def test_the_judge_keeps_its_own_view_of_everything_but_headwear(world):
    generator, judge, part, chosen = world
    pool, labelled = draw_lesson(generator, judge, part, chosen, size=30)
    with torch.no_grad():
        own = judge.probabilities(generator(pool.z[:, None]))
        further = judge.probabilities(generator(chosen.z[:, None]))
    torch.testing.assert_close(pool.p[:, OTHERS], own[:, OTHERS])
    assert (pool.p[:, HAT] - own[:, HAT]).abs().max() > 0.05
    assert torch.equal(labelled.z[54:74], chosen.z)
    torch.testing.assert_close(labelled.p[54:74][:, OTHERS], further[:, OTHERS])


def test_labels_are_trusted_and_faces_that_calibrate_are_not_shown(world):
    generator, judge, part, chosen = world
    _, labelled = draw_lesson(generator, judge, part, chosen, size=10)
    assert torch.equal(labelled.z[:54], part.z[6:])
    assert len(labelled.z) == 5 * 74
    assert torch.equal(labelled.p[:54] > 0.5, part.y[6:].bool())
    assert torch.equal(labelled.p[54:74, HAT] > 0.5, chosen.y[:, 0].bool())
    for copy in labelled.p.unflatten(0, (5, 74)):
        assert torch.equal(copy, labelled.p[:74])


def test_random_faces_calibrate_headwear_only(world):
    generator, judge, part, _ = world
    faces = FaceLabels(200 + torch.arange(40), torch.randn(40, 6, generator=rng(7)),
                       torch.ones(40, 1).long())
    with torch.no_grad():
        kept = judge.logits(generator(part.z[:6, None]))
        more = judge.logits(generator(faces.z[:, None]))[:, HAT, None]
    slope, shift = calibrate(kept, part.y[:6])
    expected = kept * slope + shift
    slope, shift = calibrate(torch.cat([kept[:, HAT, None], more]),
                             torch.cat([part.y[:6, HAT, None], faces.y]))
    expected[:, HAT] = kept[:, HAT] * slope + shift
    state = {k: v.clone() for k, v in judge.state_dict().items()}
    recalibrate(judge, generator, part, faces)
    with torch.no_grad():
        found = judge.logits(generator(part.z[:6, None]))
    judge.load_state_dict(state)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_an_attribute_without_weight_teaches_nothing(world):
    generator, _, part, _ = world
    with torch.no_grad():
        x = torch.from_numpy(from_unit_range(generator(part.z[:, None])))
    pool = Pool(x, part.z, part.y.float())
    rows = []
    for weights in (None, torch.ones(10), torch.arange(10).clamp(max=1).float()):
        torch.manual_seed(3)
        config = StudentConfig(steps=4, weight_decay=0.0, bfloat16=False)
        student = Student(FaceJudge(width=4, features=8), 6, config, weights)
        before = student.judge.out.weight.detach().clone()
        student.step(pool, pool)
        rows.append((student.judge.out.weight.detach() - before).abs().amax(dim=1))
    assert torch.equal(rows[0], rows[1])
    assert rows[2][0] == 0
    assert (rows[2][1:] > 0).all()


def test_a_lesson_is_drawn_once(world, tmp_path):
    generator, judge, part, chosen = world
    first = _kept_lesson(tmp_path, lambda: draw_lesson(generator, judge, part, chosen, size=10))

    def never():
        raise AssertionError("drawn again")

    again = _kept_lesson(tmp_path, never)
    for ours, theirs in zip(again, first, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert torch.equal(a, b)
