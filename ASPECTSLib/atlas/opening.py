"""Opening an atlas of any kind by its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ASPECTSLib.atlas.age_groups import AgeGroup
from ASPECTSLib.atlas.atlas import CARD_FILE, Atlas, load_atlas, read_card
from ASPECTSLib.atlas.slice_atlas import SLICES_KIND, SliceAtlas, load_slice_atlas
from ASPECTSLib.atlas.template_atlas import TEMPLATE_KIND, TemplateAtlas, load_template_atlas
from ASPECTSLib.errors import ErrorCode, FileRefusedError

HeadAtlas = Atlas | TemplateAtlas
"""Atlases that are registered to a head as a whole."""


def open_atlas(folder: Path, group: AgeGroup | None = None) -> HeadAtlas | SliceAtlas:
    """Open an atlas that ships, was built, or was imported.

    Parameters
    ----------
    folder
        As `aspects atlas build` or `aspects atlas import` writes it.
    group
        Which age group of an atlas of heads; one of slices is opened with all.

    Raises
    ------
    FileRefusedError
        FILE_NOT_FOUND if there is no atlas in the folder.
    ResourceError
        RESOURCE_DAMAGED if a file is missing or is not the one of the card.
    ContentRefusedError
        METHOD_UNAVAILABLE if there is no such group; LABELS_INVALID or LABEL_ORDER if regions are none.
    """
    kind = _card(folder).get("kind")
    if kind == SLICES_KIND:
        return load_slice_atlas(folder)
    if kind == TEMPLATE_KIND:
        return load_template_atlas(folder, group)
    return load_atlas(folder, group)


def groups_of(folder: Path) -> tuple[AgeGroup, ...]:
    """Return the age groups that an atlas has variants for, the youngest first; none for one of all ages only.

    Raises
    ------
    FileRefusedError
        FILE_NOT_FOUND if there is no atlas in the folder.
    """
    card = _card(folder)
    named = {*card.get("ages", ()), *card.get("groups", ())}
    return tuple(group for group in AgeGroup if group.value in named)


def _card(folder: Path) -> dict[str, Any]:
    if not (folder / CARD_FILE).is_file():
        message = (
            f"expected a folder of `aspects atlas build` or `aspects atlas import`, but {folder.name} holds no "
            f"{CARD_FILE}; published files are brought in by `aspects atlas import`"
        )
        raise FileRefusedError(ErrorCode.FILE_NOT_FOUND, message)
    return read_card(folder, {"name", "version"})
