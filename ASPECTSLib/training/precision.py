"""The numbers that a network computes with in training."""

from __future__ import annotations

import torch

from ASPECTSLib.training.options import Precision


def computing_precision(wanted: Precision, device: torch.device) -> Precision:
    """Return what is wanted, but fp32 in place of bf16 on a processor that has no instructions for it.

    Such a processor computes bf16, too, but takes thirty times as long as with fp32 (AVX2, convolutions of three axes).
    """
    if wanted == "bf16" and device.type == "cpu" and not _has_bf16():
        return "fp32"
    return wanted


def _has_bf16() -> bool:
    """Tell whether the processor computes bf16; torch asks this before its own choices, but offers no public name."""
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):  # a build without oneDNN
        return False
