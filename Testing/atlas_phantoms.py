"""A tiny atlas and tiny label maps of whole heads, all of the same phantom; registered to each other in a second."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from synthetic_head_phantoms import SHAPE, phantom_anatomy

from ASPECTSLib.atlas.atlas import Atlas
from ASPECTSLib.atlas.tissues import Tissue
from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.synthesis.anatomy import Anatomy

_STEP = 2  # voxels of the atlas are twice as large as those of the phantom, as in the real one

_FREESURFER = {  # right, left
    Tissue.AIR: (0, 0),
    Tissue.CSF: (24, 24),
    Tissue.VENTRICLE: (43, 4),
    Tissue.CORTEX: (42, 3),
    Tissue.WHITE_MATTER: (41, 2),
    Tissue.CAUDATE: (50, 11),
    Tissue.PUTAMEN: (51, 12),
    Tissue.PALLIDUM: (52, 13),
    Tissue.THALAMUS: (49, 10),
    Tissue.CEREBELLAR_CORTEX: (47, 8),
    Tissue.CEREBELLAR_WHITE_MATTER: (46, 7),
    Tissue.BRAINSTEM: (16, 16),
    Tissue.BONE: (515, 515),
    Tissue.SOFT_TISSUE: (530, 530),
}


def tiny_atlas(shape: tuple[int, int, int] = SHAPE) -> Atlas:
    """Return the phantom as an atlas, in a space of its own whose origin is the middle of the grid."""
    anatomy = phantom_anatomy(shape)
    masks = np.stack([anatomy.tissue == t for t in Tissue]).astype(np.float32)
    blurred = ndimage.gaussian_filter(masks, (0, 0.6, 0.6, 0.6))
    step = slice(None, None, _STEP)
    affine = anatomy.affine @ np.diag([_STEP, _STEP, _STEP, 1.0])
    tissues = np.rint(255 * blurred[:, step, step, step]).astype(np.uint8)
    regions = Volume(anatomy.regions, anatomy.affine)
    return Atlas(tissues, affine, regions, "tiny", "1", {"tissues": "a", "regions": "b"})


def head_labels(anatomy: Anatomy | None = None) -> Volume:
    """Return a head as a label map in FreeSurfer numbering, int16, with air around it."""
    anatomy = anatomy or phantom_anatomy(SHAPE)
    table = np.array([_FREESURFER[t] for t in Tissue], np.int16)
    x = centred_affine(anatomy.tissue.shape, np.ones(3))[0, 3] + np.arange(anatomy.tissue.shape[2])
    labels: NDArray[np.int16] = np.where(x > 0, *np.moveaxis(table[anatomy.tissue], -1, 0))
    padded = np.pad(labels, 6)
    return Volume(padded, centred_affine(padded.shape, np.ones(3)))
