"""Train on boxes into the folder that is named: what the launcher starts in several processes."""

from __future__ import annotations

import sys
from pathlib import Path

from training_problems import box_trainer, small_network


def train_boxes(folder: Path) -> None:
    """Train without dropout, whose random numbers each process draws for itself."""
    box_trainer(folder, small_network(), steps=6, validate_every=3, checkpoint_every=2).run()


if __name__ == "__main__":
    train_boxes(Path(sys.argv[1]))
