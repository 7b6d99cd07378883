"""Training samples of synthetic patients, made on the fly: sample n is the same patient on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ASPECTSLib.geometry import Volume
from ASPECTSLib.inference.inputs import RegionPrior
from ASPECTSLib.io.modality import Modality
from ASPECTSLib.synthesis.draw import Draw
from ASPECTSLib.synthesis.generator import (
    LabelName,
    PatientRange,
    Sources,
    SyntheticScan,
    draw_patient,
    labels_on,
    scan_patient,
)
from ASPECTSLib.training.labelled import Labelled
from ASPECTSLib.training.views import View

MAIN_IMAGE = {
    Modality.NCCT: "ncct",
    Modality.CTA: "cta",
    Modality.DWI: "dwi",
    Modality.CBF: "cbf",
    Modality.ADC: "adc",
    Modality.B0: "b0",
}
"""The image of a modality that regions and brain are found on."""


@dataclass(frozen=True, eq=False)
class PatientStream:
    """What a data set draws from.

    Parameters
    ----------
    sources
        Anatomies and infarct shapes.
    patients
        How patients differ.
    modalities
        All as likely.
    seed
        Of the stream: streams of different seeds share no patient.
    looks
        Samples that are made of one scan: making a patient takes longer than learning from it.
    at_once
        Patients that are looked at by turns. With one, a patient's looks come in a row, and a batch of small samples
        would be of one patient only; with more, so many scans are kept, and one after another is replaced.
    """

    sources: Sources
    patients: PatientRange
    modalities: Sequence[Modality]
    seed: tuple[int, ...]
    looks: int = 1
    at_once: int = 1

    def place(self, index: int) -> tuple[int, int]:
        """Return which patient a sample is of, and which of the looks at that patient it is."""
        turn, seat = divmod(index, self.at_once)
        # Seats change hands one after another, not all at the same time.
        generation, look = divmod(turn + seat * self.looks // self.at_once, self.looks)
        return generation * self.at_once + seat, look


class PatientDataset(Dataset):
    """Samples of synthetic patients as one network sees them.

    Parameters
    ----------
    stream
        What patients are drawn from.
    view
        What the network sees.
    prior
        Gives the pose of the fine view.
    count
        How many samples there are; they are made when asked for.
    """

    def __init__(self, stream: PatientStream, view: View, prior: RegionPrior, count: int) -> None:
        self._stream, self._view, self._prior, self._count = stream, view, prior, count
        self._kept: dict[int, tuple[int, Labelled]] = {}

    def __getstate__(self) -> dict[str, object]:
        """Return what goes to workers: not the scans that are kept."""
        return {**self.__dict__, "_kept": {}}

    def __len__(self) -> int:
        """Return the number of samples."""
        return self._count

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """Return image (channels, k, j, i), float32, and labels (k, j, i), uint8, of a sample."""
        number, look = self._stream.place(index)
        draw = Draw((*self._stream.seed, number)).part(f"look {look}")
        image, labels = self._view.look(self._scan(number), self._prior, draw)
        return {"image": torch.from_numpy(image), "labels": torch.from_numpy(labels)}

    def _scan(self, number: int) -> Labelled:
        """Return the scan of a patient; the last of each seat is kept, as its next look is mostly asked for next."""
        seat = number % self._stream.at_once
        if seat not in self._kept or self._kept[seat][0] != number:
            self._kept[seat] = number, self._make(number)
        return self._kept[seat][1]

    def _make(self, number: int) -> Labelled:
        stream = self._stream
        seed = (*stream.seed, number)
        modality = Draw(seed).part("modality").pick(stream.modalities)
        patient = draw_patient(stream.sources, seed, stream.patients)
        return labelled(scan_patient(patient, _acquired_as(modality), stream.patients), modality)


def labelled(scan: SyntheticScan, modality: Modality) -> Labelled:
    """Return a synthetic scan that can tell its truth on any grid."""
    return Labelled(
        image=scan.images[MAIN_IMAGE[modality]],
        modality=modality,
        regions_on=lambda grid: _labels(scan, grid, "regions"),
        brain_on=lambda grid: _labels(scan, grid, "brain") > 0,
        infarct_on=lambda grid: _labels(scan, grid, "infarct") > 0,
        adc=scan.images.get(MAIN_IMAGE[Modality.ADC]) if modality is Modality.DWI else None,
    )


def _acquired_as(modality: Modality) -> Modality:
    """Return the acquisition that a map comes from."""
    return Modality.DWI if modality in {Modality.ADC, Modality.B0} else modality


def _labels(scan: SyntheticScan, grid: Volume, name: LabelName) -> NDArray[np.uint8]:
    return labels_on(scan, grid, (name,))[0]
