"""Atlases of average head CT: a template, its brain and its regions, for all ages or for age groups."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ASPECTSLib.atlas.age_groups import AgeGroup
from ASPECTSLib.atlas.atlas import (
    CARD_FILE,
    REGIONS_FILE,
    age_file,
    check_files,
    read_card,
    sha256_of,
)
from ASPECTSLib.atlas.label_order import check_label_order, check_label_values
from ASPECTSLib.atlas.tissues import NCCT_CONTRAST_HU, Tissue
from ASPECTSLib.errors import ContentRefusedError, ErrorCode
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import read_image, write_image

TEMPLATE_KIND = "template"
"""What the card of such an atlas says that it is."""

TEMPLATE_FILE = "template.nii.gz"
BRAIN_FILE = "brain.nii.gz"
ALL_AGES = "all"
"""Name of the group on the card where an atlas is for all ages."""

_SCHEMA_VERSION = 1
_FULL_PROBABILITY = 255.0  # probabilities are stored in 8 bits


@dataclass(frozen=True, eq=False)
class TemplateAtlas:
    """An average of head CT with regions, in MNI152 space.

    It offers what the registration of head CT asks of an `Atlas`, and no tissue maps: no other modality can be
    rendered from it.

    Parameters
    ----------
    template
        float32 HU in the brain window, 0 outside the brain.
    brain
        float32 probability of lying inside the skull, on the same grid.
    regions
        uint8 labels 0 to 20 on a grid of its own.
    name, version, sha256
        Identify the atlas, and its files by name, in results.
    age_groups
        Those that the atlas's folder has a template for.
    """

    template: Volume
    brain: Volume
    regions: Volume
    name: str
    version: str
    sha256: Mapping[str, str]
    age_groups: tuple[AgeGroup, ...] = ()

    def brain_probability(self) -> Volume:
        """Return the probability of lying inside the skull, CSF included."""
        return self.brain

    def render(self, contrast: Mapping[Tissue, float], *, brain_only: bool = True) -> Volume:
        """Return the template.

        Parameters
        ----------
        contrast
            That of non-contrast CT.
        brain_only
            True: there is nothing else.

        Raises
        ------
        ContentRefusedError
            METHOD_UNAVAILABLE for another contrast, or for what lies outside of the brain.
        """
        if dict(contrast) != dict(NCCT_CONTRAST_HU) or not brain_only:
            message = f"expected non-contrast CT of the brain, which is all that {self.name} shows"
            raise ContentRefusedError(ErrorCode.METHOD_UNAVAILABLE, message)
        return self.template


def write_template_atlas(
    atlases: Mapping[AgeGroup | None, TemplateAtlas], folder: Path, facts: Mapping[str, Any]
) -> None:
    """Write templates with their card into a folder.

    Parameters
    ----------
    atlases
        By age group; None is for all ages. Of one name and version.
    folder
        Must exist.
    facts
        What else the card says.
    """
    groups = {}
    for group, atlas in atlases.items():
        probability = np.rint(atlas.brain.array * _FULL_PROBABILITY).astype(np.uint8)
        parts = {
            TEMPLATE_FILE: atlas.template.with_array(atlas.template.array.astype(np.float32)),
            BRAIN_FILE: atlas.brain.with_array(probability),
            REGIONS_FILE: atlas.regions,
        }
        names = [age_file(name, group) for name in parts]
        for name, volume in zip(names, parts.values(), strict=True):
            write_image(volume, folder / name)
        groups[group.value if group else ALL_AGES] = {
            "sha256": {name: sha256_of(folder / name) for name in names}
        }
    first = next(iter(atlases.values()))
    card = {
        "schema_version": _SCHEMA_VERSION,
        "kind": TEMPLATE_KIND,
        "name": first.name,
        "version": first.version,
        **facts,
        "groups": groups,
    }
    text = json.dumps(card, indent=1) + "\n"
    (folder / CARD_FILE).write_text(text, encoding="utf-8", newline="\n")


def load_template_atlas(folder: Path, group: AgeGroup | None = None) -> TemplateAtlas:
    """Load a template and check it against its card.

    Parameters
    ----------
    folder
        As `write_template_atlas` fills it.
    group
        Which age group; without one, the template of all ages, or the only one that there is.

    Raises
    ------
    ResourceError
        RESOURCE_DAMAGED if a file is missing or is not the one of the card.
    ContentRefusedError
        METHOD_UNAVAILABLE if there is no such group; LABELS_INVALID or LABEL_ORDER if the regions are none.
    """
    card = read_card(folder, {"name", "version", "groups"})
    name = group.value if group else ALL_AGES
    if group is None and name not in card["groups"] and len(card["groups"]) == 1:
        name = next(iter(card["groups"]))
    if name not in card["groups"]:
        message = f"expected a template of the ages {name}, got {', '.join(card['groups'])}"
        raise ContentRefusedError(ErrorCode.METHOD_UNAVAILABLE, message)
    chosen = None if name == ALL_AGES else AgeGroup(name)
    check_files(folder, card["groups"][name])
    template, brain, regions = (
        read_image(folder / age_file(part, chosen))
        for part in (TEMPLATE_FILE, BRAIN_FILE, REGIONS_FILE)
    )
    check_label_values(regions.array)
    check_label_order(regions)
    return TemplateAtlas(
        template=template.with_array(template.array.astype(np.float32)),
        brain=brain.with_array(brain.array.astype(np.float32) / np.float32(_FULL_PROBABILITY)),
        regions=regions.with_array(regions.array.astype(np.uint8)),
        name=card["name"] if chosen is None else f"{card['name']}-{chosen.value}",
        version=card["version"],
        sha256=card["groups"][name]["sha256"],
        age_groups=tuple(one for one in AgeGroup if one.value in card["groups"]),
    )
