"""Writing a study's files: all of them, or none."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import write_image
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.figure import report_png
from ASPECTSLib.report.result import StudyResult, WarningInfo
from ASPECTSLib.report.staging import publish, staging_folder
from ASPECTSLib.report.table import regions_csv

RESULT_FILE = "result.json"
REGIONS_FILE = "regions.nii.gz"
INFARCT_FILE = "infarct.nii.gz"
HEATMAP_FILE = "heatmap.nii.gz"
COMPARED_FILE = "compared.nii.gz"
TABLE_FILE = "regions.csv"
FIGURE_FILE = "report.png"
SCAN_FILE = "scan.nii.gz"

STUDY_FILES = frozenset(
    {
        RESULT_FILE,
        REGIONS_FILE,
        INFARCT_FILE,
        HEATMAP_FILE,
        COMPARED_FILE,
        TABLE_FILE,
        FIGURE_FILE,
        SCAN_FILE,
    }
)
"""Every file that a folder of results can hold."""


_NO_PICTURE = "NO_PICTURE"
_OUTPUTS = ("regions", "infarct", "heatmap", "compared", "figure", "table", "scan")


class Content(StrEnum):
    """Parts of a study that can be written."""

    RESULT = "result"
    TABLE = "table"
    SEGMENTS = "segments"
    PICTURE = "picture"


@dataclass(frozen=True, eq=False)
class StudyImages:
    """The images of a study, on one grid; `scan` is written only where `scan_is_resampled`.

    `compared` is the map of `ASPECTSLib.evidence.compared_map`; `infarct` is a
    mask, or None where there is none.
    """

    scan: Volume
    regions: Volume
    heatmap: Volume
    compared: Volume
    infarct: Volume | None = None
    scan_is_resampled: bool = False


def write_study(
    result: StudyResult,
    images: StudyImages,
    folder: Path,
    progress: Progress,
    *,
    picture: bool = True,
) -> StudyResult:
    """Write result, table, label maps, heat map and picture; the folder appears when all are there.

    Parameters
    ----------
    result
        Without `outputs` and `timings_s`, which are filled in.
    images
        On the grid of the scan.
    folder
        New folder; its parents are made.
    progress
        Told of the stages, and asked for cancellation; its timings go into the result.
    picture
        Whether to draw the picture.

    Returns
    -------
    StudyResult
        As written.
    """
    with staging_folder(folder) as staging:
        result = replace(result, outputs=_outputs(images) | {"figure": None})
        if picture:
            progress.stage("picture", 0.86)
            result = _write_picture(result, images, staging, None)
        progress.stage("writing", 0.94)
        _write_images(images, staging)
        _write_table(result, staging)
        progress.check()
        result = replace(result, timings_s=dict(progress.timings_s))
        _write_result(result, staging)
        publish(staging, folder)
    return result


def export_study(
    result: StudyResult,
    images: StudyImages | None,
    folder: Path,
    contents: Collection[Content] = tuple(Content),
    *,
    picture: bytes | None = None,
    replace_existing: bool = False,
) -> StudyResult:
    """Write the chosen parts of a study that was reviewed.

    Parameters
    ----------
    result, images
        As they are now; result and table need no images.
    folder
        New folder; its parents are made.
    contents
        What to write.
    picture
        PNG to take instead of the drawn one where matplotlib is not installed.
    replace_existing
        Replace a folder of that name, if it holds nothing but files of a study.

    Returns
    -------
    StudyResult
        As written: its `outputs` name the files that are there.

    Raises
    ------
    UsageError
        OUTPUT_EXISTS if there is something of that name that may not be replaced.
    OutputError
        If the folder cannot be written.
    """
    with staging_folder(folder) as staging:
        result = replace(result, outputs=dict.fromkeys(_OUTPUTS, None))
        if Content.SEGMENTS in contents:
            _write_images(images, staging)
            result = replace(result, outputs=_outputs(images) | {"figure": None, "table": None})
        if Content.PICTURE in contents:
            result = _write_picture(result, images, staging, picture)
        if Content.TABLE in contents:
            result = replace(result, outputs=result.outputs | {"table": TABLE_FILE})
            _write_table(result, staging)
        if Content.RESULT in contents:
            _write_result(result, staging)
        publish(staging, folder, STUDY_FILES if replace_existing else ())
    return result


def _outputs(images: StudyImages) -> dict[str, str | None]:
    return {
        "regions": REGIONS_FILE,
        "infarct": INFARCT_FILE if images.infarct is not None else None,
        "heatmap": HEATMAP_FILE,
        "compared": COMPARED_FILE,
        "figure": FIGURE_FILE,
        "table": TABLE_FILE,
        "scan": SCAN_FILE if images.scan_is_resampled else None,
    }


def _write_images(images: StudyImages, staging: Path) -> None:
    write_image(images.regions, staging / REGIONS_FILE)
    write_image(images.heatmap, staging / HEATMAP_FILE)
    write_image(images.compared, staging / COMPARED_FILE)
    if images.infarct is not None:
        write_image(images.infarct, staging / INFARCT_FILE)
    if images.scan_is_resampled:
        write_image(images.scan, staging / SCAN_FILE)


def _write_picture(
    result: StudyResult, images: StudyImages, staging: Path, substitute: bytes | None
) -> StudyResult:
    others = tuple(w for w in result.quality.warnings if w.code != _NO_PICTURE)
    result = replace(result, quality=replace(result.quality, warnings=others))
    try:
        picture = report_png(result, images)
    except ImportError:
        if substitute is None:
            return _without_picture(result)
        picture = substitute
    (staging / FIGURE_FILE).write_bytes(picture)
    return replace(result, outputs=result.outputs | {"figure": FIGURE_FILE})


def _without_picture(result: StudyResult) -> StudyResult:
    warning = WarningInfo(_NO_PICTURE, "matplotlib is not installed, so there is no picture")
    quality = replace(result.quality, warnings=(*result.quality.warnings, warning))
    return replace(result, quality=quality, outputs=result.outputs | {"figure": None})


def _write_table(result: StudyResult, staging: Path) -> None:
    """Write the table from the result's own JSON, so that a result read back gives the same bytes."""
    as_written = StudyResult.from_json(result.to_json())
    (staging / TABLE_FILE).write_text(regions_csv(as_written), encoding="utf-8", newline="")


def _write_result(result: StudyResult, staging: Path) -> None:
    (staging / RESULT_FILE).write_text(result.to_json(), encoding="utf-8", newline="")
