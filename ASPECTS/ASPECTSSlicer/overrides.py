"""A result under review: calls switched by hand, taken back, and scored again after an edit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import numpy as np

from ASPECTSLib.atlas.regions import Region
from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.report.overrides import (
    Overrides,
    override_call,
    overrides_of,
    with_overrides,
    withdraw_override,
)
from ASPECTSLib.report.result import EditInfo, OverrideInfo, RegionInfo, StudyResult
from ASPECTSLib.review import ReviewedScan, prepare_review, rescore
from ASPECTSSlicer.drawing import Drawing
from ASPECTSSlicer.grids import readVolume
from ASPECTSSlicer.layers import separateRegions
from ASPECTSSlicer.results import (
    ResultNodes,
    drawingOf,
    isDrawnAnew,
    noteDrawing,
    readStudy,
    scoredScan,
    storeStudy,
)
from ASPECTSSlicer.segmentations import callsById, styleRegions

REGIONS_EDIT, INFARCT_EDIT = "regions", "infarct"


class Review:
    """One result that a person goes through. The scene holds every change as soon as it is made.

    Parameters
    ----------
    nodes
        The result in the scene.
    user
        Who reviews; noted with every change.
    now
        The clock.
    """

    def __init__(
        self,
        nodes: ResultNodes,
        user: str,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.nodes = nodes
        self.study: StudyResult = readStudy(nodes)
        self._user = user
        self._now = now
        self._history: list[Overrides] = []
        self._scan: ReviewedScan | None = None
        self._drawn = drawingOf(nodes)
        self.isBehind = isDrawnAnew(nodes, self._drawn)
        """Whether regions or infarct were changed since they were scored last, with nobody looking."""
        if self.isBehind:
            self._drawn = Drawing(None, None)

    def continueFrom(self, other: Review) -> None:
        """Take over what can be undone, if the other review is of the same result."""
        isSame = other.study.to_json() == self.study.to_json()
        if isSame and other.nodes.text is self.nodes.text:
            self._history, self._scan = other._history, other._scan

    def info(self, region: Region) -> RegionInfo:
        """Return what is known of a region."""
        return self.study.regions[region.label - 1]

    def switchRegion(self, region: Region, reason: str = "") -> None:
        """Turn the call of a region over; one that comes back to a sure automatic call is no override."""
        info = self.info(region)
        affected = not info.final_call
        self._remember()
        if affected == info.affected and not info.unsure:
            self._store(withdraw_override(self.study, region))
            return
        override = OverrideInfo(affected, self._user, self._timestamp(), reason)
        self._store(override_call(self.study, region, override))

    def giveReason(self, region: Region, reason: str) -> None:
        """Note why a region was switched; nothing happens to one that was not."""
        override = self.info(region).override
        if override is None or override.reason == reason:
            return
        self._remember()
        self._store(override_call(self.study, region, replace(override, reason=reason)))

    def backToAutomatic(self) -> None:
        """Take back all overrides."""
        self._remember()
        self._store(with_overrides(self.study, {}))

    @property
    def canUndo(self) -> bool:
        """Whether there is a change of a call to undo."""
        return bool(self._history)

    def undo(self) -> None:
        """Undo the last change of calls; edits of borders have the Segment Editor's own undo."""
        if self._history:
            self._store(with_overrides(self.study, self._history.pop()))

    def prepare(self) -> None:
        """Get the scan ready for scoring again, which takes a second; done once.

        Raises
        ------
        ASPECTSError
            If the scan is no longer there, or no longer the one that was scored.
        """
        missing = [
            name
            for name in ("scan", "compared", "heatmap", "regions")
            if getattr(self.nodes, name) is None
        ]
        if missing:
            message = (
                f"the {missing[0]} is no longer in the scene, so nothing can be measured again"
            )
            raise FileRefusedError(ErrorCode.FILE_NOT_FOUND, message)
        if self._scan is None:
            compared = readVolume(self.nodes.compared)
            self._scan = prepare_review(self.study, scoredScan(self.nodes), compared)

    def rescore(self, what: str, editedSegmentId: str | None = None) -> None:
        """Measure and call everything again after regions or infarct were edited.

        Parameters
        ----------
        what
            `REGIONS_EDIT` or `INFARCT_EDIT`.
        editedSegmentId
            The region that was drawn, which wins where two would overlap.

        Raises
        ------
        ASPECTSError
            As `prepare`.
        """
        self.prepare()
        if what == REGIONS_EDIT:
            separateRegions(self.nodes.regions, editedSegmentId)
        drawn = drawingOf(self.nodes)
        if all(map(np.array_equal, self._drawn, drawn)):
            return  # a new name or colour
        edit = EditInfo(what, self._user, self._timestamp())
        study = rescore(self.study, self._scan, *drawn, edit)
        modified = self.nodes.text.StartModify()  # who watches the text hears of it once
        self._store(study)
        noteDrawing(self.nodes, drawn)
        self.nodes.text.EndModify(modified)
        self._drawn = drawn

    def _remember(self) -> None:
        self._history.append(overrides_of(self.study))

    def _store(self, study: StudyResult) -> None:
        self.study = study
        storeStudy(self.nodes, study)
        if self.nodes.regions is not None:
            styleRegions(self.nodes.regions, callsById(study))

    def _timestamp(self) -> str:
        return self._now().strftime("%Y-%m-%d %H:%M")
