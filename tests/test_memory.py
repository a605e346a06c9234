"""Truth that lwedit.memory must meet: freed memory stays with the process."""

import platform
import subprocess
import sys

import pytest

from lwedit.memory import keep_freed_memory

MEASURE = """
import resource, sys
from lwedit.memory import keep_freed_memory

def resident():  # MB
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * resource.getpagesize() / 2**20

if sys.argv[1] == "keep":
    assert keep_freed_memory()
before = resident()
block = bytearray(b"x") * (100 * 2**20)
assert resident() - before > 90
del block
sys.stdout.write(str(resident() - before))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_a_freed_block_stays_resident_only_on_request():
    left = {}
    for wish in ("keep", "default"):
        run = [sys.executable, "-c", MEASURE, wish]
        left[wish] = float(subprocess.run(run, check=True, capture_output=True).stdout)
    assert left["default"] < 10
    assert left["keep"] > 90


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False


def test_a_missing_libc_is_reported(monkeypatch):
    def missing(name):
        raise OSError(name)

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("ctypes.CDLL", missing)
    assert keep_freed_memory() is False
