"""The scans to score: which can be chosen, which are proposed, and what is still missing."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import slicer
from slicer.i18n import tr as _

from ASPECTSLib.errors import ASPECTSError
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.methods import AUTO, METHODS, Method, method_for, used_inputs
from ASPECTSSlicer.parameters import AGE_UNKNOWN, KINDS, MAX_AGE, ASPECTSParameters
from ASPECTSSlicer.runs import Request
from ASPECTSSlicer.volumes import (
    COMPANIONS,
    ROLE_ATTRIBUTE,
    FileForInstance,
    companionsOf,
    hasVoxels,
    patientAge,
    proposeVolumes,
)

_MODALITY_OF_KIND = {kind: Modality(kind.upper()) for kind in KINDS}
_KIND_OF_MODALITY = {modality: kind for kind, modality in _MODALITY_OF_KIND.items()}
_FOLLOWERS = {
    _KIND_OF_MODALITY[leader]: tuple(_KIND_OF_MODALITY[modality] for modality in modalities)
    for leader, modalities in COMPANIONS.items()
}
_SHOWN_WITH_CBF = _FOLLOWERS["cbf"]  # few have these maps


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
        self._leaders: dict[str, slicer.vtkMRMLScalarVolumeNode | None] = {}

    def adopt(self, parameters: ASPECTSParameters) -> None:
        """Take choices as they come, with a scene: nothing is chosen to go with them."""
        self._leaders = {kind: getattr(parameters, kind) for kind in _FOLLOWERS}

    def propose(
        self,
        parameters: ASPECTSParameters,
        arrived: Collection[slicer.vtkMRMLScalarVolumeNode] = (),
    ) -> None:
        """Choose scans from the scene where none is chosen that can be scored, or what goes with one.

        Parameters
        ----------
        parameters
            Get the choices, where they have none yet.
        arrived
            Volumes that were just loaded: of these, what was measured with the chosen scan is chosen, too.
        """
        if self.scan(parameters) is None:
            proposed = proposeVolumes(self._scene, _fileForInstance())
        else:
            companions = self._companions(parameters) if arrived else {}
            proposed = {kind: node for kind, node in companions.items() if node in arrived}
        used = used_inputs(parameters.method)
        for kind, node in proposed.items():
            if _MODALITY_OF_KIND[kind] in used and getattr(parameters, kind) is None:
                setattr(parameters, kind, node)

    def update(self, parameters: ASPECTSParameters) -> None:
        """Enable the scans that the method takes; the others say why not."""
        self._refuseOwnImages(parameters)
        self._followLeaders(parameters)
        used = used_inputs(parameters.method)
        for kind, modality in _MODALITY_OF_KIND.items():
            isUsed = modality in used
            self._selector(kind).setEnabled(isUsed)
            reason = _("No method of this version takes {kind}.")
            if parameters.method != AUTO:
                reason = _("The method {method} does not take {kind}.")
            reason = reason.format(kind=modality.value, method=parameters.method)
            self._selector(kind).setToolTip(self._toolTips[kind] if isUsed else reason)
        for kind in _SHOWN_WITH_CBF:
            for widget in (self._selector(kind), getattr(self._ui, f"{kind}Label")):
                widget.setVisible(parameters.cbf is not None)
        self._ui.ageLabel.setText(_("Age (DICOM)") if self._ageIsFromDicom else _("Age"))

    def forget(self) -> None:
        """Forget the patient: the scene goes."""
        self._ageIsFromDicom = False
        self._leaders.clear()

    @staticmethod
    def release(parameters: ASPECTSParameters, node: slicer.vtkMRMLNode) -> None:
        """Choose nothing in place of a volume that goes: its selector would take the one before it in its list."""
        for kind in KINDS:
            if getattr(parameters, kind) is node:
                setattr(parameters, kind, None)

    def scan(self, parameters: ASPECTSParameters) -> slicer.vtkMRMLScalarVolumeNode | None:
        """Return the scan that the method scores, which a result belongs to; None while there is none."""
        method = self._method(parameters)
        return None if method is None else self._given(parameters)[method.inputs[0]]

    def modality(self, parameters: ASPECTSParameters) -> str:
        """Return what that scan shows, as results name it; head CT while there is none."""
        method = self._method(parameters)
        return (Modality.NCCT if method is None else method.inputs[0]).studied.value

    @staticmethod
    def isChosen(parameters: ASPECTSParameters, node: slicer.vtkMRMLNode) -> bool:
        """Return whether a volume is chosen as any kind of scan."""
        return any(getattr(parameters, kind) is node for kind in KINDS)

    def readAge(self, parameters: ASPECTSParameters, *, isNewPatient: bool) -> None:
        """Take the age from DICOM, where the scan has it; otherwise it is up to the user.

        An age that came with a scene stays as it is.
        """
        if not isNewPatient and parameters.ageYears != AGE_UNKNOWN:
            return
        scan, database, age = self.scan(parameters), _fileForInstance(), None
        if scan is not None and database is not None:
            age = patientAge(scan, database)
        if age is not None:
            parameters.ageYears = min(round(age), MAX_AGE)
        elif isNewPatient:
            parameters.ageYears = AGE_UNKNOWN  # that of another patient
        self._ageIsFromDicom = age is not None
        self.update(parameters)

    def request(self, parameters: ASPECTSParameters) -> Request | None:
        """Return what is to be scored, or None while a scan is missing or stands for two."""
        method = self._method(parameters)
        if method is None or self._isTwice(parameters, method):
            return None
        given = self._given(parameters)
        taken = [one for one in (*method.inputs, *method.optional) if one in given]
        volumes = {_KIND_OF_MODALITY[modality]: given[modality] for modality in taken}
        age = parameters.ageYears
        return Request(volumes, parameters.method, None if age == AGE_UNKNOWN else float(age))

    def whatToDo(self, parameters: ASPECTSParameters) -> str:
        """Say what to choose, or that all is there."""
        method = self._method(parameters)
        if method is None:
            return self._whatIsMissing(parameters)
        if self._isTwice(parameters, method):
            return _("One volume is chosen as two kinds of scan. Choose another for one of them.")
        unused = self._given(parameters).keys() - {*method.inputs, *method.optional}
        isRival = unused & {one.inputs[0] for one in METHODS}
        if not isRival:
            return _("Press Score.")
        sentence = _("Press Score. The {scored} is scored; the {others} is not used.")
        others = ", ".join(_name(modality) for modality in sorted(isRival))
        return sentence.format(scored=_name(method.inputs[0]), others=others)

    def _whatIsMissing(self, parameters: ASPECTSParameters) -> str:
        chosen = [one for one in METHODS if parameters.method in (AUTO, one.name)]
        kinds = [kind for kind in KINDS if _MODALITY_OF_KIND[kind] in {m.inputs[0] for m in chosen}]
        names = [_("a ") + _name(_MODALITY_OF_KIND[kind]) for kind in kinds]
        wanted = _(" or ").join(filter(None, [", ".join(names[:-1]), names[-1]]))
        sentence = _("Choose {wanted} to score.")
        if self._scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0:
            sentence = _("Load {wanted}, for example by dropping its DICOM folder on the window.")
        return sentence.format(wanted=wanted)

    def _method(self, parameters: ASPECTSParameters) -> Method | None:
        """Return the method that scores what is chosen, by the rule of the command line."""
        try:
            return method_for(parameters.method, self._given(parameters))
        except ASPECTSError:
            return None

    @staticmethod
    def _given(parameters: ASPECTSParameters) -> dict[Modality, slicer.vtkMRMLScalarVolumeNode]:
        nodes = {
            modality: getattr(parameters, kind) for kind, modality in _MODALITY_OF_KIND.items()
        }
        return {kind: node for kind, node in nodes.items() if node is not None and hasVoxels(node)}

    def _isTwice(self, parameters: ASPECTSParameters, method: Method) -> bool:
        given = self._given(parameters)
        taken = [given[one].GetID() for one in (*method.inputs, *method.optional) if one in given]
        return len(set(taken)) < len(taken)

    def _followLeaders(self, parameters: ASPECTSParameters) -> None:
        """Let what is measured with a scan be that of the chosen one, when another one is chosen."""
        for kind, followers in _FOLLOWERS.items():
            leader, former = getattr(parameters, kind), self._leaders.get(kind)
            if leader is None or leader is former or not hasVoxels(leader):
                continue
            self._leaders[kind] = leader
            companions = companionsOf(leader, _MODALITY_OF_KIND[kind], _fileForInstance())
            for follower in followers:
                if former is not None or getattr(parameters, follower) is None:
                    setattr(parameters, follower, companions.get(follower))

    @staticmethod
    def _companions(
        parameters: ASPECTSParameters,
    ) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
        """Return what was measured with the chosen scans."""
        found = {}
        for kind in _FOLLOWERS:
            leader = getattr(parameters, kind)
            if leader is not None:
                found |= companionsOf(leader, _MODALITY_OF_KIND[kind], _fileForInstance())
        return found

    @staticmethod
    def _refuseOwnImages(parameters: ASPECTSParameters) -> None:
        """Choose no heat map of a result: a selector whose volume goes takes the next one in its list."""
        for kind in KINDS:
            node = getattr(parameters, kind)
            if node is not None and node.GetAttribute(ROLE_ATTRIBUTE):
                setattr(parameters, kind, None)

    def _selector(self, kind: str) -> Any:
        return getattr(self._ui, f"{kind}Selector")


def _name(modality: Modality) -> str:
    named = {Modality.NCCT: _("head CT"), Modality.CBF: _("CBF map")}
    return named.get(modality, modality.value)


def _fileForInstance() -> FileForInstance | None:
    database = getattr(slicer, "dicomDatabase", None)
    return None if database is None else database.fileForInstance
