"""The features of `ASPECTSLib.scoring.radiomics` beside those of pyradiomics, on random regions.

    python Testing/benchmarks/radiomics_oracle.py [--regions 20] [--seed 1]

Runs in an environment of its own, `requirements-radiomics.txt`. Each region is a body of random shape, size and spacing
with smooth random grey values from 0 to 255, of eleven bins, as regions on CT angiography have. Prints the largest
relative difference of each class, and ends with status 1 where one exceeds the tolerance.
"""

from __future__ import annotations

import argparse
import logging
import sys

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from radiomics.featureextractor import RadiomicsFeatureExtractor
from scipy import ndimage

from ASPECTSLib.geometry import Volume, centred_affine
from ASPECTSLib.scoring.radiomics.features import CLASSES, all_features
from ASPECTSLib.scoring.radiomics.region import BIN_WIDTH, take_region

TOLERANCE = 1e-6
_SHAPE = (14, 40, 44)


def random_region(rng: np.random.Generator) -> tuple[Volume, NDArray[np.bool_]]:
    """Return grey values from 0 to 255 and the mask of a region."""
    smooth = ndimage.gaussian_filter(rng.normal(size=_SHAPE), rng.uniform(0.5, 2.0))
    level, spread = rng.uniform(60, 200), rng.uniform(5, 60)
    image = np.clip(level + spread * smooth / smooth.std(), 0, 255)
    body = ndimage.gaussian_filter(rng.normal(size=_SHAPE), 4.0)
    mask = body > np.quantile(body, rng.uniform(0.8, 0.97))
    spacing_mm = np.array([rng.uniform(0.4, 1.2)] * 2 + [rng.uniform(0.5, 6.0)])
    return Volume(image, centred_affine(_SHAPE, spacing_mm)), mask


def by_pyradiomics(image: Volume, mask: NDArray[np.bool_]) -> dict[str, float]:
    """Return the features of pyradiomics under the names that ours have."""
    extractor = RadiomicsFeatureExtractor(binWidth=BIN_WIDTH)
    extractor.disableAllFeatures()
    for kind in CLASSES:
        extractor.enableFeatureClassByName(kind)
    given = sitk.GetImageFromArray(image.array)
    marked = sitk.GetImageFromArray(mask.astype(np.uint8))
    for one in (given, marked):
        one.SetSpacing(image.spacing_mm.tolist())
    found = extractor.execute(given, marked)
    return {
        name.removeprefix("original_"): float(value)
        for name, value in found.items()
        if name.startswith("original_")
    }


def main() -> int:
    """Compare the features of some regions; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--regions", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    logging.getLogger("radiomics").setLevel(logging.ERROR)
    rng = np.random.default_rng(arguments.seed)
    worst: dict[str, float] = {}
    for _ in range(arguments.regions):
        image, mask = random_region(rng)
        ours, theirs = all_features(take_region(image, mask)), by_pyradiomics(image, mask)
        for name, value in ours.items():
            error = abs(value - theirs[name]) / max(abs(theirs[name]), 1.0)
            worst[name] = max(worst.get(name, 0.0), error)
    for kind in CLASSES:
        own = {name: error for name, error in worst.items() if name.startswith(f"{kind}_")}
        name = max(own, key=own.get)
        print(f"{kind}: {len(own)} features, largest difference {own[name]:.1e} ({name})")
    return int(max(worst.values()) > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
