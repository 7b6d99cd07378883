"""DICOM series of phantoms, written slice by slice as scanners do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileDataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ImplicitVRLittleEndian, generate_uid

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
AIR_HU = -1000
Anatomy = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def cuboid(points_lps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return HU of a box of tissue in air, 80 x 100 x 60 mm around (6, -9, 50) mm LPS."""
    distance = np.abs(points_lps - np.array([6.0, -9.0, 50.0])) / np.array([40.0, 50.0, 30.0])
    return np.where(distance.max(axis=-1) <= 1.0, 40.0, AIR_HU)


def blob(points_lps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return HU that rise smoothly from air to 1000 at (6, -9, 50) mm LPS, nowhere steeply."""
    distance = (points_lps - np.array([6.0, -9.0, 50.0])) / np.array([20.0, 15.0, 18.0])
    return AIR_HU + 2000.0 * np.exp(-0.5 * (distance**2).sum(axis=-1))


def ramp(points_lps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return HU that grow by 2 per mm to the head, 1 to the left and 3 to the back."""
    return np.rint(points_lps @ np.array([1.0, 3.0, 2.0]))


def depths(*runs: tuple[int, float]) -> NDArray[np.float64]:
    """Return depths in mm from 0 up, for runs of (number of gaps, gap in mm)."""
    gaps = [gap for count, gap in runs for _ in range(count)]
    return np.concatenate([[0.0], np.cumsum(gaps)])


def upright(depths_mm: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return positions LPS of slices above one another, centred on the cuboid."""
    return np.array([[-90.0, -105.0, depth] for depth in depths_mm])


def tilted(degrees: float) -> tuple[float, ...]:
    """Return the orientation of slices from a gantry tilted about the left-right axis."""
    angle = np.radians(degrees)
    return (1.0, 0.0, 0.0, 0.0, float(np.cos(angle)), float(-np.sin(angle)))


def write_series(
    folder: Path,
    positions_lps: NDArray[np.float64],
    *,
    anatomy: Anatomy = cuboid,
    orientation: tuple[float, ...] = AXIAL,
    shape: tuple[int, int] = (64, 64),
    pixel_spacing_mm: tuple[float, float] = (3.0, 3.0),
    name: str = "image",
    **tags: Any,
) -> list[Path]:
    """Write one file a slice; `tags` are elements to set, or to leave out if None."""
    folder.mkdir(parents=True, exist_ok=True)
    common = {
        "Modality": "CT",
        "SeriesInstanceUID": generate_uid(),
        "StudyInstanceUID": "1.2.3",
        "SeriesNumber": 1,
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "SliceThickness": 5.0,
    } | tags
    paths = []
    for index, position in enumerate(positions_lps):
        points = _points(position, orientation, shape, pixel_spacing_mm)
        stored = np.rint((anatomy(points) + 1024) / float(common["RescaleSlope"] or 1))
        header = common | {
            "InstanceNumber": index + 1,
            "ImagePositionPatient": [f"{value:.8g}" for value in position],
            "ImageOrientationPatient": [f"{value:.8g}" for value in orientation],
            "PixelSpacing": list(pixel_spacing_mm),
        }
        paths.append(folder / f"{name}{index:03d}")
        write_image(paths[-1], stored.astype(np.int16), **header)
    return paths


def write_image(path: Path, pixels: NDArray[np.int16], **tags: Any) -> None:
    """Write one image, or several frames, with stored values as they are."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset = FileDataset(path, Dataset(), file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 1
    dataset.PixelData = pixels.tobytes()
    for keyword, value in tags.items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.save_as(path)


def _points(
    position: NDArray[np.float64],
    orientation: tuple[float, ...],
    shape: tuple[int, int],
    pixel_spacing_mm: tuple[float, float],
) -> NDArray[np.float64]:
    """Return where the pixels of a slice lie, LPS mm, shape (rows, columns, 3)."""
    rows, columns = np.indices(shape)
    along_row, down_column = np.array(orientation[:3]), np.array(orientation[3:])
    return (
        position
        + rows[..., None] * pixel_spacing_mm[0] * down_column
        + columns[..., None] * pixel_spacing_mm[1] * along_row
    )
