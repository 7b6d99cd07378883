"""The call of a region by a network that compares the sides."""

from __future__ import annotations

from ASPECTSLib.scoring.aspects import AFFECTED_PROBABILITY, RegionCall
from ASPECTSLib.scoring.asymmetry import RegionMeasure


def call_by_network(
    measure: RegionMeasure,
    probability: float | None,
    threshold: float = AFFECTED_PROBABILITY,
    source: str = "network",
) -> RegionCall:
    """Call one region by the probability that a network gives it.

    Parameters
    ----------
    measure
        Of the region; its medians are shown and decide nothing.
    probability
        Of being affected, 0 to 1; None where the network could not look.
    threshold
        Affected from this probability on, between 0 and 1.
    source
        What gave the probability, in words.
    """
    if probability is None:
        return RegionCall(measure, None, "not called: the region is not in the scan")
    evidence = f"{source}: {probability:.2f}, affected from {threshold:.2f}"
    if measure.drop is not None:
        comparison = "darker" if measure.drop > 0 else "brighter"
        evidence += (
            f"; {abs(measure.drop):.1f} HU {comparison} than the {measure.region.side.other.value} side "
            f"({measure.median:.1f} | {measure.contralateral_median:.1f} HU)"
        )
    return RegionCall(measure, probability, evidence, threshold=threshold)
