"""The learning rate over the steps of a run."""

from __future__ import annotations

import math


def learning_rate(step: int, steps: int, warmup_steps: int, highest: float) -> float:
    """Return the learning rate of a step: a linear warm-up, then half a cosine down to 0.

    Cosine of Loshchilov 2017 (arXiv:1608.03983) without restarts; warm-up of Goyal 2017 (arXiv:1706.02677).

    Parameters
    ----------
    step
        From 0 to `steps` − 1.
    steps
        All steps of the run.
    warmup_steps
        The last of them has the highest rate.
    highest
        The rate at the end of the warm-up.
    """
    if step < warmup_steps:
        return highest * (step + 1) / warmup_steps
    passed = (step - warmup_steps) / (steps - warmup_steps)
    return highest * 0.5 * (1.0 + math.cos(math.pi * passed))
