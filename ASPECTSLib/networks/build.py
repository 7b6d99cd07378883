"""Networks by name, from options that a model card or a recipe can hold."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import MappingProxyType

from torch import nn

from ASPECTSLib.networks.danet import DANet
from ASPECTSLib.networks.prior_vbnet import PriorVBNet
from ASPECTSLib.networks.slice_attention_unet import SliceAttentionUNet
from ASPECTSLib.networks.slice_finder import SliceFinder
from ASPECTSLib.networks.slice_linknet import SliceLinkNet
from ASPECTSLib.networks.slice_transunet import SliceTransUNet
from ASPECTSLib.networks.slice_unet import SliceUNet
from ASPECTSLib.networks.slice_unetpp import SliceUNetPlusPlus
from ASPECTSLib.networks.unet3d import UNet3D
from ASPECTSLib.networks.ushape import require
from ASPECTSLib.networks.vbnet import VBNet

ARCHITECTURES: Mapping[str, type[nn.Module]] = MappingProxyType(
    {
        "danet": DANet,
        "prior-vbnet": PriorVBNet,
        "slice-attention-unet": SliceAttentionUNet,
        "slice-finder": SliceFinder,
        "slice-linknet": SliceLinkNet,
        "slice-transunet": SliceTransUNet,
        "slice-unet": SliceUNet,
        "slice-unetpp": SliceUNetPlusPlus,
        "unet3d": UNet3D,
        "vbnet": VBNet,
    }
)


def build_network(architecture: str, options: Mapping[str, object]) -> nn.Module:
    """Make a network with random weights.

    Parameters
    ----------
    architecture
        A name of `ARCHITECTURES`.
    options
        What its class takes, as JSON holds it: numbers, truth values and lists of numbers.

    Raises
    ------
    UsageError
        MODEL_MISMATCH if there is no such architecture, an option is unknown or missing, or a value makes no network.
    """
    names = ", ".join(ARCHITECTURES)
    require(architecture in ARCHITECTURES, f"an architecture of {names}", architecture)
    network = ARCHITECTURES[architecture]
    known = inspect.signature(network).parameters
    for name in options:
        require(name in known, f"options of {', '.join(known)} for {architecture}", name)
    for name, option in known.items():
        given = name in options or option.default is not option.empty
        require(given, f"the option {name} for {architecture}", "none")
    for name, value in options.items():
        _check_list(name, value, listed=isinstance(known[name].default, tuple))
    return network(**options)


def _check_list(name: str, value: object, *, listed: bool) -> None:
    kind = "a list of numbers" if listed else "one value"
    require(listed == isinstance(value, list | tuple), f"{kind} for {name}", value)
