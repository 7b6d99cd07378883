"""Memory between cases."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress


def give_back_memory() -> None:
    """Give memory that is free back to the system.

    The allocator of Linux keeps what arrays of changing sizes leave, some 30 MB a case, until it is asked.
    """
    gc.collect()
    with suppress(OSError, AttributeError, TypeError):  # another system, or another allocator
        ctypes.CDLL(None).malloc_trim(0)
