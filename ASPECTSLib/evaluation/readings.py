"""What each reader, the program among them, says of each case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ASPECTSLib.atlas.regions import REGIONS, REGIONS_PER_SIDE

SIDE = len(REGIONS) // 2
"""Regions 0 to 9 of an array of 20 are the right ones, the others the left ones, as labels 1 to 20 are."""

CONSENSUS = "consensus"


@dataclass(frozen=True)
class Reading:
    """What one reader says of one case.

    Parameters
    ----------
    affected
        Call of each region in the order of `REGIONS`, None where there is none; empty if only the score was given.
    score
        0 to 10; None where there is none.
    probability
        That each region is affected, where the reader is a program.
    volume_ml
        Of the infarct.
    """

    affected: tuple[bool | None, ...] = ()
    score: int | None = None
    probability: tuple[float | None, ...] = ()
    volume_ml: float | None = None


Readings = Mapping[str, Reading]
"""Of one reader, by the name of the case."""


@dataclass(frozen=True, eq=False)
class Reader:
    """A reader's name and readings.

    Parameters
    ----------
    name
        As the tables show it.
    readings
        Of all cases that this one has read.
    is_program
        Whether it is one whose results are evaluated.
    """

    name: str
    readings: Readings = field(default_factory=dict)
    is_program: bool = False

    def scores(self, cases: Sequence[str]) -> NDArray[np.float64]:
        """Return the score of each case, nan where there is none."""
        found = (self.readings.get(case, Reading()).score for case in cases)
        return np.array([np.nan if score is None else score for score in found], float)

    def volumes_ml(self, cases: Sequence[str]) -> NDArray[np.float64]:
        """Return the infarct volume of each case, nan where there is none."""
        found = (self.readings.get(case, Reading()).volume_ml for case in cases)
        return np.array([np.nan if volume is None else volume for volume in found], float)

    def calls(self, cases: Sequence[str]) -> NDArray[np.float64]:
        """Return the calls of each case, shape (cases, 20): 1, 0, or nan where there is none."""
        return _table([self.readings.get(case, Reading()).affected for case in cases])

    def probabilities(self, cases: Sequence[str]) -> NDArray[np.float64]:
        """Return the probabilities of each case, shape (cases, 20), nan where there are none."""
        return _table([self.readings.get(case, Reading()).probability for case in cases])


def score_of(affected: Sequence[bool | None]) -> int | None:
    """Return 10 minus the affected regions of the worse side; None where calls are missing.

    Parameters
    ----------
    affected
        Of 20 regions, in the order of `REGIONS`.
    """
    if len(affected) != len(REGIONS) or None in affected:
        return None
    return REGIONS_PER_SIDE - max(sum(affected[:SIDE]), sum(affected[SIDE:]))


def consensus_of(readers: Sequence[Reader]) -> Reader:
    """Return what most readers say, region by region; where they are split, nothing.

    The score is that of the calls, or where these are not all there the median of the readers' scores, if it is whole.
    """
    cases = list(dict.fromkeys(case for reader in readers for case in reader.readings))
    return Reader(
        CONSENSUS, {case: _agreed([r.readings.get(case) for r in readers]) for case in cases}
    )


def _agreed(readings: Sequence[Reading | None]) -> Reading:
    said = [reading for reading in readings if reading is not None]
    calls = np.array([r.affected for r in said if r.affected], object)
    affected = tuple(map(_majority, calls.T)) if len(calls) else ()
    scores = [reading.score for reading in said if reading.score is not None]
    median = float(np.median(scores)) if scores else 0.5
    score = score_of(affected)
    if score is None and median == int(median):
        score = int(median)
    volumes = [reading.volume_ml for reading in said if reading.volume_ml is not None]
    return Reading(affected, score, volume_ml=float(np.median(volumes)) if volumes else None)


def _majority(votes: NDArray[np.object_]) -> bool | None:
    known = [bool(vote) for vote in votes if vote is not None]
    share = sum(known) / len(known) if known else 0.5
    return None if share == 0.5 else share > 0.5


def _table(rows: Sequence[Sequence[bool | float | None]]) -> NDArray[np.float64]:
    table = np.full((len(rows), len(REGIONS)), np.nan)
    for line, row in zip(table, rows, strict=True):
        if row:
            line[:] = [np.nan if value is None else float(value) for value in row]
    return table
