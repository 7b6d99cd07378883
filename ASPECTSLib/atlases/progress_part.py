"""Progress of a part of longer work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ASPECTSLib.progress import Progress


class PartOfProgress(Progress):
    """Report the fractions of a part as fractions of the whole.

    Parameters
    ----------
    whole
        Told of all stages, and asked for cancellation.
    first, last
        Fractions of the whole at which the part begins and ends.
    """

    def __init__(self, whole: Progress, first: float, last: float) -> None:
        super().__init__(
            lambda stage, fraction: whole.stage(stage, first + (last - first) * fraction),
            whole.is_cancelled,
        )
        self._whole = whole

    @contextmanager
    def native(self) -> Iterator[None]:
        """Mark compiled code in the whole, whose signal handler looks there."""
        with self._whole.native():
            yield
