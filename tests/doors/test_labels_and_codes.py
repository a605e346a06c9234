"""Every example of labels and codes in docs/doors.md, with its right value."""

import io
import zipfile

import numpy as np
import pytest
import torch

from lwedit.data.codes import Codes, read_codes
from lwedit.data.labels import Labels, read_labels
from lwedit.domains.codes import belonging
from tests.doors import codes, labels
from tests.doors.case import one_line


def write(case, folder, name="file"):
    made = case.made
    if made == "xlsx":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("xl/workbook.xml", "<a/>")
        made = buffer.getvalue()
    elif made == "objects":
        np.save(folder / name, np.array([print], dtype=object))
        (folder / f"{name}.npy").rename(folder / name)
        return folder / name
    (folder / name).write_bytes(made.encode() if isinstance(made, str) else made)
    return folder / name


@pytest.mark.parametrize("case", labels.TAKEN, ids=repr)
@pytest.mark.parametrize("name", ["labels.csv", "LABELS.TXT"])
def test_labels_are_read(case, name, tmp_path):
    found = read_labels(write(case, tmp_path, name))
    assert (found.y.tolist(), found.names, found.files) == case.truth


@pytest.mark.parametrize("case", labels.REFUSED, ids=repr)
def test_labels_are_refused(case, tmp_path):
    with pytest.raises(ValueError, match="^labels must ") as error:
        read_labels(write(case, tmp_path))
    assert case.refused in one_line(error)


def test_the_second_form_of_running_numbers(tmp_path):
    for head in ("index", "id", ""):
        (tmp_path / "l.csv").write_text(f"{head},left\n1,0\n2,1\n")
        found = read_labels(tmp_path / "l.csv")
        assert (found.y.tolist(), found.names, found.files) == ([[0], [1]], ("left",), None)


@pytest.mark.parametrize("case", codes.TAKEN, ids=repr)
def test_codes_are_read(case, tmp_path):
    truth, options = case.truth
    found = read_codes(case.made(tmp_path), **options)
    assert found.w.dtype == torch.float32
    np.testing.assert_array_equal(found.w.numpy(), truth)


@pytest.mark.parametrize("case", codes.REFUSED, ids=repr)
def test_codes_are_refused(case, tmp_path):
    make, options = case.made if isinstance(case.made, tuple) else (case.made, {})
    with pytest.raises(ValueError, match="^(codes|layers) must ") as error:
        read_codes(make(tmp_path), **options)
    assert case.refused in one_line(error)


@pytest.mark.parametrize("magic", [b"MATLAB 5.0", b"PAR1", b"\x1f\x8b\x08"])
def test_other_formats_are_named(magic, tmp_path):
    (tmp_path / "c").write_bytes(magic + bytes(99))
    with pytest.raises(ValueError, match="is a file of .*, which is not read here. Convert it"):
        read_codes(tmp_path / "c")


def test_the_line_that_converts_does(tmp_path, monkeypatch):
    """What a message asks the user to run gives a file that is read."""
    import subprocess
    import sys

    np.save(tmp_path / "o.npy", np.array([*codes.W, None], dtype=object)[:-1])
    with pytest.raises(ValueError, match="convert it") as error:
        read_codes(tmp_path / "o.npy")
    line = str(error.value).partition('-c "')[2].rpartition('"')[0]
    subprocess.run([sys.executable, "-c", line.replace("FILE", "o.npy")], cwd=tmp_path, check=True)
    np.testing.assert_array_equal(read_codes(tmp_path / "codes_plain.npy").w, codes.W)


# --- codes and labels that belong together ----------------------------------------------------


W = torch.arange(8.0).reshape(4, 1, 2)
Y = torch.tensor([[0], [1], [1], [0]])
FILES = ("1.npy", "2.npy", "3.npy", "4.npy")


def test_without_names_they_belong_by_order():
    w, y, notes = belonging(Codes(W), Labels(Y, ("a",), ("4.jpg", "3.jpg", "2.jpg", "1.jpg")))
    assert torch.equal(w, W)
    assert torch.equal(y, Y)
    assert notes == ()


@pytest.mark.parametrize(
    "files", [("000004.jpg", "data/3.png", "2", "x.jpg", "1.JPG"), ("4", "3", "2", "99", "1")])
def test_with_names_they_belong_by_those(files):
    """Codes of 1.npy to 4.npy, labels of 4, 3, 2, another image and 1."""
    y = torch.tensor([[0], [1], [1], [0], [1]])
    w, found, notes = belonging(Codes(W, FILES), Labels(y, ("a",), files))
    assert torch.equal(w, W.flip(0))  # in the order of the labels
    assert found.tolist() == [[0], [1], [1], [1]]
    assert notes == ("1 rows of the labels name no code and are not used",)


@pytest.mark.parametrize(
    ("files", "names", "message"),
    [
        (None, ("a.jpg",), "labels must be one row a code: 4 codes, 1 rows below the names"),
        (FILES, ("1.jpg",), "3 of 4 files have none, such as '2.npy'"),
        (FILES, ("1.jpg", "01.jpg"), "'01.jpg' stands twice"),
    ],
)
def test_what_does_not_belong_together_is_named(files, names, message):
    with pytest.raises(ValueError, match="^labels must ") as error:
        belonging(Codes(W, files), Labels(Y[: len(names)], ("a",), names))
    assert message in str(error.value)
