"""Volumes of the scene: which to score, how old the patient was, and the file that is scored."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import SimpleITK as sitk
import slicer

from ASPECTSLib.io.dicom import age_in_years
from ASPECTSLib.io.dicom_frames import read_header
from ASPECTSLib.io.images import to_sitk
from ASPECTSLib.io.modality import Modality, recognise_modality
from ASPECTSLib.io.scan import MIN_SLICES
from ASPECTSSlicer.worldspace import worldVolume

ROLE_ATTRIBUTE = "ASPECTS.role"
"""Attribute of the nodes that hold a result; they are no scans."""

PROPOSED = (Modality.NCCT, Modality.CTA, Modality.DWI, Modality.ADC, Modality.CBF)

_AIR_BELOW_HU, _BONE_ABOVE_HU = -200.0, 300.0  # a CT of a head in air goes beyond both
_CT_NAME = re.compile(r"\b(n?c?ct|cta|ctp|nect)\b")
_AGE_KEYWORDS = ("PatientAge", "PatientBirthDate", "StudyDate")


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


def proposeVolumes(scene: slicer.vtkMRMLScene) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
    """Guess which volume is which kind of scan, the latest that was loaded of each.

    DICOM's modality counts where Slicer kept it; elsewhere a volume is CT if its name or its voxels
    say so. Series descriptions and names tell the rest, by the rules of the library's DICOM reader.

    Returns
    -------
    dict
        Nodes by "ncct", "cta", "dwi", "adc" and "cbf"; kinds without a volume are left out.
    """
    proposed = {}
    for volumeNode in _scans(scene):
        kind = recognise_modality(_dicomModality(volumeNode), _description(volumeNode))
        if kind in PROPOSED:
            proposed[kind.value.lower()] = volumeNode
    return proposed


def patientAge(
    volumeNode: slicer.vtkMRMLScalarVolumeNode, fileForInstance: Callable[[str], str]
) -> float | None:
    """Return the patient's age at the scan in years, if the volume came from DICOM files that say so.

    Parameters
    ----------
    volumeNode
        A volume with the instance UIDs that Slicer's DICOM reader leaves on it.
    fileForInstance
        Returns the path of the file with an instance UID, or an empty text; `fileForInstance` of
        Slicer's DICOM database.
    """
    uids = (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split()
    path = fileForInstance(uids[0]) if uids else ""
    header = read_header(Path(path), _AGE_KEYWORDS) if path else None
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
    scene = volumeNode.GetScene()
    hierarchy = scene.GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode")
    item = hierarchy.GetItemByDataNode(volumeNode) if hierarchy else 0
    return hierarchy.GetItemAttribute(item, f"DICOM.{name}") if item else ""
