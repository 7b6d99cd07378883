"""The truth of a patient as a value, and the folder of a labelled case that `aspects train` reads."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib import __version__
from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.regions import REGIONS, Region
from ASPECTSLib.io.images import write_image
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.report.montage import MontageRow, key_tiles, montage_png
from ASPECTSLib.report.result import WarningInfo
from ASPECTSLib.scoring.aspects import Score, total_score
from ASPECTSLib.scoring.overlap import infarct_fractions
from ASPECTSLib.truth.mapped import MappedScan

SCHEMA_VERSION = 1

IMAGE_FILE = "image.nii.gz"
REGIONS_FILE = "regions.nii.gz"
INFARCT_FILE = "infarct.nii.gz"
BRAIN_FILE = "brain.nii.gz"
ADC_FILE = "adc.nii.gz"
TABLE_FILE = "truth.csv"
TRUTH_FILE = "truth.json"
PICTURE_FILE = "truth.png"

COLUMNS = ("region", "side", "volume_ml", "infarct_fraction", "affected")

_DECIMALS = 4
_VOLUME_DECIMALS = 2
_PICTURE_TITLE = "Truth of a labelled case: check the outline before it is trained on"

Record = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Truth:
    """What is true of a patient, as far as perfusion or a mask tells.

    Parameters
    ----------
    mapped
        The scan and its regions.
    infarct
        bool, on the scan's grid in the image frame.
    source
        Where the infarct comes from, in words.
    affected_fraction
        A region with more than this share infarcted is affected.
    options
        All that was chosen.
    warnings
        What a person should look at.
    flow
        The map of blood flow on the same grid, for the picture; None where there is none beside the scan.
    """

    mapped: MappedScan
    infarct: NDArray[np.bool_]
    source: str
    affected_fraction: float
    options: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[WarningInfo, ...] = ()
    flow: NDArray[np.float32] | None = None

    @property
    def core_ml(self) -> float:
        """Volume of the whole infarct."""
        return float(np.count_nonzero(self.infarct)) * self.mapped.grid.voxel_volume_ml

    @property
    def fractions(self) -> dict[Region, float | None]:
        """Share of each region that is infarcted; None where the scan does not show the region."""
        return infarct_fractions(self.mapped.found.labels.array, self.infarct)

    @property
    def affected(self) -> tuple[Region, ...]:
        """Regions that cost a point."""
        shares = self.fractions
        return tuple(r for r in REGIONS if (shares[r] or 0.0) > self.affected_fraction)

    @property
    def score(self) -> Score:
        """ASPECTS of both sides."""
        return total_score(self.affected)


def write_truth(truth: Truth, atlas: Atlas, folder: Path, *, picture: bool = True) -> bool:
    """Write the folder of a case into an empty one: the scan with its labels, table, record and picture.

    Parameters
    ----------
    truth
        Of the patient.
    atlas
        Whose regions these are.
    folder
        Of the case.
    picture
        Whether to draw it, where matplotlib is installed.

    Returns
    -------
    bool
        Whether the picture is there, or was not asked for.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    mapped = truth.mapped
    scan = folder / mapped.modality.value.lower()
    scan.mkdir()
    for name, array in _arrays(truth).items():
        # Below the head, which is all that is kept of a scan, there is air in the image and nothing in the maps.
        write_image(mapped.canonical.restore(array, fill=array.min()), scan / name)
    (folder / TABLE_FILE).write_text(truth_csv(truth), encoding="utf-8", newline="")
    text = json.dumps(truth_record(truth, atlas), indent=1, allow_nan=False, ensure_ascii=False)
    (folder / TRUTH_FILE).write_text(text + "\n", encoding="utf-8", newline="")
    return not picture or _draw(truth, folder / PICTURE_FILE)


def truth_csv(truth: Truth) -> str:
    """Return the table of the twenty regions; empty cells where the scan does not show one."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in _rows(truth):
        share = row["infarct_fraction"]
        writer.writerow(
            (
                row["region"],
                row["side"],
                f"{row['volume_ml']:.{_VOLUME_DECIMALS}f}",
                "" if share is None else f"{share:.{_DECIMALS}f}",
                "" if share is None else "yes" if row["affected"] else "no",
            )
        )
    return text.getvalue()


def truth_record(truth: Truth, atlas: Atlas) -> Record:
    """Return what `truth.json` says, without names of patients or files."""
    mapped, score = truth.mapped, truth.score
    return {
        "schema_version": SCHEMA_VERSION,
        "synthetic": False,
        "made_by": {"project": "ASPECTS for 3D Slicer", "version": __version__},
        "modality": mapped.modality.value,
        "infarct_from": truth.source,
        "aspects": {
            "score": score.score,
            "side": score.side.value,
            "left": score.left,
            "right": score.right,
        },
        "core_volume_ml": round(truth.core_ml, _VOLUME_DECIMALS),
        "affected_above": truth.affected_fraction,
        "regions": _rows(truth),
        "options": dict(truth.options),
        "region_source": _source_record(mapped),
        "grid": {
            "size": list(mapped.canonical.restore(mapped.grid.array).size),
            "spacing_mm": [round(float(mm), _DECIMALS) for mm in _spacing_mm(mapped)],
        },
        "atlas": {
            "name": atlas.name,
            "version": atlas.version,
            "sha256": dict(sorted(atlas.sha256.items())),
        },
        "models": [{"name": m.name, "sha256": m.card.sha256} for m in mapped.models],
        "warnings": [{"code": w.code, "message": w.message} for w in truth.warnings],
    }


def _arrays(truth: Truth) -> dict[str, NDArray[Any]]:
    mapped = truth.mapped
    arrays: dict[str, NDArray[Any]] = {
        IMAGE_FILE: mapped.grid.array,
        REGIONS_FILE: mapped.found.labels.array,
        INFARCT_FILE: truth.infarct.astype(np.uint8),
        BRAIN_FILE: mapped.brain.astype(np.uint8),
    }
    return arrays if mapped.adc is None else arrays | {ADC_FILE: mapped.adc}


def _rows(truth: Truth) -> list[Record]:
    labels = truth.mapped.found.labels
    counts = np.bincount(labels.array.ravel(), minlength=len(REGIONS) + 1)
    shares, affected = truth.fractions, set(truth.affected)
    return [
        {
            "region": region.code.value,
            "side": region.side.value,
            "volume_ml": round(float(counts[region.label]) * labels.voxel_volume_ml, _DECIMALS),
            "infarct_fraction": None
            if shares[region] is None
            else round(shares[region], _DECIMALS),
            "affected": region in affected,
        }
        for region in REGIONS
    ]


def _source_record(mapped: MappedScan) -> Record:
    found = mapped.found
    return {
        "regions": found.source.value,
        "agreement": None if found.agreement is None else round(found.agreement, _DECIMALS),
        "registration": {
            name: round(value, _DECIMALS) for name, value in found.quality.as_dict().items()
        },
    }


def _spacing_mm(mapped: MappedScan) -> NDArray[np.float64]:
    affine = mapped.canonical.source_affine
    return np.linalg.norm(affine[:3, :3], axis=0)


def _draw(truth: Truth, path: Path) -> bool:
    mapped = truth.mapped
    labels, infarct = mapped.found.labels, mapped.grid.with_array(truth.infarct)
    tiles = list(key_tiles(mapped.grid, labels, infarct, mapped.modality))
    if truth.flow is not None:
        flow = mapped.grid.with_array(truth.flow)
        tiles += key_tiles(flow, labels, infarct, Modality.CBF)
    score = truth.score
    lines = (
        f"ASPECTS {score.score}",
        f"right {score.right}, left {score.left}",
        f"core {truth.core_ml:.1f} mL",
        f"from {truth.source}",
    )
    try:
        path.write_bytes(montage_png([MontageRow(lines, tiles)], _PICTURE_TITLE))
    except ImportError:
        return False
    return True
