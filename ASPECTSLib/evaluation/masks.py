"""Infarct masks of results beside those that people drew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ASPECTSLib.batch.records import Record, folder_of
from ASPECTSLib.errors import ErrorCode, InputRefusedError
from ASPECTSLib.io.images import IMAGE_SUFFIXES, check_exists, read_image
from ASPECTSLib.report.writer import INFARCT_FILE
from ASPECTSLib.scoring.overlap import dice

_SAME_GRID_MM = 0.01


@dataclass(frozen=True)
class MaskOverlap:
    """Overlap and volumes of one case's infarct masks; `problem` says why there are none.

    Parameters
    ----------
    dice
        0 to 1; 1 where both are empty.
    volume_ml, true_ml
        Of the result and of the given mask.
    """

    case: str
    dice: float | None = None
    volume_ml: float | None = None
    true_ml: float | None = None
    problem: str | None = None


def compare_masks(
    records: Mapping[str, Record], output: Path, masks: Path
) -> Iterator[MaskOverlap]:
    """Compare the infarct mask of each result with the one that was drawn, where there are both.

    Parameters
    ----------
    records
        Of the results, by case.
    output
        Their folder.
    masks
        With `CASE.nii.gz`, or as `aspects synthesize` writes cohorts: `CASE/KIND/infarct.nii.gz`, of the kind that was
        scored. Any other value than 0 is infarct; the grid is that of the scan.

    Raises
    ------
    FileRefusedError
        FILE_NOT_FOUND if there is no such folder.
    """
    check_exists(masks)
    for name, record in records.items():
        found = (
            None if record.result is None else _mask_of(name, record.result.input.modality, masks)
        )
        path = folder_of(record.case, output) / INFARCT_FILE
        if found is None or not path.is_file():
            continue
        try:
            yield _compared(name, path, found)
        except InputRefusedError as error:
            yield MaskOverlap(name, problem=f"{error.message} [{error.code}]")


def _mask_of(case: str, modality: str, masks: Path) -> Path | None:
    plain = (masks / f"{case}{suffix}" for suffix in IMAGE_SUFFIXES)
    beside = masks / case / modality.lower() / INFARCT_FILE
    return next((path for path in (*plain, beside) if path.is_file()), None)


def _compared(case: str, path: Path, true_path: Path) -> MaskOverlap:
    said, true = read_image(path), read_image(true_path)
    same = said.array.shape == true.array.shape and np.allclose(
        said.affine, true.affine, atol=_SAME_GRID_MM
    )
    if not same:
        message = "expected a mask on the scan's own grid, got another grid"
        raise InputRefusedError(ErrorCode.GEOMETRY_INVALID, message)
    said_mask, true_mask = said.array > 0, true.array > 0
    volumes = (float(mask.sum()) * said.voxel_volume_ml for mask in (said_mask, true_mask))
    return MaskOverlap(case, dice(said_mask, true_mask), *volumes)
