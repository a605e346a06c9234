"""Files of codes, as encoders, numpy and PyTorch leave them."""

import pickle
import zipfile

import numpy as np
import torch
from safetensors.numpy import save_file

from tests.doors.case import Case

W = np.random.default_rng(0).standard_normal((12, 3, 4)).astype(np.float32)
N, LAYERS, DIM = W.shape


def saved(array):
    """Writes codes.npy."""
    def make(folder):
        np.save(folder / "codes.npy", array)
        return folder / "codes.npy"

    return make


def archived(**arrays):
    def make(folder):
        np.savez(folder / "codes.npz", **arrays)
        return folder / "codes.npz"

    return make


def torched(held):
    def make(folder):
        torch.save(held, folder / "codes.pt")
        return folder / "codes.pt"

    return make


def safe(**arrays):
    def make(folder):
        save_file(arrays, folder / "codes.safetensors")
        return folder / "codes.safetensors"

    return make


def folder_of(names, rows=W, extra=("notes.txt", "._1.npy")):
    def make(folder):
        place = folder / "codes"
        place.mkdir()
        for name, row in zip(names, rows, strict=False):
            np.save(place / name, row)
        for name in extra:  # what lies beside them is not theirs
            (place / name).write_text("nothing")
        return place

    return make


def written(content, name="codes.npy"):
    def make(folder):
        (folder / name).write_bytes(content)
        return folder / name

    return make


def zipped(*names):
    def make(folder):
        with zipfile.ZipFile(folder / "codes.npz", "w") as archive:
            for name in names:
                archive.writestr(name, b"x")
        return folder / "codes.npz"

    return make


def cut(make, keep):
    def shortened(folder):
        path = make(folder)
        path.write_bytes(path.read_bytes()[:keep])
        return path

    return shortened


T = torch.from_numpy(W)
_NUMBERED = [f"{i}.npy" for i in (10, 2, 1, 12, 11, 3, 4, 5, 6, 7, 8, 9)]
_ORDER = np.argsort([10, 2, 1, 12, 11, 3, 4, 5, 6, 7, 8, 9])
_HALF = W.astype(np.float16)

# truth: the codes, and what the reader is told
TAKEN = (
    Case(".npy, (n, layers, dim)", saved(W), (W, {}), "codes"),
    Case(".npy, (n, dim)", saved(W[:, 0]), (W[:, :1], {}), "codes of one layer"),
    Case(".npy, (n, 1, dim)", saved(W[:, :1]), (W[:, :1], {}), "codes of one layer"),
    Case(".npy, (n, 1, layers, dim)", saved(W[:, None]), (W, {}), "codes"),
    Case(".npy, (n, layers · dim), with --layers", saved(W.reshape(N, -1)),
         (W, {"layers": LAYERS}), "codes of so many layers"),
    Case("float16", saved(_HALF), (_HALF.astype(np.float32), {}), "codes in float32"),
    Case("float64", saved(W.astype(np.float64)), (W, {}), "codes in float32"),
    Case("big-endian, Fortran's order", saved(np.asfortranarray(W.astype(">f4"))), (W, {}),
         "codes"),
    Case(".npz with one array", archived(w=W), (W, {}), "codes"),
    Case(".npz with several, with --key", archived(w=W, y=np.zeros(3)), (W, {"key": "w"}),
         "that array"),
    Case(".pt with a tensor", torched(T), (W, {}), "codes"),
    Case(".pt with a list of tensors", torched([row[None] for row in T]), (W, {}),
         "one code an entry"),
    Case(".pt with a list of batches, the last one shorter", torched(list(T.split(5))), (W, {}),
         "codes"),
    Case(".pt with a dictionary, with --key", torched({"latents": T, "n": 3}),
         (W, {"key": "latents"}),
         "that tensor"),
    Case(".pt in bfloat16", torched(T.bfloat16()), (T.bfloat16().float().numpy(), {}),
         "codes in float32"),
    Case(".safetensors with one tensor", safe(w=W), (W, {}), "codes"),
    Case(".safetensors with several, with --key", safe(w=W, v=W[:2]), (W, {"key": "w"}),
         "that tensor"),
    Case("a folder of .npy, one code a file", folder_of(_NUMBERED), (W[_ORDER], {}),
         "codes in natural order: 1, 2, 10"),
)

REFUSED = (
    Case("whole numbers", saved(np.ones((9, 4), int)), refused="codes must be floats of shape"),
    Case("one axis or five", saved(W[:, 0, 0]), refused="codes must be floats of shape"),
    Case("NaN, infinity, or more than float32 holds",
         saved(np.where(np.arange(N)[:, None] == 7, 1e300, W[:, 0].astype(float))),
         refused="codes must be finite in float32, 1 are not, the first in row 7"),
    Case("a length that does not fall into --layers", (saved(W.reshape(N, -1)), {"layers": 5}),
         refused="must fall into layers = 5 equal parts"),
    Case(".npz with several arrays", archived(w=W, v=W), refused="name one with --key"),
    Case("a --key that is not there", (archived(w=W), {"key": "z"}),
         refused="has no array 'z'; it holds 'w'"),
    Case(".npy of objects", saved(np.array([{"a": 1}], dtype=object)),
         refused="holds Python objects, which are never opened here. If you made it or trust who "
                 "did, convert it: python -c"),
    Case(".pt of objects", torched({"w": Case("a", 1)}), refused="which are never opened here"),
    Case(".pt with tensors of different shapes", torched([T[0], T[0, :2, :2]]),
         refused="holds tensors of different shapes"),
    Case("a pickle", written(pickle.dumps(W), "codes.pkl"), refused="np.stack(list(pickle.load("),
    Case("HDF5, MATLAB, Parquet, gzip", written(b"\x89HDF\r\n\x1a\n" + bytes(99)),
         refused="is a file of HDF5, which is not read here. Convert it: python -c"),
    Case("numbers as text", written(b"0.1,0.2\n0.3,0.4\n", "codes.csv"),
         refused="is text. If it is a table of numbers, convert it: python -c"),
    Case("a web page", written(b"<!doctype html><html>"), refused="is a web page"),
    Case("a Git LFS pointer", written(b"version https://git-lfs.github.com/spec/v1\n"),
         refused="fetch the file with git lfs pull"),
    Case("a ZIP of something else", zipped("a.txt"), refused="is a ZIP archive without arrays"),
    Case("a file that is cut off", cut(saved(W), 300), refused="is cut off or damaged"),
    Case("an empty file", written(b""), refused="is empty"),
    Case("a file that is not there", lambda folder: folder / "none.npy",
         refused="must be a file that can be read"),
    Case("a folder without .npy", folder_of([]), refused="holds none"),
    Case("a folder whose codes differ in shape", folder_of(["1.npy", "2.npy"], [W[0], W[0, :2]]),
         refused="codes must have one shape, '1.npy' has (3, 4) and '2.npy' has (2, 4)"),
)
