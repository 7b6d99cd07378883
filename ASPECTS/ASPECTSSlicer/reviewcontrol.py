"""The review of one result in the panel: the table, switches and their reasons, and the Segment Editor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import slicer
from slicer.i18n import tr as _

from ASPECTSLib.atlas.regions import Region
from ASPECTSLib.errors import ASPECTSError
from ASPECTSSlicer.editorcontrol import EditorControl
from ASPECTSSlicer.headline import Headline
from ASPECTSSlicer.overrides import INFARCT_EDIT, REGIONS_EDIT, Review
from ASPECTSSlicer.process import Failure
from ASPECTSSlicer.regiontable import RegionTable
from ASPECTSSlicer.results import ResultNodes
from ASPECTSSlicer.runs import RESULT_UNREADABLE
from ASPECTSSlicer.viewcontrol import ViewControl


class ReviewListener(Protocol):
    """Who is told of a review."""

    def onReviewChanged(self) -> None:
        """Hear that the result that is shown became another one."""

    def onEditing(self) -> None:
        """Hear that the Segment Editor was opened."""

    def onFailure(self, failure: Failure, details: str) -> None:
        """Hear why something could not be done."""


class ReviewControl:
    """Shows a result in the table and turns clicks, keys and strokes into changes of it.

    Parameters
    ----------
    ui
        The widgets by name.
    scene
        The application's scene.
    views
        Follow what is selected and edited.
    headline
        Says score and evidence.
    user
        Name of the person at the screen, noted with every change.
    listener
        Told what happens.
    """

    def __init__(
        self,
        ui: Any,
        scene: slicer.vtkMRMLScene,
        views: ViewControl,
        headline: Headline,
        user: str,
        listener: ReviewListener,
    ) -> None:
        self._ui, self._views, self._headline, self._user = ui, views, headline, user
        self._listener = listener
        self._review: Review | None = None
        self._isLocked = False
        self.editor = EditorControl(scene, ui.segmentEditor, self.onEdited)
        self._table = RegionTable(ui.regionTable, self.onRegionSelected, self.switchRegion)
        for button, slot in (
            (ui.undoButton, self.onUndo),
            (ui.automaticButton, self.onBackToAutomatic),
            (ui.editRegionsButton, self.editRegions),
            (ui.editInfarctButton, self.editInfarct),
        ):
            button.connect("clicked(bool)", slot)
        ui.reasonEdit.connect("editingFinished()", self.onReason)

    @property
    def nodes(self) -> ResultNodes | None:
        """The result that is shown."""
        return self._review.nodes if self._review is not None else None

    @property
    def isEdited(self) -> bool:
        """Whether a person changed the result that is shown."""
        return self._review is not None and self._review.study.is_edited

    def show(self, nodes: ResultNodes | None) -> None:
        """Take up a result, or none; one that is taken up again keeps what can be undone."""
        previous, self._review = self._review, None
        if previous is None or nodes is None or nodes.text is not previous.nodes.text:
            self._ui.reasonEdit.clear()  # it was typed for another result
        if nodes is not None:
            self._try(lambda: self._begin(nodes, previous))
        review = self._review
        self.editor.setResult(self.nodes)
        if review is not None:
            self.editor.ignoring(lambda: self._views.showResult(review.nodes, review.study))
        self._showStudy()

    def lock(self, *, isLocked: bool) -> None:
        """Take no changes while a new result is on its way that would replace them."""
        self._isLocked = isLocked
        if isLocked:
            self.editor.putToolsDown()

    def updateButtons(self) -> None:
        """Enable what makes sense now."""
        ui, review = self._ui, self._review
        isOpen = review is not None and not self._isLocked
        ui.undoButton.setEnabled(isOpen and review.canUndo)
        isOverridden = isOpen and any(info.override for info in review.study.regions)
        ui.automaticButton.setEnabled(isOverridden)
        for widget in (ui.reasonEdit, ui.editSection):
            widget.setEnabled(isOpen)
        for widget in (ui.displaySection, ui.exportSection):
            widget.setEnabled(review is not None)
        ui.resultFrame.setVisible(review is not None)

    def tableKeys(self) -> Mapping[str, Callable[[], None]]:
        """Return what keys do in the table."""
        return {"Space": self._switchSelected, "E": self.editRegions, "Ctrl+Z": self.onUndo}

    def onRegionSelected(self, region: Region) -> None:
        """Show the evidence of a region, and go there."""
        self._describe(region)
        self._showReason(region)
        self._views.jumpTo(region)

    def onHover(self, region: Region | None) -> None:
        """Say which region is under the mouse."""
        self._describe(region or self._table.selectedRegion())

    def switchRegion(self, region: Region) -> None:
        """Turn the call of a region over."""
        edit = self._ui.reasonEdit
        reason = edit.text.strip() if edit.modified else ""
        self._change(lambda review: review.switchRegion(region, reason))
        edit.modified = False
        self._describe(region)
        self._showReason(region)

    def onReason(self) -> None:
        """Note the reason of the selected region's switch."""
        region, edit = self._table.selectedRegion(), self._ui.reasonEdit
        if region is None or not edit.modified:
            return
        reason = edit.text.strip()
        self._change(lambda review: review.giveReason(region, reason))
        if self._review is not None and self._review.info(region).override is not None:
            edit.modified = False  # taken; otherwise it waits for a switch

    def onUndo(self, _checked: bool = False) -> None:
        """Undo the last switch."""
        self._change(lambda review: review.undo())

    def onBackToAutomatic(self, _checked: bool = False) -> None:
        """Take back all switches."""
        self._change(lambda review: review.backToAutomatic())

    def onEdited(self, what: str, segmentId: str) -> None:
        """Score again after an edit of borders."""
        self._change(lambda review: review.rescore(what, segmentId))
        self._views.regionsChanged()

    def editRegions(self, _checked: bool = False) -> None:
        """Open the Segment Editor on the selected region."""
        self._edit(REGIONS_EDIT, self._table.selectedRegion())

    def editInfarct(self, _checked: bool = False) -> None:
        """Open the Segment Editor on the infarct."""
        self._edit(INFARCT_EDIT, None)

    def _begin(self, nodes: ResultNodes, previous: Review | None) -> None:
        review = Review(nodes, self._user)
        if previous is not None:
            review.continueFrom(previous)
        self._review = review
        if review.isBehind:
            review.rescore(REGIONS_EDIT)

    def _edit(self, what: str, region: Region | None) -> None:
        if self._review is None or not self.editor.edit(what, region):
            return
        self._ui.editSection.collapsed = False
        self._ui.editRegionsButton.setChecked(what == REGIONS_EDIT)
        self._ui.editInfarctButton.setChecked(what == INFARCT_EDIT)
        self._listener.onEditing()
        self._try(self._review.prepare)

    def _switchSelected(self) -> None:
        region = self._table.selectedRegion()
        if region is not None:
            self.switchRegion(region)

    def _change(self, change: Callable[[Review], None]) -> None:
        """Change the result, and show what became of it."""
        review = self._review
        if review is None:
            return
        if self._isLocked:
            self._headline.say(_("The scan is being scored again; a change now would be lost."))
            return
        self._views.stopFlash()
        self.editor.ignoring(lambda: self._try(lambda: change(review)))
        self._showStudy()

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except ASPECTSError as error:
            self._listener.onFailure(Failure(str(error.code), error.message), "")
        except OSError as error:
            self._listener.onFailure(Failure(RESULT_UNREADABLE, f"{error}."), "")

    def _showStudy(self) -> None:
        study = self._review.study if self._review else None
        self._table.show(study)
        self._headline.show(study)
        self._describe(self._table.selectedRegion())
        self._listener.onReviewChanged()

    def _describe(self, region: Region | None) -> None:
        self._headline.describe(self._review.info(region) if self._review and region else None)

    def _showReason(self, region: Region) -> None:
        """Show why a region was switched; what is being typed for one that was not stays."""
        if self._review is None:
            return
        override, edit = self._review.info(region).override, self._ui.reasonEdit
        if override is not None:
            edit.setText(override.reason)
        elif not edit.modified:
            edit.clear()
