"""Whatever comes through a door is a right result or a ValueError in one line.

Nothing else is raised, nothing is run, nothing is left on the disk: 2,100 cases of labels, codes
and pictures, made of whole files that are then damaged, and of bytes from scratch.
"""

import io
import pickle

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from demo.pictures import read_photo
from lwedit.data.codes import read_codes
from lwedit.data.labels import read_labels
from tests.doors import codes, labels, pictures

CALM = {"deadline": None, "derandomize": True, "database": None,
        "suppress_health_check": list(HealthCheck)}
RUN = []


class Mine:
    """What runs if a pickle is opened."""

    def __reduce__(self):
        return RUN.append, (1,)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def whole(place):
    """Bytes of whole files, by kind."""
    files = {"labels": [], "codes": [], "pictures": []}
    for case in labels.TAKEN:
        made = case.made
        files["labels"].append(made.encode() if isinstance(made, str) else made)
    small = (*codes.TAKEN[:17], *codes.REFUSED[6:10])
    for i, case in enumerate(small):
        folder = place / f"made{i}"
        folder.mkdir()
        files["codes"].append(case.made(folder).read_bytes())
    files["codes"] += [pickle.dumps(Mine()), _torch(Mine()), _torch([Mine()])]
    for case in pictures.TAKEN[:15]:
        files["pictures"].append(case.made()[0])
    return files


def _torch(held):
    buffer = io.BytesIO()
    torch.save(held, buffer)
    return buffer.getvalue()


def read(function, content, place):
    """A result, or the message of a ValueError; the folder is as it was."""
    path = place / "file"
    path.write_bytes(content)
    before = sorted(p.name for p in place.iterdir())
    found, said = None, "nothing"
    try:
        found = function(path)
    except ValueError as error:
        said = str(error)
    assert said
    assert "\n" not in said
    assert sorted(p.name for p in place.iterdir()) == before
    assert path.read_bytes() == content
    assert RUN == []
    return found


damage = st.tuples(
    st.integers(0, 2**16), st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)),
                                    max_size=6),
    st.one_of(st.just(1.0), st.just(1.0), st.floats(0, 1)), st.binary(max_size=4),
)


def damaged(files, how):
    """One of the files with some bytes changed, cut off, or put before it."""
    which, changes, keep, before = how
    content = bytearray(files[which % len(files)])
    for where, value in changes:
        content[where % len(content)] = value
    return (before if len(before) == 4 else b"") + bytes(content[: int(keep * len(content))])


def check_labels(found):
    assert found is None or (
        found.y.dtype == torch.int64 and found.y.ndim == 2
        and set(found.y.unique().tolist()) <= {0, 1}
        and len(found.names) == found.y.shape[1] == len(set(found.names))
        and all(name and "," not in name for name in found.names)
    )


@pytest.mark.slow
@settings(max_examples=400, **CALM)
@given(how=damage)
def test_damaged_labels(whole, place, how):
    check_labels(read(read_labels, damaged(whole["labels"], how), place))


cells = st.one_of(
    st.sampled_from(["0", "1", "-1", "True", "no", " 1", "1.0", "", "x", '"', "2", "nan"]),
    st.text(max_size=3),
)


@pytest.mark.slow
@settings(max_examples=400, **CALM)
@given(rows=st.lists(st.lists(cells, min_size=1, max_size=4), max_size=6),
       mark=st.sampled_from([",", ";", "\t", " ", "  "]), end=st.sampled_from(["\n", "\r\n", "\r"]),
       coding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]))
def test_tables_of_anything(place, rows, mark, end, coding):
    text = end.join(mark.join(row) for row in rows)
    check_labels(read(read_labels, text.encode(coding, "replace"), place))


@pytest.mark.slow
@settings(max_examples=300, **CALM)
@given(y=st.lists(st.lists(st.integers(0, 1), min_size=3, max_size=3), min_size=1, max_size=6),
       words=st.sampled_from([("0", "1"), ("-1", "1"), ("False", "True"), ("no", "YES"),
                              ("0.0", "1.0"), ("n", "y"), ("+0", "+1")]),
       mark=st.sampled_from([",", ";", "\t", ", ", " ,", "; "]),
       end=st.sampled_from(["\n", "\r\n"]),
       index=st.booleans(), bom=st.booleans(), blank=st.integers(0, 2))
def test_whole_tables_give_their_labels(place, y, words, mark, end, index, bom, blank):
    head, rows = ["5_o a", "b/c", "d e"], [[words[v] for v in row] for row in y]
    if index:
        head, rows = ["", *head], [[f"{i}.png", *row] for i, row in enumerate(rows)]
    text = end.join(mark.join(row) for row in [head, *rows]) + end * (1 + blank)
    found = read(read_labels, text.encode("utf-8-sig" if bom else "utf-8"), place)
    assert found.y.tolist() == y
    assert found.names == ("5_o a", "b/c", "d e")


@pytest.mark.slow
@settings(max_examples=500, **CALM)
@given(how=damage)
def test_damaged_codes(whole, place, how):
    found = read(read_codes, damaged(whole["codes"], how), place)
    if found is not None:
        assert found.w.dtype == torch.float32
        assert found.w.ndim == 3
        assert found.w.isfinite().all()
        assert 0 not in found.w.shape


@pytest.mark.slow
@settings(max_examples=200, **CALM)
@given(content=st.binary(max_size=200), head=st.sampled_from(
    [b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"\x80\x02", b"\x89HDF", b"{", bytes(8) + b"{"]))
def test_bytes_from_scratch(place, content, head):
    for function in (read_codes, read_labels, read_photo):
        read(function, head + content, place)


@pytest.mark.slow
@settings(max_examples=300, **CALM)
@given(how=damage)
def test_damaged_pictures(whole, place, how):
    found = read(read_photo, damaged(whole["pictures"], how), place)
    assert found is None or (found.mode == "RGB" and isinstance(found, Image.Image))
    if found is not None:
        assert np.asarray(found).shape == (found.height, found.width, 3)
