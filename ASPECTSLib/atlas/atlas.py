"""The atlas as it ships: tissue probabilities and regions in a symmetric MNI152 space."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ASPECTSLib.atlas.age_groups import AgeGroup
from ASPECTSLib.atlas.tissues import INTRACRANIAL, Tissue
from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import from_sitk, read_image

ATLAS_FOLDER = Path(__file__).resolve().parents[2] / "Resources" / "Atlas"
TISSUES_FILE = "tissues.nii.gz"
REGIONS_FILE = "regions.nii.gz"
CARD_FILE = "card.json"

_FULL_PROBABILITY = 255.0  # probabilities are stored in 8 bits


class NamedAtlas(Protocol):
    """What every atlas tells of itself in results."""

    name: str
    version: str
    sha256: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Atlas:
    """Tissue probabilities and region labels in MNI152 space, mirror-symmetric about x = 0.

    Parameters
    ----------
    tissues
        uint8, shape (tissues, k, j, i), probability times 255, in the order of `Tissue`.
    affine
        4x4 matrix from (i, j, k) of `tissues` to MNI152 RAS mm.
    regions
        Label map on a grid of its own, 0 to 20 as in `ASPECTSLib.atlas.regions`.
    name, version, sha256
        Identify the atlas, and its files by name, in results.
    age_groups
        Those that the atlas's folder has a variant for.
    """

    tissues: NDArray[np.uint8]
    affine: NDArray[np.float64]
    regions: Volume
    name: str
    version: str
    sha256: Mapping[str, str]
    age_groups: tuple[AgeGroup, ...] = ()

    def probability(self, *tissues: Tissue) -> Volume:
        """Return the summed probability of some tissues, 0 to 1, float32."""
        total = self.tissues[list(tissues)].sum(axis=0, dtype=np.float32)
        return Volume(total / np.float32(_FULL_PROBABILITY), self.affine)

    def brain_probability(self) -> Volume:
        """Return the probability of lying inside the skull, CSF included."""
        return self.probability(*sorted(INTRACRANIAL))

    def render(self, contrast: Mapping[Tissue, float], *, brain_only: bool = True) -> Volume:
        """Render a template in the contrast of a modality.

        Parameters
        ----------
        contrast
            Intensity of each tissue.
        brain_only
            Whether everything outside the skull's inside is 0.

        Returns
        -------
        Volume
            float32 mean intensity of each voxel, on the grid of the tissue maps.
        """
        shown = INTRACRANIAL if brain_only else frozenset(Tissue)
        weights = np.array([contrast[t] if t in shown else 0.0 for t in Tissue], np.float32)
        mean = np.tensordot(
            weights / np.float32(_FULL_PROBABILITY), self.tissues.astype(np.float32), 1
        )
        return Volume(mean, self.affine)


def load_atlas(folder: Path = ATLAS_FOLDER, group: AgeGroup | None = None) -> Atlas:
    """Load an atlas, or its variant for an age group, and check it against its card.

    Parameters
    ----------
    folder
        Holds the tissue maps, the region map and the card with their SHA-256.
    group
        Which variant; the atlas of all ages when left out.

    Raises
    ------
    ResourceError
        RESOURCE_DAMAGED if a file is missing or is not the one of the card, or there is no such variant.
    """
    card = read_card(folder, {"name", "version", "sha256"})
    variants = card.get("ages", {})
    part, name = card, card["name"]
    if group is not None:
        part, name = variants.get(group.value, {"sha256": {}}), f"{name}-{group.value}"
    files = age_file(TISSUES_FILE, group), age_file(REGIONS_FILE, group)
    if not set(files) <= part["sha256"].keys():
        raise _damaged(folder / CARD_FILE)
    check_files(folder, part)
    image = sitk.ReadImage(str(folder / files[0]))
    grid = from_sitk(image[:, :, :, 0])
    return Atlas(
        tissues=sitk.GetArrayFromImage(image),
        affine=grid.affine,
        regions=read_image(folder / files[1]),
        name=name,
        version=card["version"],
        sha256=part["sha256"],
        age_groups=tuple(one for one in AgeGroup if one.value in variants),
    )


def age_file(name: str, group: AgeGroup | None) -> str:
    """Return the name of an atlas's file for an age group; for none, that of all ages."""
    stem, suffixes = name.split(".", 1)
    return name if group is None else f"{stem}_{group.in_file_names}.{suffixes}"


def read_card(folder: Path, wanted: Set[str]) -> dict[str, Any]:
    """Read the card of an atlas.

    Parameters
    ----------
    folder
        Of the atlas.
    wanted
        What the card must say.

    Raises
    ------
    ResourceError
        RESOURCE_DAMAGED if there is no such card.
    """
    path = folder / CARD_FILE
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise _damaged(path) from error
    if not isinstance(card, dict) or not wanted <= card.keys():
        raise _damaged(path)
    return card


def check_files(folder: Path, card: Mapping[str, Any]) -> None:
    """Check the files of an atlas against the SHA-256 on its card.

    Raises
    ------
    ResourceError
        RESOURCE_DAMAGED if a file is missing or is not the one of the card.
    """
    for name, expected in card["sha256"].items():
        _check_hash(folder / name, expected)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _damaged(path: Path) -> ResourceError:
    message = f"the atlas file {path.name} is missing or damaged; reinstall the extension"
    return ResourceError(ErrorCode.RESOURCE_DAMAGED, message)


def _check_hash(path: Path, expected: str) -> None:
    if not path.is_file() or sha256_of(path) != expected:
        raise _damaged(path)
