"""Truths of lwedit.generators.pickles and torch_files: hostile files run nothing, and end soon."""

import argparse
import collections
import contextlib
import copyreg
import io
import pickle
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from lwedit.generators import pickles
from lwedit.generators.foreign import read_foreign
from lwedit.generators.stand_ins import plain
from lwedit.generators.storages import as_tensor
from lwedit.generators.torch_files import read_torch_file
from tests.generators.published_nvidia import SOURCE, made_pickle, made_state, nvidia_modules


def name(module, function):
    return b"c" + f"{module}\n{function}\n".encode()


def text(value):
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def call(module, function, *arguments):
    """GLOBAL, arguments, TUPLE, REDUCE."""
    return name(module, function) + b"(" + b"".join(arguments) + b"tR"


def packed(content):
    return b"B" + struct.pack("<I", len(content)) + content


def meta(source, kind="class", state=b"}"):
    """What NVIDIA's stub is called with."""
    return (b"}(" + text("type") + text(kind) + text("version") + b"K\x06" + text("module_src")
            + text(source) + text("class_name") + text("Generator") + text("state") + state + b"u")


def stub(*arguments):
    return call("torch_utils.persistence", "_reconstruct_persistent_obj", *arguments)


def tensor(storage, size, stride, offset=b"K\x00"):
    return call("torch._utils", "_rebuild_tensor_v2", storage, offset, size, stride, b"\x89N")


def legacy(held):
    """A file as torch.save wrote it before 1.6."""
    buffer = io.BytesIO()
    torch.save(held, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def storage(content):
    return call("torch.storage", "_load_from_bytes", packed(content))


ONE = legacy(torch.ones(1)._typed_storage())
WEIGHT = b"}" + text("style.1.weight")
NAMED = {  # what Python's own reader runs: each of these makes the file
    "os.system": lambda t: call("os", "system", text(f"touch {t}")),
    "posix.system": lambda t: call("posix", "system", text(f"touch {t}")),
    "STACK_GLOBAL": lambda t: text("os") + text("system") + b"\x93(" + text(f"touch {t}") + b"tR",
    "dotted name": lambda t: b"\x80\x04" + text("pathlib") + text("os.system") + b"\x93("
    + text(f"touch {t}") + b"tR",
    "exec": lambda t: call("builtins", "exec", text(SOURCE.format(t))),
    "eval": lambda t: call("builtins", "eval", text(f"open({t!r}, 'w').close()")),
    "getattr chain": lambda t: call("builtins", "getattr", call(
        "importlib", "import_module", text("os")), text("system")) + b"(" + text(f"touch {t}")
    + b"tR",
    "INST": lambda t: b"(" + text(f"touch {t}") + b"ios\nsystem\n",
    "OBJ": lambda t: b"(" + name("os", "system") + text(f"touch {t}") + b"o",
    "NEWOBJ": lambda t: call("builtins", "list", name("builtins", "map") + name("builtins", "exec")
                             + b"](" + text(SOURCE.format(t)) + b"e\x86\x81"),
    "NEWOBJ_EX": lambda t: call("builtins", "list", name("builtins", "map")
                                + name("builtins", "exec") + b"](" + text(SOURCE.format(t))
                                + b"e\x86}\x92"),
    "nested pickle": lambda t: call("pickle", "loads", packed(call("os", "system", text(
        f"touch {t}")) + b".")),
    "attrgetter": lambda t: call("operator", "methodcaller", text("touch")) + b"("
    + call("pathlib", "Path", text(t)) + b"tR",
    "partial": lambda t: call("functools", "partial", name("os", "system"), text(f"touch {t}"))
    + b")R",
    "timeit": lambda t: call("timeit", "timeit", text("0"), text(SOURCE.format(t))),
    "extension": lambda t: b"\x82\xef(" + text(t) + b"tR",
    "extension of 4 bytes": lambda t: b"\x84\xef\x00\x00\x00(" + text(t) + b"tR",
    "stub": lambda t: stub(meta(SOURCE.format(t))),
    "popped": lambda t: call("os", "system", text(f"touch {t}")) + b"0}",
    "as a key": lambda t: b"}" + call("os", "system", text(f"touch {t}")) + b"K\x01s",
    "memo": lambda t: name("os", "system") + b"q\x070h\x07(" + text(f"touch {t}") + b"tR",
    "reconstructor": lambda t: call("copyreg", "_reconstructor", call("builtins", "exec", text(
        SOURCE.format(t))) + b"0" + name("builtins", "object"), name("builtins", "object"), b"N"),
}
BOMBS = {  # what would take memory or time, or change what is loaded
    "long bytes": b"\x8e" + struct.pack("<Q", 2**62),
    "long text": b"\x8d" + struct.pack("<Q", 2**62),
    "long bytearray": b"\x96" + struct.pack("<Q", 2**62),
    "long integer": b"\x8b" + struct.pack("<i", 2**31 - 1),
    "negative integer": b"\x8b" + struct.pack("<i", -5),
    "long frame": b"\x95" + struct.pack("<Q", 2**62),
    "many digits": b"I" + b"9" * 10**6 + b"\n",
    "memo": b"}" + b"r\xff\xff\xff\xff" + b"j\xff\xff\xff\xff",
    "missing memo": b"h\x05",
    "key of tuples": b"})" + b"2\x86" * 64 + b"K\x01s",
    "state of lists": stub(meta("", state=b"]" + b"2\x86" * 64)),
    "modules of themselves": stub(meta("", state=b"}q\x01")) + b"q\x020h\x01" + text("_modules")
    + b"}" + text("a") + b"h\x02ss0}" + text("G_ema") + b"h\x02s",
    "deep tuples": b")" + b"\x85" * 20_000,
    "deep lists": b"]" * 20_000 + b"a" * 19_999,
    "many marks": b"(" * 20_000,
    "many steps": b"N0" * 30_000 + b"N",
    "copies": b"](" + b"N" * 20_000 + b"eq\x01" + (name("builtins", "set") + b"(h\x01tR") * 2000,
    "stride 0": WEIGHT + tensor(storage(ONE), b"\x8a\x05" + (2**38).to_bytes(5, "little") + b"\x85",
                                b"K\x00\x85") + b"s",
    "size beyond the storage": WEIGHT + tensor(storage(ONE), b"K\x09\x85", b"K\x01\x85") + b"s",
    "offset beyond the storage": WEIGHT + tensor(storage(ONE), b"K\x01\x85", b"K\x01\x85",
                                                 b"K\x09") + b"s",
    "negative stride": WEIGHT + tensor(storage(ONE), b"K\x02\x85",
                                       b"J\xff\xff\xff\xff\x85") + b"s",
    "storage of 2^60": WEIGHT + tensor(storage(ONE[:-12] + struct.pack("<q", 2**60) + ONE[-4:]),
                                       b"K\x01\x85", b"K\x01\x85") + b"s",
    "storage of text": WEIGHT + tensor(text("a"), b"K\x01\x85", b"K\x01\x85") + b"s",
    "buffers from outside": b"\x97",
    "read-only buffers": b"\x97\x98",
    "object outside": b"Psomewhere\n",
    "storage outside": b"(" + text("storage") + name("torch", "FloatStorage") + text("0") + text(
        "cpu") + b"K\x05tQ",
    "array of objects": WEIGHT + call(
        "numpy.core.multiarray", "_reconstruct", name("numpy", "ndarray"), b"K\x00\x85", b"Nq\x00")
    + b"(K\x01K\x01\x85" + call("numpy", "dtype", text("O8"), b"\x89\x88") + b"\x89]tbs",
    "codec": call("_codecs", "encode", text("00" * 99), text("hex")),
    "state of a function": name("torch._utils", "_rebuild_tensor_v2") + b"N}(" + text(
        "__defaults__") + b"Nu\x86b",
    "attributes of a class": name("collections", "OrderedDict") + b"}(" + text("update")
    + name("builtins", "dict") + b"ub",
    "state twice": call("argparse", "Namespace") + b"}b}b",
    "call of text": text("os.system") + b")R",
    "call without a tuple": name("torch", "Size") + b"]R",
    "call of a type": name("torch", "FloatStorage") + b"K\x09\x85R",
    "append to text": text("a") + b"K\x01a",
    "entries of a list": b"]K\x01K\x01s",
    "odd entries": b"}(K\x01K\x01K\x01u",
    "name of numbers": b"K\x01K\x01\x93",
    "name of two lines": name("os", "sys\x1b]0;tem"),
    "persistent function": stub(meta("", kind="function")),
    "persistent list": stub(b"]"),
    "dill": call("dill._dill", "_create_type"),
    "unknown instruction": b"\xff",
    "nothing": b"",
}


def containers(content):
    """A hostile pickle as a bare file, in an archive, as a legacy file, and as a storage."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + content + b".")
        archive.writestr("archive/version", b"3")
    head, whole = legacy(0).partition(b"\x80\x02K\x00.")[0], b"\x80\x02" + content + b"."
    inner = WEIGHT + tensor(storage(head + whole), b"K\x01\x85", b"K\x01\x85") + b"s"
    return {"bare": whole, "archive": buffer.getvalue(), "legacy": head + whole,
            "storage": b"\x80\x02" + inner + b"."}


def refused(place, content):
    place.write_bytes(content)
    with pytest.raises(ValueError, match="must") as error:
        read_foreign(place)
    assert str(error.value).isprintable()
    return str(error.value)


@pytest.fixture(params=NAMED)
def named(request):
    """A hostile pickle, given the file that it makes."""
    copyreg.add_extension("os", "mkdir", 0xEF)
    yield NAMED[request.param]
    copyreg.remove_extension("os", "mkdir", 0xEF)


def test_what_is_named_is_not_run_and_would_be(tmp_path, named):
    target = tmp_path / "ran"
    for container, file in containers(named(str(target))).items():
        refused(tmp_path / "file.pt", file)
        assert not target.exists(), container
    with nvidia_modules(), contextlib.suppress(Exception):
        pickle.loads(b"\x80\x02" + named(str(target)) + b".")
    assert target.exists()


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_time_and_memory_are_those_of_the_file(tmp_path, monkeypatch, unchecked, content):
    monkeypatch.setattr(pickles, "_MOST_STEPS", 50_000)
    tracemalloc.start()
    start = time.process_time()
    refused(tmp_path / "file.pkl", b"\x80\x02" + content + b".")
    assert time.process_time() - start < 10
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * 2**20


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.999])
def test_a_truncated_file_says_so(tmp_path, share):
    content = made_pickle(made_state())
    message = refused(tmp_path / "file.pkl", content[: int(share * len(content))])
    assert message.endswith("it is truncated or damaged: download it again.")


def test_an_archive_that_is_compressed_or_holds_a_program_is_named(tmp_path):
    for parts, method, message in (
        (["data.pkl"], zipfile.ZIP_DEFLATED, "is an archive that was compressed again"),
        (["data.pkl", "constants.pkl"], zipfile.ZIP_STORED, "it is a TorchScript program"),
        (["data.npy"], zipfile.ZIP_STORED, "it is an archive of other files"),
    ):
        with zipfile.ZipFile(tmp_path / "file.pt", "w", method) as archive:
            for part in parts:
                archive.writestr(f"archive/{part}", pickle.dumps({"g_ema": {}}) * 20)
        assert message in refused(tmp_path / "file.pt", (tmp_path / "file.pt").read_bytes())


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("zipped", [True, False])
def test_what_is_data_is_read_as_it_was_saved(tmp_path, protocol, zipped):
    held = {
        "w": torch.arange(12.0).reshape(3, 4).t(), "h": torch.ones(3).half(),
        "p": torch.nn.Parameter(torch.ones(2)), "e": torch.empty(0, 3),
        "c": torch.rand(2, 3, 4, 4).contiguous(memory_format=torch.channels_last),
        "x": torch.ones(1).expand(5),
        "n": np.arange(6.0).reshape(2, 3), "f": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "o": torch.nn.Linear(2, 2).state_dict(), "s": np.float64(3.5), "b": np.bool_(True),
        "a": argparse.Namespace(path=Path("/a/b"), sizes=torch.Size([1, 2]), names={"x"}),
        "d": collections.defaultdict(dict, {"a": 1}), "v": torch.device("cuda:0"),
    }
    place = tmp_path / "file.pt"
    torch.save(held, place, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    read = read_torch_file(place)
    for key in "whpcexnf":
        assert torch.equal(as_tensor(read[key]), torch.as_tensor(held[key]).detach())
    assert torch.equal(as_tensor(read["o"]["weight"]), held["o"]["weight"])
    assert (read["s"], read["b"], read["d"]) == (3.5, True, {"a": 1})
    options = plain(read["a"])
    assert (plain(options["path"]), options["sizes"], options["names"]) == ("/a/b", (1, 2), ["x"])
