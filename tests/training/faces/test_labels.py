"""Truths of the labels of faces: what the tables say, who learns from which, who agrees."""

import hashlib

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score

from lwedit.domains.faces import ASSETS
from lwedit.judges.faces import FACE_ATTRIBUTES
from training.faces.labels import (
    FaceLabels,
    agreement,
    by_first_annotators,
    consensus,
    face_codes,
    load_face_labels,
    load_parts,
    split_faces,
    with_more,
)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def labels():
    return load_face_labels(ASSETS / "labels.csv", FACE_ATTRIBUTES)


def test_labels_are_the_table_without_unclear_faces(labels):
    lines = (ASSETS / "labels.csv").read_text().splitlines()
    names = lines[0].split(",")
    rows = [dict(zip(names, line.split(","), strict=True)) for line in lines[1:]]
    clear = [row for row in rows if row["unclear"] == "0"]
    assert len(rows) == 2544
    assert len(labels.index) == len(clear) == 2398
    for k, name in enumerate(FACE_ATTRIBUTES):
        assert labels.y[:, k].tolist() == [int(row[name]) for row in clear]
    positives = dict(zip(FACE_ATTRIBUTES, labels.y.sum(dim=0).tolist(), strict=True))
    assert positives == {
        "eyeglasses": 350, "headwear": 344, "smiling": 615, "mouth_open": 1004,
        "facial_hair": 356, "long_hair": 652, "bangs": 562, "light_hair": 277,
        "pale_skin": 1025, "masculine": 1197,
    }  # fmt: skip


def test_codes_are_rows_of_one_draw(labels):
    z = torch.randn(2560, 100, generator=rng(20231121))
    assert torch.equal(labels.z, z[labels.index])


def test_parts_share_no_face_and_are_the_same_every_time(labels):
    parts, again = split_faces(labels), split_faces(labels)
    faces = [set(part.index.tolist()) for part in parts.values()]
    assert list(parts) == ["heldout", "naming", "scoring"]
    assert sum(len(part) for part in faces) == len(set.union(*faces)) == 2398
    assert len(faces[0]) == 479
    for name, part in parts.items():
        assert torch.equal(part.index, again[name].index)
        place = {face: row for row, face in enumerate(labels.index.tolist())}
        assert torch.equal(part.y, labels.y[[place[face] for face in part.index.tolist()]])


def test_agreement_of_annotators_is_cohens(labels):
    second = load_face_labels(ASSETS / "labels_second.csv", FACE_ATTRIBUTES)
    both = sorted(set(labels.index.tolist()) & set(second.index.tolist()))
    a, b = (
        np.array([part.y[part.index.tolist().index(face)].tolist() for face in both])
        for part in (labels, second)
    )
    for k, row in enumerate(agreement(labels, second)):
        assert row.agree == pytest.approx((a[:, k] == b[:, k]).mean())
        assert row.kappa == pytest.approx(cohen_kappa_score(a[:, k], b[:, k]))
        assert row.balanced == pytest.approx(balanced_accuracy_score(a[:, k], b[:, k]))


@pytest.mark.parametrize(
    "text",
    [
        "index,unclear\n0,0\n",
        "index,hat,unclear\n0,2,0\n",
        "index,hat,unclear\n0,,0\n",
        "index,hat,unclear\n99999,1,0\n",
        "index,hat,unclear\n7,1,0\n7,1,0\n",
        "<html>404 Not Found</html>",
        "",
    ],
)
def test_a_table_that_labels_no_faces_is_refused(tmp_path, text):
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(ValueError, match=r"labels\.csv must label faces"):
        load_face_labels(tmp_path / "labels.csv", ("hat",))


# --- faces that other annotators labelled ----------------------------------------------------


@pytest.fixture(scope="module")
def more():
    return load_face_labels(ASSETS / "labels_more.csv", FACE_ATTRIBUTES, draw=1)


def test_further_faces_are_of_another_draw(labels, more):
    z = torch.randn(2560, 100, generator=rng(20261124))
    assert torch.equal(more.z, z[more.index - 2560])
    assert torch.equal(face_codes(1), z)
    assert not set(more.z[:, 0].tolist()) & set(labels.z[:, 0].tolist())
    assert not by_first_annotators(more).any()
    assert by_first_annotators(labels).all()
    with pytest.raises(ValueError, match="draw must be 0, 1 or 2, got 3"):
        face_codes(3)


def test_the_later_table_has_four_annotators_and_no_face_twice(more):
    lines = (ASSETS / "labels_more.csv").read_text().splitlines()
    rows = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
    assert [int(row["index"]) for row in rows] == list(range(2304))
    assert "".join(row["annotator"] for row in rows[::576]) == "ABCD"
    assert len(more.index) == sum(row["unclear"] == "0" for row in rows) == 2244
    assert all(row[name] == "" for row in rows if row["unclear"] == "1" for name in FACE_ATTRIBUTES)


def test_held_out_faces_are_those_of_before(labels):
    """The published numbers of earlier judges and of these are about the same faces."""
    held = load_parts(ASSETS, FACE_ATTRIBUTES)["heldout"]
    assert torch.equal(held.index, split_faces(labels)["heldout"].index)
    faces = ",".join(map(str, held.index.tolist()))
    assert hashlib.sha256(faces.encode()).hexdigest() == (
        "4f8c3d60f7237bd1900817be8bfad1594b128fb72dc01b545dd8b1b5cc7219a3"
    )


def test_further_faces_go_behind_those_of_both_judges_and_to_one_of_them(labels, more):
    before, after = split_faces(labels), with_more(split_faces(labels), more)
    assert torch.equal(after["heldout"].index, before["heldout"].index)
    assert [len(part.index) for part in after.values()] == [479, 719 + 748, 1200 + 1496]
    added = []
    for name in ("naming", "scoring"):
        old = len(before[name].index)
        for ours, theirs in zip(after[name], before[name], strict=True):
            assert torch.equal(ours[:old], theirs)
        place = {face: row for row, face in enumerate(more.index.tolist())}
        rows = torch.tensor([place[face] for face in after[name].index[old:].tolist()])
        assert torch.equal(after[name].y[old:], more.y[rows])
        assert torch.equal(after[name].z[old:], more.z[rows])
        added += after[name].index[old:].tolist()
    assert sorted(added) == more.index.tolist()
    again = with_more(split_faces(labels), more)
    assert torch.equal(again["scoring"].index, after["scoring"].index)


def test_check_faces_are_known_ones_that_four_others_read(labels):
    check = load_face_labels(ASSETS / "labels_check.csv", FACE_ATTRIBUTES)
    assert set(check.index.tolist()) <= set(range(240, 432))
    both = agreement(labels, check)
    mean = sum(row.kappa for row in both) / len(both)
    assert mean == pytest.approx(0.82, abs=0.01)


# --- several readings of one face --------------------------------------------------------------


def passes(*columns):
    z = torch.zeros(4, 100)
    order = torch.tensor([3, 1, 0, 2])
    return [
        FaceLabels(order[turn], z, torch.tensor(column)[order[turn], None])
        for column, turn in zip(columns, (torch.arange(4), torch.tensor([2, 0, 3, 1]),
                                          torch.arange(4)), strict=False)
    ]


def test_consensus_is_what_two_of_three_saw_in_any_order():
    found = consensus(passes([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]))
    by_face = dict(zip(found.index.tolist(), found.y[:, 0].tolist(), strict=True))
    assert by_face == {0: 0, 1: 1, 2: 1, 3: 1}


def test_consensus_of_one_pass_is_that_pass():
    (one,) = passes([0, 1, 1, 0])
    assert torch.equal(consensus([one]).y, one.y)


def test_two_passes_have_no_majority():
    with pytest.raises(ValueError, match="passes must be odd in number for a majority, got 2"):
        consensus(passes([0, 0, 1, 1], [0, 1, 0, 1]))


def test_a_pass_that_lacks_a_face_is_named():
    first, second, third = passes([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0])
    with pytest.raises(ValueError, match=r"passes\[1\] must label every face .* lacks 2"):
        consensus([first, second.rows(torch.tensor([0, 1, 3])), third])


@pytest.mark.parametrize("annotator", ["E", "F"])
def test_both_later_readers_saw_every_heldout_face_once(annotator, labels):
    held = split_faces(labels)["heldout"]
    path = ASSETS / "labels_heldout.csv"
    again = load_face_labels(path, FACE_ATTRIBUTES, annotator=annotator)
    assert sorted(again.index.tolist()) == sorted(held.index.tolist())
    assert torch.equal(again.z, face_codes(0)[again.index])
