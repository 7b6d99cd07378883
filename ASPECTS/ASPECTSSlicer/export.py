"""A reviewed result as a folder of files, the same that the command line writes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.geometry import Volume
from ASPECTSLib.report.result import StudyResult
from ASPECTSLib.report.writer import Content, StudyImages, export_study
from ASPECTSSlicer.grids import readVolume
from ASPECTSSlicer.layers import infarctMask, regionLabels
from ASPECTSSlicer.results import ResultNodes, drawingOf, isDrawnAnew, readStudy, scoredScan

_WORDS_AND_NUMBERS = frozenset({Content.RESULT, Content.TABLE})


def exportResult(
    nodes: ResultNodes,
    folder: Path,
    contents: Collection[Content] = tuple(Content),
    *,
    picture: bytes | None = None,
    replaceExisting: bool = False,
) -> StudyResult:
    """Write the chosen parts of a result, with all overrides and edits; all of them or none.

    Parameters
    ----------
    nodes
        The result in the scene.
    folder
        New folder.
    contents
        What to write.
    picture
        PNG of the views, for where matplotlib is not installed.
    replaceExisting
        Replace an export of the same name.

    Raises
    ------
    ASPECTSError
        If a node that is needed was deleted, or the folder cannot be written.
    """
    if isDrawnAnew(nodes, drawingOf(nodes)):
        message = (
            "regions or infarct were edited and not scored again; open the result in the module"
        )
        raise FileRefusedError(ErrorCode.RESULT_OUTDATED, message)
    needsImages = not _WORDS_AND_NUMBERS.issuperset(contents)
    return export_study(
        readStudy(nodes),
        _images(nodes) if needsImages else None,
        folder,
        contents,
        picture=picture,
        replace_existing=replaceExisting,
    )


def _images(nodes: ResultNodes) -> StudyImages:
    for name in ("scan", "regions", "heatmap", "compared"):
        if getattr(nodes, name) is None:
            message = f"the {name} of this result was deleted from the scene; score the scan again"
            raise FileRefusedError(ErrorCode.FILE_NOT_FOUND, message)
    heatmap = readVolume(nodes.heatmap)
    return StudyImages(
        scan=scoredScan(nodes),
        regions=heatmap.with_array(regionLabels(nodes.regions, nodes.heatmap)),
        heatmap=heatmap,
        compared=readVolume(nodes.compared),
        infarct=_infarct(nodes, heatmap),
        scan_is_resampled=nodes.scan.GetParentTransformNode() is not None,
    )


def _infarct(nodes: ResultNodes, grid: Volume) -> Volume | None:
    """Return the infarct mask; None where the method made none and nobody drew one."""
    if nodes.infarct is None:
        return None
    mask = infarctMask(nodes.infarct, nodes.heatmap)
    was_made = readStudy(nodes).outputs.get("infarct") is not None
    return grid.with_array(mask) if mask.any() or was_made else None
