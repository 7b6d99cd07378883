"""How often the contrast phase of synthetic CT angiographies is told rightly.

    python Testing/benchmarks/cta_phase.py COHORT [--patients N] [--skip N]

COHORT is what `aspects synthesize --modality cta` writes; the phase of each patient follows from the seed in its
`truth.json`. Brain and midsagittal plane are found as the program does, the regions are those of the cohort. True is
the filling of veins over that of arteries as it was drawn, in the classes that Pfaff et al. 2021
(doi:10.1007/s00330-021-08084-5) describe: arterial below one half, venous from one on, arteriovenous between.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from ASPECTSLib.evidence import average_slices, averaged_slices
from ASPECTSLib.geometry import canonicalize, expand
from ASPECTSLib.io.images import read_image
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.preprocessing.brain import brain_mask
from ASPECTSLib.preprocessing.midplane import find_midplane
from ASPECTSLib.preprocessing.units import to_hounsfield
from ASPECTSLib.scoring.contrast_phase import BLOOD_HU, Contrast, Phase, measure_contrast
from ASPECTSLib.statistics.proportions import proportion
from ASPECTSLib.synthesis.contrasts import ARTERY_HU, VEIN_HU, value_at
from ASPECTSLib.synthesis.cta import draw_timing
from ASPECTSLib.synthesis.draw import Draw

FILLED, VENOUS = 0.5, 1.0


def main() -> None:
    """Print a line a patient, and how often the phase is right, wrong and not sure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--patients", type=int, help="the first so many")
    parser.add_argument("--skip", type=int, default=0, help="patients to leave out before")
    arguments = parser.parse_args()
    cases = sorted(path for path in arguments.cohort.iterdir() if (path / "cta").is_dir())
    cases = cases[arguments.skip :][: arguments.patients]
    said, true, shares = [], [], []
    for case in cases:
        contrast, share = measured(case / "cta"), true_share(case)
        said.append(contrast.phase)
        true.append(phase_of(share))
        shares.append((share, np.nan if contrast.share is None else contrast.share))
        print(
            f"{case.name}: {true[-1]} ({share:.2f}), said {said[-1] or 'not sure'} ({shares[-1][1]:.2f}; arteries "
            f"{contrast.artery_hu:.0f}, veins {contrast.vein_hu:.0f} HU)",
            flush=True,
        )
    summarise(said, true, np.array(shares))


def summarise(said: list[Phase | None], true: list[Phase], shares: np.ndarray) -> None:
    """Print how often the phase is right, by the true one."""
    for phase in (*Phase, None):
        told = [s for s, t in zip(said, true, strict=True) if phase in {t, None}]
        truth = [t for t in true if phase in {t, None}]
        if not truth:
            continue
        right = sum(s is t for s, t in zip(told, truth, strict=True))
        unsure = sum(s is None for s in told)
        sure = proportion(right, len(told) - unsure) if len(told) > unsure else None
        share = (
            f"; right where sure {sure.value:.2f} ({sure.low:.2f} to {sure.high:.2f})"
            if sure
            else ""
        )
        print(f"{phase or 'all'}: {len(truth)} patients, {right} right, {unsure} not sure{share}")
    known = np.isfinite(shares[:, 1])
    print(f"correlation of the shares: {np.corrcoef(shares[known].T)[0, 1]:.2f}")


def measured(folder: Path) -> Contrast:
    """Measure one scan."""
    canonical = canonicalize(to_hounsfield(read_image(folder / "image.nii.gz"))[0])
    volume = canonical.volume
    labels = canonical.reorder(read_image(folder / "regions.nii.gz").array)
    averaged = average_slices(volume)
    mask = brain_mask(averaged)
    brain = expand(mask.array, (1, 1, averaged_slices(volume)), volume).array
    return measure_contrast(volume, brain, labels, find_midplane(averaged).pose)


def true_share(case: Path) -> float:
    """Return the filling of veins over that of arteries of a synthetic patient."""
    seed = json.loads((case / "truth.json").read_text(encoding="utf-8"))["seed"]
    phase, _ = draw_timing(Draw(seed).part(Modality.CTA.value).part("cta"))
    return (value_at(VEIN_HU, phase) - BLOOD_HU) / (value_at(ARTERY_HU, phase) - BLOOD_HU)


def phase_of(share: float) -> Phase:
    """Return the phase of a true share."""
    if share < FILLED:
        return Phase.ARTERIAL
    return Phase.VENOUS if share >= VENOUS else Phase.ARTERIOVENOUS


if __name__ == "__main__":
    main()
