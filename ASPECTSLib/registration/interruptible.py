"""Running SimpleITK's iterative methods so that they can be cancelled."""

from __future__ import annotations

from typing import TypeVar

import SimpleITK as sitk

from ASPECTSLib.progress import Progress

_Result = TypeVar("_Result", sitk.Image, sitk.Transform)


def execute(
    method: sitk.ImageRegistrationMethod | sitk.ImageFilter, progress: Progress, *images: sitk.Image
) -> _Result:
    """Execute an iterative method and ask between its iterations whether to go on.

    Parameters
    ----------
    method
        Anything of SimpleITK that iterates and can be aborted.
    progress
        Asked for cancellation.
    images
        Passed on.

    Raises
    ------
    CancelledError
        If the work was cancelled meanwhile.
    """
    method.AddCommand(
        sitk.sitkIterationEvent, lambda: method.Abort() if progress.is_cancelled() else None
    )
    try:
        with progress.native():
            return method.Execute(*images)
    except RuntimeError:
        progress.check()  # an abort surfaces as an error of the method
        raise
    finally:
        method.RemoveAllCommands()
        progress.check()
