"""Writing a study's files: all of them, or none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ASPECTSLib.errors import ErrorCode, OutputError, UsageError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import write_image
from ASPECTSLib.progress import Progress
from ASPECTSLib.report.figure import report_png
from ASPECTSLib.report.result import QualityInfo, StudyResult, WarningInfo
from ASPECTSLib.report.table import regions_csv

RESULT_FILE = "result.json"
REGIONS_FILE = "regions.nii.gz"
HEATMAP_FILE = "heatmap.nii.gz"
TABLE_FILE = "regions.csv"
FIGURE_FILE = "report.png"
SCAN_FILE = "scan.nii.gz"

_STAGING_PREFIX = ".aspects-"


@dataclass(frozen=True, eq=False)
class StudyImages:
    """The images of a study, on one grid; `scan` is written only where `scan_is_resampled`."""

    scan: Volume
    regions: Volume
    heatmap: Volume
    scan_is_resampled: bool


def check_output(folder: Path) -> None:
    """Refuse an output folder before any work is done.

    Raises
    ------
    UsageError
        OUTPUT_EXISTS if there is something of that name already.
    OutputError
        OUTPUT_NOT_WRITABLE if it cannot be made.
    """
    _refuse_existing(folder)
    with staging_folder(folder):
        pass


def _refuse_existing(folder: Path) -> None:
    if _is_there(folder):
        message = f"the output folder {folder.name} exists; name a new one, nothing is overwritten"
        raise UsageError(ErrorCode.OUTPUT_EXISTS, message)


def _is_there(path: Path) -> bool:
    """Tell whether there is anything of that name, a broken link too."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _not_writable(path, error) from error
    return True


def write_study(
    result: StudyResult, images: StudyImages, folder: Path, progress: Progress
) -> StudyResult:
    """Write result, table, label map, heat map and picture; the folder appears when all are there.

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

    Returns
    -------
    StudyResult
        As written.
    """
    with staging_folder(folder) as staging:
        progress.stage("picture", 0.86)
        result = _with_figure(result, images, staging)
        progress.stage("writing", 0.94)
        write_image(images.regions, staging / REGIONS_FILE)
        write_image(images.heatmap, staging / HEATMAP_FILE)
        if images.scan_is_resampled:
            write_image(images.scan, staging / SCAN_FILE)
        (staging / TABLE_FILE).write_text(regions_csv(result), encoding="utf-8", newline="")
        progress.check()
        result = replace(result, timings_s=dict(progress.timings_s))
        (staging / RESULT_FILE).write_text(result.to_json(), encoding="utf-8", newline="")
        publish(staging, folder)
    return result


def _with_figure(result: StudyResult, images: StudyImages, staging: Path) -> StudyResult:
    outputs = {
        "regions": REGIONS_FILE,
        "infarct": None,
        "heatmap": HEATMAP_FILE,
        "figure": FIGURE_FILE,
        "table": TABLE_FILE,
        "scan": SCAN_FILE if images.scan_is_resampled else None,
    }
    try:
        picture = report_png(result, images.scan, images.regions, images.heatmap)
    except ImportError:
        message = "matplotlib is not installed, so there is no picture"
        warnings = (*result.quality.warnings, WarningInfo("NO_PICTURE", message))
        quality: QualityInfo = replace(result.quality, warnings=warnings)
        return replace(result, quality=quality, outputs=outputs | {"figure": None})
    (staging / FIGURE_FILE).write_bytes(picture)
    return replace(result, outputs=outputs)


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """Give a hidden folder beside the wanted one; unless it is published, it goes again, with what was made for it.

    Raises
    ------
    OutputError
        OUTPUT_NOT_WRITABLE if it cannot be made or written to.
    """
    made = [parent for parent in folder.absolute().parents if not _is_there(parent)]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=_STAGING_PREFIX, dir=folder.parent))
    except OSError as error:
        _remove_empty(made)
        raise _not_writable(folder, error) from error
    try:
        yield staging
    except OSError as error:
        raise _not_writable(folder, error) from error
    finally:
        if staging.exists():
            shutil.rmtree(staging, ignore_errors=True)
            _remove_empty(made)


def publish(staging: Path, folder: Path) -> None:
    """Give a staging folder its final name, in one step."""
    # mkdtemp makes folders for the owner alone; the result is as open as the user's umask says.
    umask = os.umask(0)
    os.umask(umask)
    _refuse_existing(folder)  # it may have been made meanwhile
    staging.chmod(0o777 & ~umask)
    staging.rename(folder)


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders that were made for nothing, innermost first."""
    for folder in folders:
        try:
            folder.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return


def _not_writable(folder: Path, error: OSError) -> OutputError:
    reason = error.strerror or type(error).__name__
    message = f"the output folder {folder.name} cannot be written: {reason}"
    return OutputError(ErrorCode.OUTPUT_NOT_WRITABLE, message)
