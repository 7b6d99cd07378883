"""A tiny segmentation problem: bright boxes on noise, by index; what trainers are tested on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ASPECTSLib.errors import ErrorCode, FileRefusedError
from ASPECTSLib.training.log import read_log
from ASPECTSLib.training.losses import Loss, dice_ce
from ASPECTSLib.training.options import TrainingOptions
from ASPECTSLib.training.trainer import Trainer

SIZE = (8, 16, 16)


@dataclass
class Boxes:
    """Samples of noise with a bright box (class 1) and a dark one (class 2); they depend on their index only."""

    cases: int = 10**9
    size: tuple[int, int, int] = SIZE
    asked: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return self.cases

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        self.asked.append(index)
        random = np.random.default_rng([7, index])
        labels = np.zeros(self.size, np.uint8)
        for label, half in ((1, slice(0, 8)), (2, slice(8, 16))):
            k, j = random.integers(0, 4, 2)
            labels[k : k + 4, j : j + 8, half] = label
        image = np.array([0.0, 1.0, -1.0])[labels] + random.normal(scale=0.3, size=self.size)
        return {"image": image[None].astype(np.float32), "labels": labels}


class Unreadable:
    """Samples that cannot be read."""

    def __getitem__(self, _index: int) -> dict[str, np.ndarray]:
        raise FileRefusedError(ErrorCode.FILE_UNREADABLE, "expected an image, got something else")


_THREE_BOXES = Boxes(3)


def small_network(seed: int = 0, dropout: float = 0.0, channels: int = 8) -> nn.Module:
    """Make a network of two convolutions, with dropout between them to draw random numbers."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv3d(1, channels, 3, padding=1),
        nn.GroupNorm(2, channels),
        nn.LeakyReLU(0.01),
        nn.Dropout(dropout),
        nn.Conv3d(channels, 3, 3, padding=1),
    )


def box_trainer(
    folder: Path,
    network: nn.Module | None = None,
    loss: Loss = dice_ce,
    validation: Boxes | None = _THREE_BOXES,
    **options: Any,
) -> Trainer:
    """Make a trainer of a few steps on a network with dropout; options of the run by their names."""
    chosen = {"steps": 12, "learning_rate": 1e-2, "validate_every": 4, "device": "cpu", **options}
    network = network or small_network(dropout=0.2)
    return Trainer(network, loss, Boxes(), validation, TrainingOptions(**chosen), folder)


def training_losses(folder: Path) -> list[tuple[int, float]]:
    """Return (step, loss) of a run."""
    return read_log(folder)["loss/training"]
