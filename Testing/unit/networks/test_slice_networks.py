"""The four networks of slices: each slice by itself, in training as in use, small enough to ship."""

from __future__ import annotations

import sys

import pytest
import torch

from ASPECTSLib.errors import ErrorCode, ResourceError, UsageError
from ASPECTSLib.inference.registry import load_network
from ASPECTSLib.inference.weights import export_model
from ASPECTSLib.networks.build import build_network
from ASPECTSLib.networks.efficient_encoder import SLICES_AT_ONCE

ARCHITECTURES = ("slice-linknet", "slice-transunet", "slice-unet", "slice-unetpp")
MOST_BYTES = 10_000_000
SIZE = (2, 64, 32)


def network(architecture, **options):
    torch.manual_seed(0)
    return build_network(architecture, {"in_channels": 3, "out_channels": 2, **options})


@pytest.fixture(scope="module", params=ARCHITECTURES)
def made(request):
    return network(request.param).eval()


def image(*size, batch=1, channels=3):
    return torch.randn((batch, channels, *size), generator=torch.Generator().manual_seed(1))


def test_logits_lie_on_the_grid_of_the_slices(made):
    with torch.inference_mode():
        logits = made(image(*SIZE, batch=2))
    assert logits.shape == (2, 2, *SIZE)
    assert logits.isfinite().all()
    assert made.divisor == (1, 32, 32)


def test_no_slice_depends_on_another(made):
    slices = image(4, 32, 32, batch=2)
    with torch.inference_mode():
        together = made(slices)
        for sample in range(2):
            for k in range(4):
                alone = made(slices[sample : sample + 1, :, k : k + 1])
                torch.testing.assert_close(
                    together[sample, :, k], alone[0, :, 0], atol=1e-4, rtol=1e-4
                )


def test_training_and_use_see_the_same(made):
    """Slices that are many at once in training are few at once in use."""
    slices = image(SLICES_AT_ONCE + 1, 64, 32)
    with torch.inference_mode():
        in_use = made(slices)
    in_training = made.train()(slices).detach()
    made.eval()
    torch.testing.assert_close(in_training, in_use, atol=1e-4, rtol=1e-4)


def test_there_are_no_running_statistics_that_averaged_weights_would_not_fit(made):
    assert not list(made.buffers())


def test_layers_of_a_classifier_are_gone_and_every_weight_takes_part(made):
    made.zero_grad()
    made(image(1, 64, 64)).square().sum().backward()
    assert all(weight.grad is not None for weight in made.parameters())
    assert all(weight.grad.abs().sum() > 0 for weight in made.parameters())
    made.zero_grad()


@pytest.mark.parametrize("layout", [torch.channels_last_3d, torch.contiguous_format])
def test_memory_format_changes_nothing(made, layout):
    plain = image(*SIZE, batch=2)
    with torch.inference_mode():
        expected = made(plain)
        got = made.to(memory_format=layout)(plain.to(memory_format=layout))
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_weights_in_sixteen_bits_are_small_enough_to_ship(architecture):
    with torch.device("meta"):
        largest = network(architecture, in_channels=6, out_channels=11)
    assert 2 * sum(weight.numel() for weight in largest.parameters()) < 0.97 * MOST_BYTES


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_exported_model_answers_as_the_network_that_was_trained(architecture, tmp_path):
    trained = network(architecture).eval()
    fields = {
        "name": "slices",
        "version": "1",
        "task": "ncct-infarct",
        "architecture": architecture,
        "options": {"in_channels": 3, "out_channels": 2},
        "input": {},
        "training": {"data": [{"name": "none", "licence": "none"}], "recipe": "none", "seed": 0},
        "metrics": [],
        "intended_use": "Tests.",
        "limits": "None.",
    }
    loaded = load_network(export_model(trained.state_dict(), fields, tmp_path))
    with torch.inference_mode():
        expected, got = trained(image(*SIZE)), loaded(image(*SIZE))
    assert (got - expected).abs().max() < 0.02 * expected.std()


def test_a_larger_encoder_has_more_weights():
    with torch.device("meta"):
        sizes = [
            sum(w.numel() for w in network("slice-unet", encoder_size=n).parameters())
            for n in (0, 1, 5)
        ]
    assert sizes[0] < sizes[1] < sizes[2]
    assert 25e6 < sizes[2] < 45e6


def test_a_transformer_relates_places_of_slices_of_any_size():
    model = network("slice-transunet", transformer=[16, 1, 2]).eval()
    with torch.inference_mode():
        for side in (64, 224, 256):
            assert model(image(1, side, 32)).shape == (1, 2, 1, side, 32)


def test_same_seed_gives_same_weights():
    first, second = (network("slice-linknet").state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("size", [(2, 48, 64), (2, 64, 16), (0, 32, 32)])
def test_sizes_that_do_not_divide_are_refused(size):
    with pytest.raises(UsageError, match=r"slices, rows .* multiples of \(1, 32, 32\), got"):
        network("slice-linknet")(image(*size))


def test_images_of_other_channels_or_axes_are_refused():
    model = network("slice-linknet")
    with pytest.raises(UsageError, match="image of 3 channels, got 1"):
        model(image(1, 32, 32, channels=1))
    with pytest.raises(UsageError, match="5 axes"):
        model(image(1, 32, 32)[0])


@pytest.mark.parametrize(
    ("architecture", "options", "words"),
    [
        ("slice-unet", {"encoder_size": 8}, "encoder_size of at most 7, got 8"),
        ("slice-unet", {"encoder_size": -1}, "encoder_size in whole numbers"),
        ("slice-unet", {"encoder_size": "b0"}, "encoder_size in whole numbers"),
        ("slice-unet", {"widths": [96, 64, 32, 16]}, "widths of 5 levels"),
        ("slice-unetpp", {"widths": [96, 64, 32, 16, 4]}, "widths in whole numbers of at least 8"),
        ("slice-unetpp", {"widths": [96, 64, 32, 20, 8]}, "widths in multiples of 8"),
        ("slice-linknet", {"width": 12}, "widths in multiples of 8"),
        ("slice-transunet", {"transformer": [160, 3]}, "channels, layers and heads"),
        ("slice-transunet", {"transformer": [160, 0, 8]}, "transformer in whole numbers"),
        ("slice-transunet", {"transformer": [160, 3, 7]}, "in 7 heads, got 160"),
        ("slice-unet", {"in_channels": 0}, "in_channels in whole numbers of at least 1"),
        ("slice-unet", {"out_channels": 0}, "out_channels in whole numbers of at least 1"),
    ],
)
def test_options_that_make_no_network_are_refused(architecture, options, words):
    with pytest.raises(UsageError, match=words) as refused, torch.device("meta"):
        network(architecture, **options)
    assert refused.value.code is ErrorCode.MODEL_MISMATCH


def test_without_monai_the_network_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "monai.networks.nets", None)
    with pytest.raises(ResourceError, match="expected MONAI") as refused:
        network("slice-unet")
    assert refused.value.code is ErrorCode.TORCH_MISSING
