"""Files by `torch.save` and by `pickle.dump` of networks, read as data.

Three containers are known, told apart by their first bytes:

    zip        since PyTorch 1.6: data.pkl beside one record a storage, none of them compressed
    legacy     before: five pickles (a number, a version, facts of the machine, the object, the
               keys of its storages), then the storages
    bare       a pickle alone, as NVIDIA publishes; a storage in it is a legacy file in bytes

The file is mapped, not read: what is asked for of it (`lwedit.generators.storages.as_tensor`) is
all that is touched, not the discriminator or the moments of an optimiser that lie beside.
"""

import io
import mmap
import re
import struct
import zipfile
from pathlib import Path
from typing import IO, Any, cast

from lwedit.generators.pickles import NotData, read_pickle
from lwedit.generators.stand_ins import lookup_table
from lwedit.generators.storages import MAGIC, Storage, legacy, storage_identity

__all__ = ["read_torch_file"]

_ZIP = b"PK\x03\x04"


def read_torch_file(path: Path) -> Any:  # noqa: ANN401  (whatever the file holds)
    """What a file holds: containers, scalars, `Saved` objects, and tensors for `as_tensor`.

    Args:
        path: In one of the three containers.

    Raises:
        ValueError: In one line, if the file is missing, a web page, damaged, or asks for something
            other than data.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if head else None
    except OSError as error:
        raise ValueError(f"{path} must be a checkpoint: {error.strerror}.") from error
    if fault := _fault(head):
        raise ValueError(f"{path} must be a checkpoint, and {fault}.")
    assert mapped is not None
    try:
        return _zipped(mapped) if head.startswith(_ZIP) else _pickled(mapped)
    except NotData as error:
        raise ValueError(
            f"{path} must hold tensors, numbers and text only: it {error}. Nothing in it was run."
        ) from error
    except Exception as error:  # a damaged file raises whatever it likes
        raise ValueError(
            f"{path} must be a whole checkpoint, it is truncated or damaged: download it again."
        ) from error


def _pickled(mapped: mmap.mmap) -> Any:  # noqa: ANN401
    first = read_pickle(mapped, lookup_table())
    if type(first) is int and first == MAGIC:
        mapped.seek(0)
        return legacy(mapped, memoryview(mapped), lookup_table())
    return first


def _zipped(mapped: mmap.mmap) -> Any:  # noqa: ANN401
    with zipfile.ZipFile(cast(IO[bytes], mapped)) as archive:
        records = {record.filename: record for record in archive.infolist()}
    main = [name for name in records if re.fullmatch(r"[^/]*/data\.pkl", name)]
    if len(main) != 1:
        raise NotData("is an archive of other files, unpack it first")
    root = main[0].removesuffix("data.pkl")
    if f"{root}constants.pkl" in records:
        raise NotData("is a TorchScript program")
    order = records.get(f"{root}byteorder")
    if order and bytes(_record(mapped, order)) != b"little":
        raise NotData("has big-endian numbers")
    storages: dict[str, Storage] = {}

    def persistent(identity: Any) -> Storage:  # noqa: ANN401
        key, dtype = storage_identity(identity)
        if key not in storages:
            storages[key] = Storage(dtype, _record(mapped, records[f"{root}data/{key}"]))
        return storages[key]

    return read_pickle(io.BytesIO(_record(mapped, records[main[0]])), lookup_table(), persistent)


def _record(mapped: mmap.mmap, record: zipfile.ZipInfo) -> memoryview:
    """A part of an archive, where it lies in the file."""
    if record.compress_type != zipfile.ZIP_STORED or record.flag_bits & 1:
        raise NotData("is an archive that was compressed again")
    name, extra = struct.unpack_from("<HH", mapped, record.header_offset + 26)
    start = record.header_offset + 30 + name + extra
    if start + record.file_size > len(mapped):
        raise ValueError("a record ends after the file")
    return memoryview(mapped)[start : start + record.file_size]


def _fault(head: bytes) -> str:
    """What the first bytes say is wrong, if they do."""
    text = head.lstrip().lower()
    if not head:
        return "it is empty"
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return (
            "it is a web page: the download was refused or asked for a confirmation. Download it "
            "in a browser"
        )
    if head.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer, not the file: fetch it with git lfs pull"
    if not head.startswith((_ZIP, b"\x80", f"L{MAGIC}L".encode())):
        return "its first bytes are not those of a file by torch.save or pickle.dump"
    return ""
