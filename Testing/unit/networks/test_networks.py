from __future__ import annotations

import pytest
import torch

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.networks.build import build_network
from ASPECTSLib.networks.unet3d import UNet3D
from ASPECTSLib.networks.vbnet import Bottleneck, VBNet

SMALL_VBNET = {"widths": [8, 8, 16, 16, 16], "blocks": [1, 1, 1, 1, 1], "planar_stages": 2}
SMALL_UNET = {"widths": [4, 8, 8], "planar_stages": 1}


def vbnet(**options):
    return build_network("vbnet", {"in_channels": 2, "out_channels": 3, **SMALL_VBNET, **options})


def unet(**options):
    return build_network("unet3d", {"in_channels": 2, "out_channels": 3, **SMALL_UNET, **options})


def image(*size, batch=1, channels=2):
    return torch.randn((batch, channels, *size), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("network", "size"),
    [(vbnet, (4, 16, 32)), (vbnet, (8, 32, 16)), (unet, (2, 4, 8)), (unet, (4, 8, 4))],
)
def test_logits_lie_on_the_grid_of_the_image(network, size):
    logits = network()(image(*size, batch=2))
    assert logits.shape == (2, 3, *size)
    assert logits.isfinite().all()


@pytest.mark.parametrize(
    ("network", "divisor"),
    [
        (lambda: VBNet(1, 1), (4, 16, 16)),
        (lambda: VBNet(1, 1, planar_stages=0), (16, 16, 16)),
        (lambda: VBNet(1, 1, planar_stages=4), (1, 16, 16)),
        (lambda: UNet3D(1, 1), (8, 8, 8)),
        (unet, (2, 4, 4)),
    ],
)
def test_first_steps_down_leave_the_slices_as_they_are(network, divisor):
    assert network().divisor == divisor


@pytest.mark.parametrize("network", [vbnet, unet])
def test_the_smallest_image_of_one_voxel_at_the_bottom_can_be_trained_on(network):
    model = network().train()
    assert model(image(*model.divisor)).shape == (1, 3, *model.divisor)


@pytest.mark.parametrize("size", [(3, 16, 16), (4, 16, 24), (4, 8, 16), (0, 16, 16)])
def test_sizes_that_do_not_divide_are_refused(size):
    with pytest.raises(UsageError, match=r"expected slices, .* multiples of \(4, 16, 16\), got"):
        vbnet()(image(*size))


def test_images_of_other_channels_or_axes_are_refused():
    with pytest.raises(UsageError, match="image of 2 channels, got 1"):
        unet()(image(2, 4, 4, channels=1))
    with pytest.raises(UsageError, match="5 axes"):
        unet()(image(2, 4, 4)[0])


@pytest.mark.parametrize("network", [vbnet, unet, lambda: unet(residual=True)])
def test_each_image_of_a_batch_is_segmented_as_if_it_were_alone(network):
    model, images = network().eval(), image(4, 16, 16, batch=2)
    with torch.inference_mode():
        together, alone = model(images), torch.cat([model(images[:1]), model(images[1:])])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize(
    "network",
    [vbnet, unet, lambda: unet(residual=True, convolutions=1), lambda: vbnet(blocks=[0] * 5)],
)
def test_every_weight_takes_part(network):
    model = network()
    model(image(8, 32, 32)).square().sum().backward()
    assert all(weight.grad is not None for weight in model.parameters())
    assert all(weight.grad.abs().sum() > 0 for weight in model.parameters())


@pytest.mark.parametrize("network", [vbnet, unet])
def test_memory_format_changes_nothing(network):
    model, plain = network().eval(), image(4, 16, 16)
    with torch.inference_mode():
        expected = model(plain)
        last = model.to(memory_format=torch.channels_last_3d)
        got = last(plain.to(memory_format=torch.channels_last_3d))
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_bottleneck_reduces_before_the_large_convolution_but_keeps_eight_channels():
    def inner(width, reduction):
        kernels = [m for m in Bottleneck(width, reduction).modules() if hasattr(m, "kernel_size")]
        return next(m.in_channels for m in kernels if m.kernel_size == (3, 3, 3))

    asked = [(128, 4), (64, 2), (16, 4), (4, 4), (32, 1)]
    assert [inner(*one) for one in asked] == [32, 32, 8, 4, 32]


def test_bottlenecks_save_most_of_the_weights():
    def weights(bottleneck):
        return sum(weight.numel() for weight in VBNet(1, 21, bottleneck=bottleneck).parameters())

    assert weights(4) < 0.25 * weights(1)


def test_same_seed_gives_same_weights():
    def seeded():
        torch.manual_seed(3)
        return vbnet().state_dict()

    first, second = seeded(), seeded()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("architecture", ["prior-vbnet", "unet3d", "vbnet"])
def test_options_default_to_a_usable_network(architecture):
    network = build_network(architecture, {"in_channels": 3, "out_channels": 2})
    assert network.divisor[1:] in {(8, 8), (16, 16)}


@pytest.mark.parametrize(
    ("architecture", "options", "words"),
    [
        ("resnet", {}, "architecture of .*, vbnet, got resnet"),
        ("vbnet", {"depth": 3}, "options of in_channels, .* got depth"),
        ("vbnet", {"widths": 16}, "a list of numbers for widths, got 16"),
        ("vbnet", {"bottleneck": [4]}, "one value for bottleneck"),
        ("vbnet", {"widths": [16]}, "widths of at least 2 levels"),
        ("vbnet", {"widths": [16, "32"]}, "whole numbers of at least 2, got 32"),
        ("vbnet", {"widths": [16, 24.0]}, "whole numbers of at least 2, got 24.0"),
        ("vbnet", {"blocks": [1, 1]}, "blocks for 5 levels, got 2"),
        ("vbnet", {"planar_stages": 5}, "planar_stages of at most 4, got 5"),
        ("vbnet", {"bottleneck": 0}, "bottleneck in whole numbers of at least 1"),
        ("vbnet", {"in_channels": True}, "channels in whole numbers of at least 1, got True"),
        ("unet3d", {"residual": 1}, "residual as true or false, got 1"),
        ("unet3d", {"convolutions": 0}, "convolutions in whole numbers"),
    ],
)
def test_options_that_make_no_network_are_refused(architecture, options, words):
    complete = {"in_channels": 1, "out_channels": 2, **options}
    with pytest.raises(UsageError, match=words) as refused:
        build_network(architecture, complete)
    assert refused.value.code is ErrorCode.MODEL_MISMATCH


def test_options_without_which_there_is_no_network_must_be_given():
    with pytest.raises(UsageError, match="the option out_channels for vbnet, got none"):
        build_network("vbnet", {"in_channels": 1})
