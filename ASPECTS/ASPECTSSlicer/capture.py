"""The views as a picture file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

_COLUMNS = 2
_GAP, _GAP_GREY = (
    4,
    96,
)  # pixels, without which the left of one view runs into the right of the next


def captureViews(renderWindows: Sequence[vtk.vtkRenderWindow], path: Path) -> None:
    """Write what render windows show as one PNG file, in two columns.

    The file appears whole or not at all; one that exists is replaced.

    Parameters
    ----------
    renderWindows
        From left to right, then from top to bottom. Smaller ones leave the rest of their place
        black.
    path
        File to write, in a folder that exists.

    Raises
    ------
    OSError
        If there is nothing to show, or the file cannot be written.
    """
    png = viewsPng(renderWindows)
    try:
        # Beside the file, so that it is on the same disk and takes its place in one step.
        with TemporaryDirectory(prefix=".aspects-", dir=path.parent) as folder:
            staged = Path(folder) / "views.png"
            staged.write_bytes(png)
            staged.replace(path)
    except OSError as error:
        message = f"expected to write the picture {path.name}: {error.strerror or error}"
        raise OSError(message) from error


def viewsPng(renderWindows: Sequence[vtk.vtkRenderWindow]) -> bytes:
    """Return what render windows show as one PNG file; see `captureViews`.

    Raises
    ------
    OSError
        If there is nothing to show.
    """
    if not renderWindows or not all(min(window.GetSize()) > 0 for window in renderWindows):
        message = "expected views that are shown, got some without a size"
        raise OSError(message)
    canvas = _sideBySide([_pixels(window) for window in renderWindows])
    picture = vtk.vtkImageData()
    picture.SetDimensions(canvas.shape[1], canvas.shape[0], 1)
    picture.GetPointData().SetScalars(numpy_to_vtk(canvas.reshape(-1, 3), deep=True))
    writer = vtk.vtkPNGWriter()
    writer.WriteToMemoryOn()
    writer.SetInputData(picture)
    writer.Write()
    return vtk_to_numpy(writer.GetResult()).tobytes()


def _pixels(window: vtk.vtkRenderWindow) -> NDArray[np.uint8]:
    """Return what a window shows, shape (height, width, 3), the bottom row first as VTK has it."""
    window.Render()
    grabber = vtk.vtkWindowToImageFilter()
    grabber.SetInput(window)
    grabber.SetInputBufferTypeToRGB()
    grabber.ReadFrontBufferOff()  # the front buffer holds whatever lies over the window
    grabber.Update()
    width, height, _ = grabber.GetOutput().GetDimensions()
    scalars = grabber.GetOutput().GetPointData().GetScalars()
    return vtk_to_numpy(scalars).reshape(height, width, 3).copy()


def _sideBySide(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return images in two columns, the first one on top; rows of pixels run upwards."""
    height, width = (max(image.shape[n] for image in images) for n in (0, 1))
    rows = -(-len(images) // _COLUMNS)
    shape = (rows * (height + _GAP) - _GAP, _COLUMNS * (width + _GAP) - _GAP, 3)
    canvas = np.full(shape, _GAP_GREY, np.uint8)
    for number in range(rows * _COLUMNS):
        row, column = divmod(number, _COLUMNS)
        bottom, left = (rows - 1 - row) * (height + _GAP), column * (width + _GAP)
        place = canvas[bottom : bottom + height, left : left + width]
        place[:] = 0
        if number < len(images):
            image = images[number]
            place[height - image.shape[0] :, : image.shape[1]] = image
    return canvas
