"""Make the age variants of the ASPECTS atlas; run it to reproduce the files with an age in their names.

    python Resources/Atlas/build_age_variants.py ANATOMIES [-o FOLDER] [--cache FOLDER]

ANATOMIES are those of `build_atlas.py`. Each of them gets the ventricles and sulci of a group's mean age, by the rules
that synthetic patients are made with, and all are averaged on the atlas (`ASPECTSLib.atlases.age_variants`). FOLDER
holds the atlas; its card is told of the variants. Takes four minutes once the anatomies are prepared.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ASPECTSLib.atlas.age_groups import AgeGroup
from ASPECTSLib.atlas.atlas import (
    CARD_FILE,
    REGIONS_FILE,
    TISSUES_FILE,
    Atlas,
    age_file,
    load_atlas,
    sha256_of,
)
from ASPECTSLib.atlases.age_variants import GROUP_AGE_YEARS, age_variant
from ASPECTSLib.geometry import Volume
from ASPECTSLib.io.images import to_sitk
from ASPECTSLib.synthesis.anatomy_folder import AnatomyFolder

STORED_STEP = 8  # of the 8-bit probabilities: a variant then takes half the space of the atlas


def main() -> None:
    """Make all variants and write them beside the atlas."""
    arguments = _parse_arguments()
    atlas = load_atlas(arguments.output)
    anatomies = AnatomyFolder(arguments.anatomies, atlas, arguments.cache)
    variants = {}
    for group in AgeGroup:
        print(f"ages {group.value}")
        variant = age_variant(atlas, anatomies, group)
        _write(variant, group, arguments.output)
        variants[group.value] = _record(group, arguments.output)
    path = arguments.output / CARD_FILE
    card = json.loads(path.read_text(encoding="utf-8"))
    card["ages"] = variants
    path.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make the age variants of the ASPECTS atlas.")
    parser.add_argument("anatomies", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent)
    parser.add_argument("--cache", type=Path, help="of prepared anatomies")
    return parser.parse_args()


def _write(variant: Atlas, group: AgeGroup, folder: Path) -> None:
    maps = [to_sitk(Volume(_stored(t), variant.affine)) for t in variant.tissues]
    images = {TISSUES_FILE: sitk.JoinSeries(maps), REGIONS_FILE: to_sitk(variant.regions)}
    for name, image in images.items():
        path = folder / age_file(name, group)
        sitk.WriteImage(image, str(path), useCompression=True, compressionLevel=9)


def _stored(probability: NDArray[np.uint8]) -> NDArray[np.uint8]:
    steps = np.rint(probability / STORED_STEP) * STORED_STEP
    return np.clip(steps, 0, 255).astype(np.uint8)


def _record(group: AgeGroup, folder: Path) -> dict[str, object]:
    names = [age_file(name, group) for name in (TISSUES_FILE, REGIONS_FILE)]
    return {
        "age_years": GROUP_AGE_YEARS[group],
        "synthetic": True,
        "made_by": "ventricles and sulci of the anatomies widened by rule; no scans of people of that age",
        "sha256": {name: sha256_of(folder / name) for name in names},
    }


if __name__ == "__main__":
    main()
