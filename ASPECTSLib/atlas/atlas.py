"""The atlas as it ships: tissue probabilities and regions in a symmetric MNI152 space."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ASPECTSLib.atlas.tissues import INTRACRANIAL, Tissue
from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import from_sitk, read_image

ATLAS_FOLDER = Path(__file__).resolve().parents[2] / "Resources" / "Atlas"
TISSUES_FILE = "tissues.nii.gz"
REGIONS_FILE = "regions.nii.gz"
CARD_FILE = "card.json"

_FULL_PROBABILITY = 255.0  # probabilities are stored in 8 bits


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
    """

    tissues: NDArray[np.uint8]
    affine: NDArray[np.float64]
    regions: Volume
    name: str
    version: str
    sha256: Mapping[str, str]

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


def load_atlas(folder: Path = ATLAS_FOLDER) -> Atlas:
    """Load an atlas and check it against its card.

    Parameters
    ----------
    folder
        Holds the tissue maps, the region map and the card with their SHA-256.

    Raises
    ------
    ResourceError
        RESOURCE_DAMAGED if a file is missing or is not the one of the card.
    """
    card = _read_card(folder / CARD_FILE)
    for name, expected in card["sha256"].items():
        _check_hash(folder / name, expected)
    image = sitk.ReadImage(str(folder / TISSUES_FILE))
    grid = from_sitk(image[:, :, :, 0])
    regions = read_image(folder / REGIONS_FILE)
    return Atlas(
        tissues=sitk.GetArrayFromImage(image),
        affine=grid.affine,
        regions=regions,
        name=card["name"],
        version=card["version"],
        sha256=card["sha256"],
    )


def _read_card(path: Path) -> dict[str, Any]:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise _damaged(path) from error
    if not isinstance(card, dict) or not {"name", "version", "sha256"} <= card.keys():
        raise _damaged(path)
    if not {TISSUES_FILE, REGIONS_FILE} <= card["sha256"].keys():
        raise _damaged(path)
    return card


def _damaged(path: Path) -> ResourceError:
    message = f"the atlas file {path.name} is missing or damaged; reinstall the extension"
    return ResourceError(ErrorCode.RESOURCE_DAMAGED, message)


def _check_hash(path: Path, expected: str) -> None:
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != expected:
        raise _damaged(path)
