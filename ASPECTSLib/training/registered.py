"""The atlas registered to a scan that is trained on, as it is in use."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.delineation import register, seen_as_in_use
from ASPECTSLib.errors import ContentRefusedError
from ASPECTSLib.inference.inputs import fit_affine, label_centres
from ASPECTSLib.inference.pose import RegisteredAtlas
from ASPECTSLib.training.labelled import Labelled

_KEPT: WeakKeyDictionary[Labelled, RegisteredAtlas] = WeakKeyDictionary()


def registered_atlas(scan: Labelled, atlas: Atlas) -> RegisteredAtlas:
    """Register an atlas to a scan, once as long as the scan is kept: it takes seconds.

    Parameters
    ----------
    scan
        In the image frame; of other modalities than CT its own brain is registered.
    atlas
        Tissues and regions.

    Returns
    -------
    RegisteredAtlas
        Not deformed, in the pose of the true regions, where the program would refuse the scan.
    """
    if scan not in _KEPT:
        _KEPT[scan] = _register(scan, atlas)
    return _KEPT[scan]


def _register(scan: Labelled, atlas: Atlas) -> RegisteredAtlas:
    mask = scan.image.with_array(scan.brain)
    try:
        brain = seen_as_in_use(scan.image, mask, scan.modality, atlas)
        return RegisteredAtlas(atlas.regions, register(brain, atlas)[1])
    except ContentRefusedError:
        centres_mm, _ = label_centres(atlas.regions, len(scan.volumes_ml))
        pose = fit_affine(centres_mm, scan.centres_mm, scan.volumes_ml)
        return RegisteredAtlas.in_pose(atlas.regions, pose)
