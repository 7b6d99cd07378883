"""The region table: ten rows, both sides, and the totals; shows a study and tells what was clicked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from ASPECTSLib.atlas.regions import REGIONS_PER_SIDE, Region, RegionCode, Side, region_of
from ASPECTSLib.report.looks import look_of
from ASPECTSLib.report.result import RegionInfo, StudyResult
from ASPECTSLib.report.wording import LEGEND, call_sign, change_text, measured_text, override_text

REGION, RIGHT, SWITCH_RIGHT, LEFT, SWITCH_LEFT, MEASURED = range(6)
"""The columns; the last one shows what was measured, or how a call was changed."""

_SIDE_OF_COLUMN = {
    RIGHT: Side.RIGHT,
    SWITCH_RIGHT: Side.RIGHT,
    LEFT: Side.LEFT,
    SWITCH_LEFT: Side.LEFT,
}
_CALL_COLUMN = {Side.RIGHT: RIGHT, Side.LEFT: LEFT}
_SWITCHES = (SWITCH_RIGHT, SWITCH_LEFT)
_CODES = tuple(RegionCode)
_TOTAL_ROW = REGIONS_PER_SIDE
_SWITCH_SIGN, _EDITED_SIGN = "⇄", "✎"
_ROW_HEIGHT, _FRAME_HEIGHT, _FONT_POINTS = 24, 4, 10


class RegionTable:
    """Fills a table widget and listens to it.

    Parameters
    ----------
    widget
        A `QTableWidget`.
    onSelect, onSwitch
        Called with the region that was selected, or is to be switched.
    """

    def __init__(
        self,
        widget: Any,
        onSelect: Callable[[Region], None],
        onSwitch: Callable[[Region], None],
    ) -> None:
        self._widget, self._onSelect, self._onSwitch = widget, onSelect, onSwitch
        self._study: StudyResult | None = None
        self._selectedSide = Side.RIGHT
        self._build()
        widget.connect("cellClicked(int,int)", self._onClicked)
        widget.connect("currentCellChanged(int,int,int,int)", self._onCurrentChanged)

    def show(self, study: StudyResult | None) -> None:
        """Show a study, or empty rows."""
        self._study = study
        for row, code in enumerate(_CODES):
            infos = {side: self._info(code, side) for side in Side}
            for side, info in infos.items():
                self._showCall(row, side, info)
            self._showMeasured(row, infos)
        self._explainMeasured()
        self._showTotals()

    def selectedRegion(self) -> Region | None:
        """Return the region of the current cell.

        In columns of both sides it is that of the side which was affected when the cell was chosen.
        """
        row = self._widget.currentRow()
        if not 0 <= row < _TOTAL_ROW or self._study is None:
            return None
        return region_of(_CODES[row], self._selectedSide)

    def _build(self) -> None:
        widget = self._widget
        widget.setColumnCount(MEASURED + 1)
        widget.setRowCount(_TOTAL_ROW + 1)
        right, left = _("right"), _("left")
        titles = [_("region"), right, "", left, "", _("right | left")]
        widget.setHorizontalHeaderLabels(titles)
        widget.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
        widget.setSelectionMode(qt.QAbstractItemView.SingleSelection)
        widget.verticalHeader().hide()
        widget.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        widget.horizontalHeader().setStretchLastSection(True)
        widget.setToolTip(
            _("Click: go to the region. ⇄ or Space: switch its call. E: edit it. Ctrl+Z: undo.")
            + f"\n{LEGEND}"
        )
        for row in range(_TOTAL_ROW + 1):
            for column in range(MEASURED + 1):
                widget.setItem(row, column, _newItem(bold=row == _TOTAL_ROW))
        for row, code in enumerate(_CODES):
            self._nameRow(row, region_of(code, Side.RIGHT))
        widget.item(_TOTAL_ROW, REGION).setText(_("total"))
        widget.horizontalHeader().setFixedHeight(_ROW_HEIGHT)
        widget.setMinimumHeight((_TOTAL_ROW + 2) * _ROW_HEIGHT + _FRAME_HEIGHT)

    def _nameRow(self, row: int, region: Region) -> None:
        item = self._widget.item(row, REGION)
        name = "" if region.is_cortical else region.name.removesuffix(" nucleus")
        item.setText(f"{region.code}  {name}".rstrip())
        item.setData(qt.Qt.DecorationRole, qt.QColor(*region.colour))
        item.setToolTip(region.name)

    def _showCall(self, row: int, side: Side, info: RegionInfo | None) -> None:
        item = self._widget.item(row, _CALL_COLUMN[side])
        switch = self._widget.item(row, _CALL_COLUMN[side] + 1)
        if info is None:
            item.setText("")
            switch.setText("")
            return
        edited = f" {_EDITED_SIGN}" if info.override else ""
        probability = "" if info.probability is None else f" {info.probability:.2f}"
        item.setText(f"{call_sign(info)}{probability}{edited}")
        item.setToolTip(info.evidence)
        _setBold(item, bold=bool(info.final_call))
        switch.setText(_SWITCH_SIGN)
        switch.setToolTip(_("Switch {region} {side}").format(region=info.region, side=info.side))

    def _showMeasured(self, row: int, infos: dict[Side, RegionInfo | None]) -> None:
        right, left = infos[Side.RIGHT], infos[Side.LEFT]
        isThere = right is not None and left is not None
        measured = measured_text(right, left, self._study.input.modality) if isThere else ""
        changed = [info for info in infos.values() if info is not None and info.override]
        item = self._widget.item(row, MEASURED)
        sides = [f"{info.side} " if len(changed) > 1 else "" for info in changed]
        changes = [side + change_text(info) for side, info in zip(sides, changed, strict=True)]
        item.setText("; ".join(changes) or measured)
        item.setToolTip("\n".join([measured, *map(override_text, changed)]))

    def _explainMeasured(self) -> None:
        """Say above the last column in which unit it is."""
        explained = ""
        if self._study is not None:
            unit = look_of(self._study.input.modality).unit
            explained = _("Right and left: median in {unit}; share infarcted.").format(unit=unit)
        self._widget.horizontalHeaderItem(MEASURED).setToolTip(explained)

    def _showTotals(self) -> None:
        aspects = self._study.aspects if self._study else None
        for side, points in (
            (Side.RIGHT, aspects.right if aspects else None),
            (Side.LEFT, aspects.left if aspects else None),
        ):
            text = "" if points is None else str(points)
            self._widget.item(_TOTAL_ROW, _CALL_COLUMN[side]).setText(text)
        isEdited = self._study is not None and self._study.is_edited
        self._widget.item(_TOTAL_ROW, MEASURED).setText(_("edited") if isEdited else "")
        for column in (REGION, RIGHT, LEFT):
            self._widget.resizeColumnToContents(column)
        for column in _SWITCHES:
            self._widget.setColumnWidth(column, _ROW_HEIGHT)

    def _info(self, code: RegionCode, side: Side) -> RegionInfo | None:
        return self._study.regions[region_of(code, side).label - 1] if self._study else None

    def _affectedSide(self, row: int) -> Side:
        info = self._info(_CODES[row], Side.LEFT)
        return Side.LEFT if info is not None and info.final_call else Side.RIGHT

    def _onClicked(self, row: int, column: int) -> None:
        if column in _SWITCHES and row < _TOTAL_ROW and self._study is not None:
            self._onSwitch(region_of(_CODES[row], _SIDE_OF_COLUMN[column]))

    def _onCurrentChanged(self, row: int, column: int, *_before: int) -> None:
        if 0 <= row < _TOTAL_ROW:
            self._selectedSide = _SIDE_OF_COLUMN.get(column) or self._affectedSide(row)
        region = self.selectedRegion()
        if region is not None:
            self._onSelect(region)


def _newItem(*, bold: bool) -> Any:
    item = qt.QTableWidgetItem()
    item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
    _setBold(item, bold=bold)
    return item


def _setBold(item: Any, *, bold: bool) -> None:
    font = qt.QFont()
    font.setPointSize(_FONT_POINTS)
    font.setBold(bold)
    item.setFont(font)
