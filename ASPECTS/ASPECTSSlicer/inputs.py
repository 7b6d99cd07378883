"""The scans to score: which can be chosen, which are proposed, and what is still missing."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from ASPECTSLib.io.modality import Modality
from ASPECTSLib.methods import AUTO, METHODS, used_inputs
from ASPECTSSlicer.parameters import AGE_UNKNOWN, KINDS, MAX_AGE, ASPECTSParameters
from ASPECTSSlicer.runs import Request
from ASPECTSSlicer.volumes import ROLE_ATTRIBUTE, hasVoxels, patientAge, proposeVolumes

_MODALITY_OF_KIND = {kind: Modality(kind.upper()) for kind in KINDS}


class Inputs:
    """Keeps the selectors of the panel in step with the method.

    Parameters
    ----------
    ui
        The widgets by name.
    scene
        The application's scene.
    """

    def __init__(self, ui: Any, scene: slicer.vtkMRMLScene) -> None:
        self._ui, self._scene = ui, scene
        self._toolTips = {kind: self._selector(kind).toolTip for kind in KINDS}
        self._ageIsFromDicom = False

    def propose(self, parameters: ASPECTSParameters) -> None:
        """Choose scans from the scene where none is chosen yet."""
        if any(getattr(parameters, kind) is not None for kind in KINDS):
            return
        used = used_inputs(parameters.method)
        for kind, node in proposeVolumes(self._scene).items():
            if _MODALITY_OF_KIND[kind] in used:
                setattr(parameters, kind, node)

    def update(self, parameters: ASPECTSParameters) -> None:
        """Enable the scans that the method takes; the others say why not."""
        self._refuseOwnImages(parameters)
        used = used_inputs(parameters.method)
        for kind, modality in _MODALITY_OF_KIND.items():
            isUsed = modality in used
            self._selector(kind).setEnabled(isUsed)
            reason = _("No method of this version takes {kind}.").format(kind=modality.value)
            self._selector(kind).setToolTip(self._toolTips[kind] if isUsed else reason)
        self._ui.ageLabel.setText(_("Age (DICOM)") if self._ageIsFromDicom else _("Age"))

    def forget(self) -> None:
        """Forget the patient: the scene goes."""
        self._ageIsFromDicom = False

    def readAge(self, parameters: ASPECTSParameters, *, isNewPatient: bool) -> None:
        """Take the age from DICOM, where the scan has it; otherwise it is up to the user.

        An age that came with a scene stays as it is.
        """
        if not isNewPatient and parameters.ageYears != AGE_UNKNOWN:
            return
        database = getattr(slicer, "dicomDatabase", None)
        age = None
        if parameters.ncct is not None and database is not None:
            age = patientAge(parameters.ncct, database.fileForInstance)
        if age is not None:
            parameters.ageYears = min(round(age), MAX_AGE)
        elif isNewPatient:
            parameters.ageYears = AGE_UNKNOWN  # that of another patient
        self._ageIsFromDicom = age is not None
        self.update(parameters)

    def request(self, parameters: ASPECTSParameters) -> Request | None:
        """Return what is to be scored, or None while a scan is missing."""
        used = used_inputs(parameters.method)
        nodes = {kind: getattr(parameters, kind) for kind in KINDS}
        given = {
            kind: node
            for kind, node in nodes.items()
            if node is not None and hasVoxels(node) and _MODALITY_OF_KIND[kind] in used
        }
        modalities = {_MODALITY_OF_KIND[kind] for kind in given}
        chosen = [m for m in METHODS if parameters.method in (AUTO, m.name)]
        if not any(modalities.issuperset(method.inputs) for method in chosen):
            return None
        age = parameters.ageYears
        return Request(given, parameters.method, None if age == AGE_UNKNOWN else float(age))

    def whatIsMissing(self) -> str:
        """Say what to choose."""
        if self._scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0:
            return _("Load a head CT, for example by dropping its DICOM folder on the window.")
        return _("Choose a head CT to score.")

    @staticmethod
    def _refuseOwnImages(parameters: ASPECTSParameters) -> None:
        """Choose no heat map of a result: a selector whose volume goes takes the next one in its list."""
        for kind in KINDS:
            node = getattr(parameters, kind)
            if node is not None and node.GetAttribute(ROLE_ATTRIBUTE):
                setattr(parameters, kind, None)

    def _selector(self, kind: str) -> Any:
        return getattr(self._ui, f"{kind}Selector")
