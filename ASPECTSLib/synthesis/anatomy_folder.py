"""A folder of label maps as anatomies that are prepared when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import overload

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.progress import Progress
from ASPECTSLib.synthesis.anatomy import Anatomy, anatomy_files, load_anatomy


class AnatomyFolder(Sequence[Anatomy]):
    """All label maps of a folder, in the order of their names; each is prepared once, when it is first asked for.

    A cohort of four patients needs four heads at most, and a head takes twenty seconds.

    Parameters
    ----------
    folder
        Whole-head label maps, see `ASPECTSLib.synthesis.anatomy.load_anatomy`.
    atlas
        Gives the space of the regions' rule.
    cache
        Folder for prepared anatomies; they are kept in memory only when left out.
    progress
        Asked before each head whether to go on.

    Raises
    ------
    FileRefusedError
        If there is no such folder, or no image in it.
    """

    def __init__(
        self,
        folder: Path,
        atlas: Atlas,
        cache: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._paths = anatomy_files(folder)
        self._atlas, self._cache, self._progress = atlas, cache, progress or Progress()
        self._prepared: dict[int, Anatomy] = {}

    def __len__(self) -> int:
        """Return the number of label maps."""
        return len(self._paths)

    @overload
    def __getitem__(self, index: int) -> Anatomy: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Anatomy]: ...

    def __getitem__(self, index: int | slice) -> Anatomy | Sequence[Anatomy]:
        """Return an anatomy, or several, preparing what was not asked for before."""
        numbers = range(len(self))[index]
        if isinstance(numbers, range):
            return tuple(self[number] for number in numbers)
        if numbers not in self._prepared:
            self._progress.check()
            path = self._paths[numbers]
            self._prepared[numbers] = load_anatomy(path, self._atlas, self._cache)
        return self._prepared[numbers]
