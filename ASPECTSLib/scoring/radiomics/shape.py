"""Features of a region's shape that need no mesh.

Surface, mesh volume and what follows from them are left out: they depend on how a mesh is drawn around voxels.
Definitions of Zwanenburg et al. 2020, doi:10.1148/radiol.2020191145 (IBSI).
"""

from __future__ import annotations

import numpy as np

from ASPECTSLib.scoring.radiomics.region import Region


def shape_features(region: Region) -> dict[str, float]:
    """Return volume and axes of a region by name, in mm and mm3."""
    points = region.places * region.spacing_mm
    centred = (points - points.mean(axis=0)) / np.sqrt(len(points))
    least, minor, major = np.sqrt(np.maximum(np.linalg.eigvalsh(centred.T @ centred), 0.0))
    return {
        "VoxelVolume": float(len(points) * np.prod(region.spacing_mm)),
        "MajorAxisLength": float(4.0 * major),
        "MinorAxisLength": float(4.0 * minor),
        "LeastAxisLength": float(4.0 * least),
        "Elongation": float(minor / major) if major else float("nan"),
        "Flatness": float(least / major) if major else float("nan"),
    }
