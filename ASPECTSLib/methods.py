"""The methods: complete systems by name, and what each of them needs."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection
from dataclasses import dataclass

from ASPECTSLib.errors import ErrorCode, InputRefusedError, UsageError
from ASPECTSLib.io.modality import Modality

ATLAS_REGISTRATION = "atlas-registration"
AUTO = "auto"
CLASSICAL = "classical"
CTA_RADIOMICS = "cta-radiomics"
CTA_RATIO = "cta-ratio"
CTP_CBF = "ctp-cbf"
DWI_UNET3D = "dwi-unet3d"
NCCT_COMBINED = "ncct-combined"
NCCT_DANET = "ncct-danet"
NCCT_UNET = "ncct-unet"


@dataclass(frozen=True)
class Method:
    """A complete system.

    Parameters
    ----------
    name
        As `--method` takes it.
    title
        For a person.
    inputs
        The scans that it needs, all of them; the first is the one that is scored.
    optional
        Scans that it takes besides, where they are there.
    reason
        Why `auto` takes it, in one sentence; None while `auto` prefers others.
    packages
        Python packages that it needs beyond those that Slicer bundles.
    """

    name: str
    title: str
    inputs: tuple[Modality, ...]
    optional: tuple[Modality, ...] = ()
    reason: str | None = None
    packages: tuple[str, ...] = ()

    @property
    def is_installed(self) -> bool:
        """Whether its packages are there; they are looked for, not imported."""
        return all(importlib.util.find_spec(package) for package in self.packages)


METHODS = (
    Method(
        DWI_UNET3D,
        "dwi-unet3d: infarct on diffusion MRI by a 3-D U-Net",
        (Modality.DWI,),
        (Modality.ADC, Modality.B0),
        "dwi-unet3d is the only method that scores diffusion MRI.",
        ("torch",),
    ),
    Method(
        CTP_CBF,
        "ctp-cbf: infarct core on CT perfusion by its blood flow",
        (Modality.CBF,),
        (Modality.NCCT, Modality.CBV, Modality.TMAX),
        "ctp-cbf is taken where there is a map of blood flow: it shows a core hours before head CT does.",
    ),
    Method(
        NCCT_COMBINED,
        "ncct-combined: density, infarct and asymmetry of each region together",
        (Modality.NCCT,),
        reason="ncct-combined is taken for head CT: on synthetic patients it tells affected regions as well as the "
        "best of the three methods that it weighs, on the few real scans with a reading as well as each, and it shows "
        "the infarct; see the README under 'How well it works'.",
        packages=("torch", "monai"),
    ),
    Method(
        CLASSICAL,
        "classical: atlas and difference of sides",
        (Modality.NCCT,),
        reason="classical is taken for head CT where PyTorch and MONAI are not installed, which ncct-combined needs.",
    ),
    Method(
        CTA_RADIOMICS,
        "cta-radiomics: features of the regions on CT angiography, and support vectors",
        (Modality.CTA,),
        reason="cta-radiomics is taken for CT angiography: on synthetic patients it is right as often as cta-ratio, "
        "whose cut-points were made for a side that a person names; neither was tried on real ones.",
    ),
    Method(
        CTA_RATIO,
        "cta-ratio: published cut-points of the density ratio on CT angiography",
        (Modality.CTA,),
    ),
    Method(
        NCCT_UNET,
        "ncct-unet: infarct on slices by a network",
        (Modality.NCCT,),
        packages=("torch", "monai"),
    ),
    Method(
        NCCT_DANET,
        "ncct-danet: sides compared by networks",
        (Modality.NCCT,),
        packages=("torch",),
    ),
    Method(
        ATLAS_REGISTRATION,
        "atlas-registration: atlas of the patient's age, or of two slices, and difference of sides",
        (Modality.NCCT,),
    ),
)
"""The best first: where scans of several kinds are there, that of the first method is scored. What is best on NCCT is
what calls real scans best, not synthetic ones."""

METHOD_NAMES = (AUTO, *(method.name for method in METHODS))


def check_method(name: str) -> None:
    """Refuse a name that is no method's.

    Raises
    ------
    UsageError
        METHOD_UNAVAILABLE.
    """
    if name not in METHOD_NAMES:
        message = f"expected a method out of {', '.join(METHOD_NAMES)}, got {name}"
        raise UsageError(ErrorCode.METHOD_UNAVAILABLE, message)


def method_for(name: str, given: Collection[Modality]) -> Method:
    """Return the method of a name for some scans; for `auto` the best one whose packages are installed.

    Where the packages of none are, that is the best one, which then says what it needs.

    Raises
    ------
    UsageError
        METHOD_UNAVAILABLE if there is no such method.
    InputRefusedError
        METHOD_UNAVAILABLE if the method, or any at all, does not score these kinds of scans.
    """
    check_method(name)
    chosen = [method for method in METHODS if name in {AUTO, method.name}]
    able = [method for method in chosen if set(method.inputs) <= set(given)]
    if able:
        return next((method for method in able if method.is_installed), able[0])
    wanted = " or ".join(sorted({method.inputs[0].value for method in chosen}))
    got = ", ".join(sorted(modality.value for modality in given))
    asked = "no method of this version scores it" if name == AUTO else f"{name} does not score it"
    message = f"expected {wanted}, got {got}; {asked}"
    raise InputRefusedError(ErrorCode.METHOD_UNAVAILABLE, message)


def used_inputs(name: str) -> frozenset[Modality]:
    """Return the scans that a method takes; for `auto`, those that any method takes."""
    chosen = METHODS if name == AUTO else [m for m in METHODS if m.name == name]
    return frozenset(modality for m in chosen for modality in (*m.inputs, *m.optional))
