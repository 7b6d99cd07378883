"""What the panel sets of the views: heat map, outlines, voxels that were used, and the grey window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from slicer.i18n import tr as _

from ASPECTSLib.io.modality import Modality
from ASPECTSLib.report.looks import heat_look_of, look_of
from ASPECTSSlicer.parameters import ASPECTSParameters
from ASPECTSSlicer.viewcontrol import ViewControl

_HEATMAP_OPACITY = 0.6  # what the key H switches on
_WINDOW_KEYS = range(1, 6)


class DisplayControl:
    """Lets widgets and keys of the panel set what the views show.

    Parameters
    ----------
    ui
        The widgets by name.
    views
        The views.
    """

    def __init__(self, ui: Any, views: ViewControl) -> None:
        self._ui, self._views = ui, views
        self._parameters: ASPECTSParameters | None = None
        self._windowNames: list[str] = []
        self._comparedToolTip = ui.comparedCheckBox.toolTip
        ui.windowSelector.connect("activated(int)", lambda index: self._setWindow(index + 1))

    def setParameters(self, parameters: ASPECTSParameters | None) -> None:
        """Take what is to be shown from these."""
        self._parameters = parameters

    def keys(self) -> Mapping[str, Callable[[], None]]:
        """Return what is done by which key."""
        windows = {str(key): lambda key=key: self._setWindow(key) for key in _WINDOW_KEYS}
        return {"H": self._toggleHeatmap, "O": self._toggleOutlines, **windows}

    def apply(self) -> None:
        """Show what the parameters say."""
        parameters = self._parameters
        if parameters is not None:
            self._views.setHeatmapOpacity(parameters.heatmapOpacity)
            self._views.setOutlinesVisible(parameters.showOutlines)
            self._views.setComparedVisible(parameters.showCompared)

    def explain(self) -> None:
        """Offer the windows of the scan that is shown, and say what heat map and voxels mean on it."""
        ui, modality = self._ui, self._views.modality
        names = [f"{key}: {window}" for key, window in self._views.windows.items()]
        if names != self._windowNames:
            self._windowNames = names
            ui.windowSelector.clear()
            ui.windowSelector.addItems(names)
        isRelative = look_of(modality).is_relative
        unit = _("multiples of the brain's median") if isRelative else _("width and level in HU")
        sentence = _("Grey window (keys 1 to {last}); {unit}.").format(last=len(names), unit=unit)
        ui.windowSelector.setToolTip(sentence)
        opacity = _("Opacity of the heat map (H switches it); {meaning}.")
        ui.heatmapSlider.setToolTip(
            opacity.format(meaning=heat_look_of(self._views.heatmapKind).words)
        )
        searched = _("Blue: brain, in which infarct was looked for.")
        isSearched = modality == Modality.DWI.value
        ui.comparedCheckBox.setToolTip(searched if isSearched else self._comparedToolTip)

    def _toggleHeatmap(self) -> None:
        if self._parameters is not None:
            isShown = self._parameters.heatmapOpacity > 0
            self._parameters.heatmapOpacity = 0.0 if isShown else _HEATMAP_OPACITY

    def _toggleOutlines(self) -> None:
        if self._parameters is not None:
            self._parameters.showOutlines = not self._parameters.showOutlines

    def _setWindow(self, key: int) -> None:
        if key in self._views.windows:
            self._ui.windowSelector.setCurrentIndex(key - 1)
            self._views.setWindow(key)
