"""Truths that lwedit.latents must meet: nothing lost in a file, every wrong set refused by name."""

import hashlib
import pickle
import re

import numpy as np
import pytest
import torch

from lwedit.latents import LatentSet, Space, hash_state

SPACE = Space(generator="a" * 64, name="W+", layers=2, dim=3)
NAMES = ("smile", "hat")


def make(n=4, **changes):
    rng = torch.Generator().manual_seed(0)
    fields = {
        "w": torch.randn(n, 2, 3, generator=rng),
        "y": torch.tensor([[i % 2, i // 2 % 2] for i in range(n)]),
        "attributes": NAMES,
        "space": SPACE,
    }
    return LatentSet(**(fields | changes))


# --- the set ---------------------------------------------------------------------------------


def test_a_set_knows_its_columns_and_length():
    latents = make()
    assert len(latents) == 4
    assert [latents.column(name) for name in NAMES] == [0, 1]
    assert latents.labels("smile").tolist() == [0, 1, 0, 1]
    assert latents.labels("hat").tolist() == [0, 0, 1, 1]
    assert latents.labels_of(("hat", "smile")).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert latents.labels_of(()).shape == (4, 0)


def test_an_index_and_a_mask_pick_the_same_codes_and_labels():
    latents = make()
    by_index = latents.subset(torch.tensor([3, 1]))
    by_mask = latents.subset(torch.tensor([False, True, False, True]))
    for part, rows in ((by_index, [3, 1]), (by_mask, [1, 3])):
        assert torch.equal(part.w, torch.stack([latents.w[i] for i in rows]))
        assert torch.equal(part.y, torch.stack([latents.y[i] for i in rows]))
        assert (part.attributes, part.space) == (NAMES, SPACE)


def test_a_pair_splits_the_codes_by_their_label():
    latents = make()
    source, target = latents.pair("hat")
    assert torch.equal(source, latents.w[:2])
    assert torch.equal(target, latents.w[2:])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"w": torch.zeros(4, 3, 2)}, r"w must have shape \(n, 2, 3\), got \(4, 3, 2\)"),
        ({"w": torch.zeros(4, 6)}, r"w must have shape \(n, 2, 3\), got \(4, 6\)"),
        ({"y": torch.zeros(4).long()}, r"y must have shape \(n, attributes\), got \(4,\)"),
        ({"y": torch.zeros(3, 2).long()}, "y must label every code: 4 codes, 3 rows"),
        ({"attributes": ("smile",)}, r"attributes must name the 2 columns of y, got \('smile',\)"),
        ({"attributes": ("smile",) * 2}, r"attributes must name the 2 columns of y, got \('smile"),
        ({"y": torch.full((4, 2), 2)}, r"y must hold 0 and 1 only, got \[2\]"),
        ({"y": torch.tensor([[0, 1], [1, -1]] * 2)}, r"y must hold 0 and 1 only, got \[-1, 0, 1\]"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_does_not_fit_together_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_the_first_code_that_is_not_finite_is_named(value):
    w = torch.zeros(4, 2, 3)
    w[2, 1, 0] = w[3, 0, 0] = value
    with pytest.raises(ValueError, match="w must be finite, got 2 bad codes, the first in row 2"):
        make(w=w)


def test_an_unknown_attribute_is_named_beside_the_known_ones():
    with pytest.raises(ValueError, match=r"attribute must be one of \('smile', 'hat'\), got 'Hat'"):
        make().pair("Hat")


@pytest.mark.parametrize("n", [0, 2])
def test_a_pair_needs_both_labels(n):
    latents = make().subset(torch.arange(n))
    seen = r"\[0\]" if n else r"\[\]"
    with pytest.raises(ValueError, match=f"'hat' must have both labels, {n} codes have {seen}"):
        latents.pair("hat")


# --- files -----------------------------------------------------------------------------------


def test_a_file_gives_every_bit_back(tmp_path):
    latents = make(w=torch.randn(4, 2, 3) * torch.tensor([1e-38, 1.0, 1e30]))
    latents.save(tmp_path / "codes.npz")
    loaded = LatentSet.load(tmp_path / "codes.npz")
    assert loaded.w.numpy().tobytes() == latents.w.numpy().tobytes()
    assert torch.equal(loaded.y, latents.y)
    assert (loaded.attributes, loaded.space) == (latents.attributes, latents.space)
    assert [path.name for path in tmp_path.iterdir()] == ["codes.npz"]  # nothing left aside


@pytest.fixture
def written(tmp_path):
    """A good file and its arrays."""
    path = tmp_path / "codes.npz"
    make().save(path)
    with np.load(path) as file:
        return path, dict(file)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[: len(data) // 2], id="truncated"),
        pytest.param(lambda data: data[:100] + b"\xff" * 8 + data[108:], id="a few bytes"),
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: b"<html><body>404 Not Found</body></html>", id="error page"),
        pytest.param(lambda data: pickle.dumps({"w": 1}), id="pickle"),
    ],
)
def test_a_damaged_file_is_refused_by_its_name(written, damage):
    path, _ = written
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"codes\.npz must be an \.npz written by LatentSet\.save"):
        LatentSet.load(path)


def test_pickled_arrays_are_not_run(written):
    path, arrays = written
    arrays["attributes"] = np.array([print, print], dtype=object)
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        LatentSet.load(path)


@pytest.mark.parametrize("name", ["w", "y", "attributes", "space"])
def test_a_missing_array_is_named(written, name):
    path, arrays = written
    del arrays[name]
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=rf"codes\.npz must be .*{name}"):
        LatentSet.load(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"w": np.zeros((4, 6), np.float32)}, "must be an .npz written by"),
        ({"y": np.full((4, 2), 0.5)}, "must be an .npz written by .*float64"),
        ({"y": np.zeros(4, np.uint8)}, r"y must have shape \(n, attributes\), got \(4,\)"),
        ({"y": np.full((4, 2), 7, np.uint8)}, r"y must hold 0 and 1 only, got \[7\]"),
        ({"w": np.full((4, 2, 3), np.nan)}, "w must be finite, got 4 bad codes"),
        ({"space": np.array(["a"])}, "must be an .npz written by"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_arrays_of_another_kind_are_refused(written, changes, message):
    path, arrays = written
    np.savez(path, **(arrays | changes))
    with pytest.raises(ValueError, match=message):
        LatentSet.load(path)


def test_a_bare_array_and_a_missing_file_are_refused(tmp_path):
    np.save(tmp_path / "codes.npy", np.zeros((4, 2, 3)))
    for name in ("codes.npy", "nothing.npz"):
        with pytest.raises(ValueError, match=f"{name} must be an .npz written by LatentSet.save"):
            LatentSet.load(tmp_path / name)


# --- spaces and hashes -----------------------------------------------------------------------


def test_a_space_fits_itself():
    SPACE.require(Space(**vars(SPACE)))


@pytest.mark.parametrize(
    ("field", "value"), [("generator", "b" * 64), ("name", "W"), ("layers", 1), ("dim", 4)]
)
def test_another_space_is_refused_by_the_field_that_differs(field, value):
    other = Space(**(vars(SPACE) | {field: value}))
    message = f"space must have {field} = {getattr(SPACE, field)}, got {value}."
    with pytest.raises(ValueError, match=re.escape(message)):
        SPACE.require(other)


def test_the_hash_is_sha256_over_names_shapes_and_bytes():
    state = {"b": torch.tensor(3), "a": torch.tensor([[1.0, 2.0]])}
    data = b"a:(1, 2):torch.float32" + np.float32([1, 2]).tobytes()
    data += b"b:():torch.int64" + np.int64(3).tobytes()
    assert hash_state(state) == hashlib.sha256(data).hexdigest()


def test_the_hash_sees_values_names_shapes_and_types():
    rows = torch.arange(6.0).reshape(2, 3)
    states = [
        {"a": rows},
        {"a": rows.nextafter(rows + 1)},  # one bit of each value
        {"b": rows},
        {"a": rows.reshape(3, 2)},
        {"a": rows.view(torch.int32)},
        {"a": rows, "b": torch.zeros(0)},
        {"a": -torch.zeros(2, 3)},
        {"a": torch.zeros(2, 3)},
    ]
    assert len({hash_state(state) for state in states}) == len(states)


@pytest.mark.parametrize("shape", [(1, 8, 1, 1), (8, 1, 1, 1), (1, 1, 1, 1), (), (0, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.bool])
def test_every_shape_and_type_can_be_hashed(shape, dtype):
    a = torch.randn(shape).to(dtype)
    b = a.to(memory_format=torch.channels_last) if a.ndim == 4 else a
    assert hash_state({"a": a}) == hash_state({"a": b})


def test_the_hash_is_blind_to_order_layout_and_gradients():
    a, b = torch.randn(2, 3, 4, 4), torch.randn(5)
    state = hash_state({"a": a, "b": b})
    assert hash_state({"b": b, "a": a}) == state
    assert hash_state({"a": a.contiguous(memory_format=torch.channels_last), "b": b}) == state
    assert hash_state({"a": a.transpose(0, 1).contiguous().transpose(0, 1), "b": b}) == state
    assert hash_state({"a": torch.nn.Parameter(a), "b": b.expand(2, 5)[1]}) == state
