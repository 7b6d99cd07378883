"""The atlas registered to a scan that is trained on, as it is in use."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from ASPECTSLib.delineation import register
from ASPECTSLib.errors import ContentRefusedError
from ASPECTSLib.inference.inputs import RegionPrior, fit_affine
from ASPECTSLib.inference.pose import RegisteredAtlas
from ASPECTSLib.prepared import seen_as_in_use
from ASPECTSLib.training.labelled import Labelled

_KEPT: WeakKeyDictionary[Labelled, RegisteredAtlas] = WeakKeyDictionary()


def registered_atlas(scan: Labelled, prior: RegionPrior) -> RegisteredAtlas:
    """Register the atlas of a prior to a scan, once as long as the scan is kept: it takes seconds.

    Parameters
    ----------
    scan
        In the image frame; of other modalities than CT its own brain is registered.
    prior
        Of the atlas.

    Returns
    -------
    RegisteredAtlas
        Not deformed, in the pose of the true regions, where the program would refuse the scan.
    """
    kept = _KEPT.get(scan)
    if kept is None or kept.regions is not prior.atlas.regions:
        kept = _KEPT[scan] = _register(scan, prior)
    return kept


def _register(scan: Labelled, prior: RegionPrior) -> RegisteredAtlas:
    atlas = prior.atlas
    mask = scan.image.with_array(scan.brain)
    try:
        brain = seen_as_in_use(scan.image, mask, scan.modality, atlas)
        return RegisteredAtlas(atlas.regions, register(brain, atlas).mapping)
    except ContentRefusedError:
        pose = fit_affine(prior.centres_mm, scan.centres_mm, scan.volumes_ml)
        return RegisteredAtlas.in_pose(atlas.regions, pose)
