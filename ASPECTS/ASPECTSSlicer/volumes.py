"""Volumes of the scene: which to score, how old the patient was, and the file that is scored."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import slicer
from pydicom import Dataset

from ASPECTSLib.io.bvalues import is_stroke_weighting
from ASPECTSLib.io.dicom import age_in_years
from ASPECTSLib.io.dicom_bvalues import B_VALUE_TAGS, b_value_of
from ASPECTSLib.io.dicom_frames import read_header, text
from ASPECTSLib.io.images import to_sitk
from ASPECTSLib.io.modality import Modality, recognise_modality
from ASPECTSLib.io.scan import MIN_SLICES
from ASPECTSSlicer.worldspace import worldVolume

ROLE_ATTRIBUTE = "ASPECTS.role"
"""Attribute of the nodes that hold a result; they are no scans."""

PROPOSED = (Modality.NCCT, Modality.CTA, Modality.DWI, Modality.CBF)
COMPANIONS = {
    Modality.DWI: (Modality.ADC, Modality.B0),
    Modality.CBF: (Modality.CBV, Modality.TMAX),
}
"""Proposed only with the scan that they were measured with."""

FileForInstance = Callable[[str], str]
"""Returns the path of the DICOM file with an instance UID, or an empty text; `fileForInstance` of Slicer's database."""

_AIR_BELOW_HU, _BONE_ABOVE_HU = -200.0, 300.0  # a CT of a head in air goes beyond both
_CT_NAME = re.compile(r"\b(n?c?ct|cta|ctp|nect)\b")
_AGE_KEYWORDS = ("PatientAge", "PatientBirthDate", "StudyDate")
_KIND_KEYWORDS = ("ImageType", *B_VALUE_TAGS)
# "b1000", "b = 0", and what Slicer adds where it splits a series: "for DiffusionBValue of 0"
_B_VALUE_NAME = re.compile(r"\b(?:b ?=? ?|(?:diffusion)?b ?value ?(?:of|=)? ?)(\d+)\b")
_MAP_NAMES = {
    Modality.CBV: re.compile(r"\br?cbv\b|blood volume"),
    Modality.TMAX: re.compile(r"\bt ?max\b"),
}  # no method scores these, so the library's rules do not tell them
_SAME_PLACE_MM = 5.0  # of the edges of scans of one acquisition


def writeScan(volumeNode: slicer.vtkMRMLScalarVolumeNode, path: Path) -> None:
    """Write a volume in world space, without anything that names the patient; the scene stays as it is.

    Parameters
    ----------
    volumeNode
        The volume; how its parent transform is applied, see `worldVolume`.
    path
        A .nrrd file, written without compression and with its matrix in double precision.

    Raises
    ------
    OSError
        If the volume has no voxels, or several values in each, its transform has no inverse, or the
        file cannot be written.
    """
    volume = worldVolume(volumeNode)
    try:
        sitk.WriteImage(to_sitk(volume), str(path), useCompression=False)
    except RuntimeError as error:
        message = f"expected to write the volume as {path.name}, but its folder does not take it"
        raise OSError(message) from error


def hasVoxels(volumeNode: slicer.vtkMRMLVolumeNode) -> bool:
    """Return whether there is an image in a volume, which one that failed to load has not."""
    image = volumeNode.GetImageData()
    return image is not None and image.GetNumberOfPoints() > 0


def proposeVolumes(
    scene: slicer.vtkMRMLScene, fileForInstance: FileForInstance | None = None
) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
    """Guess which volume is which kind of scan, the latest that was loaded of each.

    All are of the study that the latest of them belongs to in the subject hierarchy, as scans of
    several patients may be loaded.

    Parameters
    ----------
    scene
        The scene.
    fileForInstance
        As for `kindOf`.

    Returns
    -------
    dict
        Nodes by "ncct", "cta", "dwi", "adc", "b0", "cbf", "cbv" and "tmax"; kinds without a volume are left out.
    """
    kinds = [(kindOf(volumeNode, fileForInstance), volumeNode) for volumeNode in _scans(scene)]
    found = [(kind, volumeNode) for kind, volumeNode in kinds if kind in PROPOSED]
    if not found:
        return {}
    study = _studyItem(found[-1][1])
    proposed = {kind: node for kind, node in found if _studyItem(node) == study}
    named = {kind.value.lower(): node for kind, node in proposed.items()}
    for leader in proposed.keys() & COMPANIONS.keys():
        named |= companionsOf(proposed[leader], leader, fileForInstance)
    return named


def companionsOf(
    leaderNode: slicer.vtkMRMLScalarVolumeNode,
    leader: Modality,
    fileForInstance: FileForInstance | None = None,
) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
    """Return what was measured with a scan, the latest of each kind, such as "adc" and "b0" of diffusion.

    It belongs to the same study, and lies at the same place.

    Parameters
    ----------
    leaderNode
        The scan.
    leader
        What it shows, one of `COMPANIONS`.
    fileForInstance
        As for `kindOf`.
    """
    found = {}
    for node in _scans(leaderNode.GetScene()):
        kind = kindOf(node, fileForInstance) or _mapOf(node)
        isWanted = kind in COMPANIONS[leader] and node is not leaderNode
        if isWanted and _isOfOneAcquisition(node, leaderNode):
            found[kind.value.lower()] = node
    return found


def kindOf(
    volumeNode: slicer.vtkMRMLScalarVolumeNode, fileForInstance: FileForInstance | None = None
) -> Modality | None:
    """Guess what a volume shows; None where nothing tells, or no method could use it.

    DICOM's modality counts where Slicer kept it; elsewhere a volume is CT if its name or its voxels
    say so. Series descriptions, names, image type and b-value tell the rest, by the rules of the
    library's DICOM reader.

    Parameters
    ----------
    volumeNode
        A volume with voxels.
    fileForInstance
        To look into the header of a volume from DICOM files, where there is a database.
    """
    description, b_value = _description(volumeNode), None
    header = _header(volumeNode, fileForInstance, _KIND_KEYWORDS)
    if header is not None:
        description, b_value = f"{text(header, 'ImageType')} {description}", b_value_of([header])
    if b_value is None:
        named = [float(value) for value in _B_VALUE_NAME.findall(_words(description))]
        b_value = max(named, default=None)
    kind = recognise_modality(_dicomModality(volumeNode), description, b_value=b_value)
    isOtherWeighting = b_value is not None and not is_stroke_weighting(b_value)
    return None if kind is Modality.DWI and isOtherWeighting else kind


def _mapOf(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> Modality | None:
    """Guess by its name which map of perfusion beside the blood flow a volume is; None for all others."""
    words = _words(_description(volumeNode))
    return next((kind for kind, name in _MAP_NAMES.items() if name.search(words)), None)


def scoredKind(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> str:
    """Return as what a volume is scored where nobody says: "dwi" if it looks like one, else "ncct"."""
    isWeighted = hasVoxels(volumeNode) and kindOf(volumeNode) is Modality.DWI
    return (Modality.DWI if isWeighted else Modality.NCCT).value.lower()


def patientAge(
    volumeNode: slicer.vtkMRMLScalarVolumeNode, fileForInstance: FileForInstance
) -> float | None:
    """Return the patient's age at the scan in years, if the volume came from DICOM files that say so.

    Parameters
    ----------
    volumeNode
        A volume with the instance UIDs that Slicer's DICOM reader leaves on it.
    fileForInstance
        Of Slicer's DICOM database.
    """
    header = _header(volumeNode, fileForInstance, _AGE_KEYWORDS)
    return None if header is None else age_in_years(header)


def nodesOfClass(scene: slicer.vtkMRMLScene, className: str) -> list[slicer.vtkMRMLNode]:
    """Return the nodes of a class and of those derived from it, in the order of the scene.

    `slicer.util.getNodesByClass` does not do: it looks into the application's scene only.
    """
    count = scene.GetNumberOfNodesByClass(className)
    return [scene.GetNthNodeByClass(index, className) for index in range(count)]


def _scans(scene: slicer.vtkMRMLScene) -> Iterator[slicer.vtkMRMLScalarVolumeNode]:
    """Yield the volumes that may be scans of a head, in the order in which they were loaded."""
    for volumeNode in nodesOfClass(scene, "vtkMRMLScalarVolumeNode"):
        isPlain = volumeNode.GetClassName() == "vtkMRMLScalarVolumeNode"  # no label map, no colours
        isHidden = volumeNode.GetHideFromEditors() or volumeNode.GetAttribute(ROLE_ATTRIBUTE)
        image = volumeNode.GetImageData()
        if isPlain and not isHidden and image and min(image.GetDimensions()) >= MIN_SLICES:
            yield volumeNode


def _header(
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    fileForInstance: FileForInstance | None,
    keywords: Iterable[str | int],
) -> Dataset | None:
    """Read elements of the first DICOM file of a volume; None where there is none."""
    uids = (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split()
    path = fileForInstance(uids[0]) if uids and fileForInstance is not None else ""
    return read_header(Path(path), keywords) if path else None


def _isOfOneAcquisition(
    volumeNode: slicer.vtkMRMLScalarVolumeNode, other: slicer.vtkMRMLScalarVolumeNode
) -> bool:
    bounds = np.zeros((2, 6))
    for node, values in zip((volumeNode, other), bounds, strict=True):
        node.GetRASBounds(values)
    isAtOnePlace = np.abs(bounds[0] - bounds[1]).max() < _SAME_PLACE_MM
    return bool(isAtOnePlace) and _studyItem(volumeNode) == _studyItem(other)


def _studyItem(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> int:
    """Return what a volume lies in: the item of its study, if the DICOM browser loaded it; 0 for nothing."""
    hierarchy, item = _hierarchyItem(volumeNode)
    return hierarchy.GetItemParent(item) if item else 0


def _dicomModality(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> str:
    """Return "CT" or "MR" as in the DICOM header, or as name and voxels suggest."""
    modality = _hierarchyAttribute(volumeNode, "Modality")
    if modality:
        return modality
    if _CT_NAME.search(_words(_description(volumeNode))):
        return "CT"
    lowest, highest = volumeNode.GetImageData().GetScalarRange()
    return "CT" if lowest <= _AIR_BELOW_HU and highest > _BONE_ABOVE_HU else "MR"


def _description(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> str:
    return f"{volumeNode.GetName()} {_hierarchyAttribute(volumeNode, 'SeriesDescription')}"


def _words(text: str) -> str:
    return re.sub(r"[_^\\.-]", " ", text.lower())


def _hierarchyAttribute(volumeNode: slicer.vtkMRMLScalarVolumeNode, name: str) -> str:
    """Return what the DICOM browser noted of a series, empty if nothing."""
    hierarchy, item = _hierarchyItem(volumeNode)
    return hierarchy.GetItemAttribute(item, f"DICOM.{name}") if item else ""


def _hierarchyItem(
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
) -> tuple[slicer.vtkMRMLSubjectHierarchyNode | None, int]:
    hierarchy = volumeNode.GetScene().GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode")
    return hierarchy, hierarchy.GetItemByDataNode(volumeNode) if hierarchy else 0
