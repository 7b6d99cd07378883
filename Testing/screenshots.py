"""Draw the panel and the four views of the synthetic demo patient, without a desktop.

The widgets are real Qt widgets, those of CTK and Slicer stand-ins; the views are drawn by Slicer's own displayable
managers. Colours, fonts and frames of the desktop application differ.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import slicer_standins

_ROOT = Path(__file__).resolve().parents[1]
_FOLDER = _ROOT / "Resources" / "Screenshots"
_PANEL_SIZE = (560, 930)
_VIEW_SIZE = (430, 450)
_WAIT_S = 120.0
_REASON = "looks like noise to me"


def main() -> None:
    """Score the patient in the panel, switch a region by hand, and write both pictures."""
    application = slicer_standins.install(views=True)
    module = slicer_standins.load_module(_ROOT / "ASPECTS" / "ASPECTS.py")
    module.userName = lambda: "Reader"
    from ASPECTSSlicer.sample import loadSample

    loadSample(application.mrmlScene())
    widget = slicer_standins.make_widget(module, "ASPECTS")
    slicer_standins.enter(widget)
    _score(application, widget)
    _review(application, widget)
    _draw_views(application, widget)
    _draw_panel(application, widget)
    slicer_standins.close_widget(widget)


def _score(application: Any, widget: Any) -> None:
    widget.ui.scoreButton.click()
    end = time.monotonic() + _WAIT_S
    while widget.ui.cancelButton.enabled and time.monotonic() < end:
        application.processEvents()
        time.sleep(0.02)
    print(f"screenshots: {widget.ui.scoreLabel.text}")


def _review(application: Any, widget: Any) -> None:
    from ASPECTSLib.atlas.regions import RegionCode, Side, region_of

    widget.ui.reasonEdit.setText(_REASON)
    widget.panel.review.switchRegion(region_of(RegionCode.I, Side.LEFT))
    widget.panel.review.onRegionSelected(region_of(RegionCode.L, Side.LEFT))
    time.sleep(0.5)
    application.processEvents()


def _draw_views(application: Any, widget: Any) -> None:
    from ASPECTSSlicer.capture import captureViews
    from ASPECTSSlicer.layout import VIEW_NAMES

    slice_widgets = [application.layoutManager().sliceWidget(name) for name in VIEW_NAMES]
    for slice_widget in slice_widgets:
        slice_widget.view.resize(_VIEW_SIZE)
    widget.ui.keySlicesButton.click()
    windows = [slice_widget.sliceView().renderWindow() for slice_widget in slice_widgets]
    captureViews(windows, _FOLDER / "views.png")
    print("screenshots: Resources/Screenshots/views.png")


def _draw_panel(application: Any, widget: Any) -> None:
    widget.parent.resize(*_PANEL_SIZE)
    widget.parent.show()
    application.processEvents()
    widget.parent.grab().save(str(_FOLDER / "panel.png"))
    print("screenshots: Resources/Screenshots/panel.png")


if __name__ == "__main__":
    main()
