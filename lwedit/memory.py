"""Keep freed memory inside the process, for long training on a CPU.

glibc hands blocks over 128 kB back to the kernel when they are freed, so every feature map of
every step is paid for in page faults: about a fifth of the time of a small StyleGAN2.
"""

import ctypes
import sys

__all__ = ["keep_freed_memory"]

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # malloc.h


def keep_freed_memory() -> bool:
    """Ask the allocator to reuse freed blocks; memory then stays at its peak.

    Returns:
        Whether the allocator took the request (glibc only).
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    wishes = {_TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 * 2**20, _MMAP_MAX: 0}
    return all(mallopt(option, value) == 1 for option, value in wishes.items())
