"""VB-Net that corrects what is known beforehand: it sees prior probabilities, and adds to their logarithms."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ASPECTSLib.networks.ushape import check_counts, require
from ASPECTSLib.networks.vbnet import VBNet


class PriorVBNet(VBNet):
    """Segment with VB-Net, starting from an atlas.

    Bayes' rule in logarithms: the network gives the evidence of the image, the last channels of the input the prior of
    an atlas in the same place. So it need not learn where regions lie, but only how a patient differs. It sees the
    prior, too, and can learn in what places that is mostly wrong.

    Parameters
    ----------
    in_channels
        Those of the image, and after them one for each class with the logarithm of its prior probability.
    out_channels
        Classes.
    widths, planar_stages, blocks, bottleneck
        As `VBNet` takes them.

    Raises
    ------
    UsageError
        MODEL_MISMATCH if the numbers do not make a network.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int] = (16, 32, 64, 96, 128),
        planar_stages: int = 2,
        blocks: Sequence[int] = (1, 1, 2, 2, 2),
        bottleneck: int = 4,
    ) -> None:
        check_counts("channels", (in_channels, out_channels), lowest=1)
        expected = f"more input channels than the {out_channels} of the prior"
        require(in_channels > out_channels, expected, in_channels)
        super().__init__(in_channels, out_channels, widths, planar_stages, blocks, bottleneck)
        self.prior_channels = out_channels

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Compute logits.

        Parameters
        ----------
        image
            Float, shape (B, in_channels, D, H, W); `divisor` divides (D, H, W).

        Returns
        -------
        torch.Tensor
            Shape (B, out_channels, D, H, W).

        Raises
        ------
        UsageError
            MODEL_MISMATCH if the shape is another.
        """
        return super().forward(image) + image[:, -self.prior_channels :]
