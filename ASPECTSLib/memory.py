"""Memory that is freed and asked for again at once, many times a second, as in synthesis and training."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # glibc's names for the two, in malloc.h
_MOST = 2**31 - 1


def keep_freed_memory() -> None:
    """Have this process keep what it frees, for what it asks for next.

    The C library of Linux takes each large array from the system and gives it back when it is freed: the pages of the
    next one come anew, and are filled with zeros first. Where arrays live for milliseconds that is a good part of the
    time. Does nothing where there is another C library.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, _MOST)
