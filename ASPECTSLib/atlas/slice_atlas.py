"""Atlases of two slices for each age group: average head CT and the ten regions of each side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ASPECTSLib.atlas.age_groups import AgeGroup
from ASPECTSLib.atlas.atlas import CARD_FILE, check_files, read_card, sha256_of
from ASPECTSLib.atlas.label_order import check_label_order, check_label_values
from ASPECTSLib.atlas.regions import REGIONS, Level
from ASPECTSLib.errors import ErrorCode, GeometryRefusedError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import read_image, write_image

SLICES_KIND = "slices"
"""What the card of such an atlas says that it is."""

_SCHEMA_VERSION = 1


@dataclass(frozen=True, eq=False)
class AtlasSlice:
    """One level of one age group.

    Parameters
    ----------
    image
        float32 HU, 0 outside the brain; one slice, its axes running right, anterior and superior, x = 0 the midline.
    labels
        uint8 labels 0 to 20 on the same grid.

    Raises
    ------
    GeometryRefusedError
        GEOMETRY_INVALID if the two are not one slice on one grid.
    """

    image: Volume
    labels: Volume

    def __post_init__(self) -> None:
        shapes = self.image.array.shape, self.labels.array.shape
        if shapes[0] != shapes[1] or shapes[0][0] != 1:
            message = f"expected image and labels of one slice, got {shapes[0]} and {shapes[1]}"
            raise GeometryRefusedError(ErrorCode.GEOMETRY_INVALID, message)


@dataclass(frozen=True, eq=False)
class SliceAtlas:
    """Two slices for each of some age groups.

    Parameters
    ----------
    slices
        By group and level.
    name, version
        Of the atlas, for results.
    sha256
        Of its files; empty before it is written.
    source
        Where it comes from, in words or as a DOI.
    """

    slices: Mapping[AgeGroup, Mapping[Level, AtlasSlice]]
    name: str
    version: str
    sha256: Mapping[str, str]
    source: str

    @property
    def groups(self) -> tuple[AgeGroup, ...]:
        """The age groups that it has, the youngest first."""
        return tuple(group for group in AgeGroup if group in self.slices)

    def of_group(self, group: AgeGroup) -> SliceAtlas:
        """Return the part of an age group, with the files that belong to it."""
        files = {name(group, level) for name in (image_file, labels_file) for level in Level}
        sha256 = {name: value for name, value in self.sha256.items() if name in files}
        return replace(self, slices={group: self.slices[group]}, sha256=sha256)


def levels_labels(level: Level) -> tuple[int, ...]:
    """Return the labels of the regions that lie at a level, both sides."""
    return tuple(region.label for region in REGIONS if region.level is level)


def image_file(group: AgeGroup, level: Level) -> str:
    """Return the name of an image in the folder of a slice atlas."""
    return f"{level.value}_image_{group.in_file_names}.nii.gz"


def labels_file(group: AgeGroup, level: Level) -> str:
    """Return the name of a label map in the folder of a slice atlas."""
    return f"{level.value}_labels_{group.in_file_names}.nii.gz"


def write_slice_atlas(atlas: SliceAtlas, folder: Path) -> None:
    """Write a slice atlas with its card into an empty folder.

    Parameters
    ----------
    atlas
        What to write; its own `sha256` is not looked at.
    folder
        Must exist.
    """
    names = []
    for group, levels in atlas.slices.items():
        for level, part in levels.items():
            hounsfield = np.rint(part.image.array).astype(np.int16)
            write_image(part.image.with_array(hounsfield), folder / image_file(group, level))
            write_image(part.labels, folder / labels_file(group, level))
            names += [image_file(group, level), labels_file(group, level)]
    card = {
        "schema_version": _SCHEMA_VERSION,
        "kind": SLICES_KIND,
        "name": atlas.name,
        "version": atlas.version,
        "source": atlas.source,
        "groups": [group.value for group in atlas.groups],
        "labels": "right 1 to 10, left 11 to 20, in the order C, L, IC, I, M1 to M6",
        "sha256": {name: sha256_of(folder / name) for name in sorted(names)},
    }
    text = json.dumps(card, indent=1) + "\n"
    (folder / CARD_FILE).write_text(text, encoding="utf-8", newline="\n")


def load_slice_atlas(folder: Path) -> SliceAtlas:
    """Load a slice atlas and check it against its card.

    Raises
    ------
    ResourceError
        RESOURCE_DAMAGED if a file is missing or is not the one of the card.
    ContentRefusedError
        LABELS_INVALID or LABEL_ORDER if a label map is none.
    """
    card = read_card(folder, {"name", "version", "sha256", "groups", "source"})
    check_files(folder, card)
    groups = [group for group in AgeGroup if group.value in card["groups"]]
    slices = {group: {level: _read(folder, group, level) for level in Level} for group in groups}
    return SliceAtlas(slices, card["name"], card["version"], card["sha256"], card["source"])


def _read(folder: Path, group: AgeGroup, level: Level) -> AtlasSlice:
    image = read_image(folder / image_file(group, level))
    labels = read_image(folder / labels_file(group, level))
    check_label_values(labels.array)
    check_label_order(labels)
    return AtlasSlice(
        image.with_array(image.array.astype(np.float32)),
        labels.with_array(labels.array.astype(np.uint8)),
    )
