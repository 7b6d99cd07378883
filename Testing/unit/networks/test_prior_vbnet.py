from __future__ import annotations

import pytest
import torch

from ASPECTSLib.errors import ErrorCode, UsageError
from ASPECTSLib.networks.build import build_network
from ASPECTSLib.networks.vbnet import VBNet

CLASSES, SIZE = 3, (4, 8, 8)
SMALL = {"widths": [8, 8], "blocks": [1, 1], "planar_stages": 1}


def network(in_channels=5, out_channels=CLASSES, **options):
    torch.manual_seed(0)
    options = {**SMALL, "in_channels": in_channels, "out_channels": out_channels, **options}
    return build_network("prior-vbnet", options).eval()


def image(channels=5, batch=2):
    generator = torch.Generator().manual_seed(1)
    return torch.randn((batch, channels, *SIZE), generator=generator)


def test_the_prior_is_added_to_the_evidence_of_image_and_prior():
    seen = image()
    model = network()
    with torch.inference_mode():
        evidence = VBNet.forward(model, seen)
        torch.testing.assert_close(model(seen), evidence + seen[:, 2:])


def test_another_prior_changes_the_answer_by_more_than_itself():
    seen, model = image(), network()
    changed = seen.clone()
    changed[:, 3] += 7.0  # of the second class
    with torch.inference_mode():
        difference = model(changed) - model(seen)
    assert float(difference[:, 1].mean()) == pytest.approx(7.0, abs=1.0)
    assert float(difference[:, [0, 2]].abs().max()) > 0.01


def test_a_network_without_evidence_answers_with_the_prior():
    model = network()
    torch.nn.init.zeros_(model.head.weight)
    torch.nn.init.zeros_(model.head.bias)
    probability = torch.softmax(image()[:, 2:], dim=1)
    with torch.inference_mode():
        answer = torch.softmax(model(torch.cat((image()[:, :2], probability.log()), 1)), dim=1)
    torch.testing.assert_close(answer, probability)


def test_size_and_divisor_are_those_of_the_plain_network():
    model = network()
    assert model.divisor == (1, 2, 2)
    assert model(image()).shape == (2, CLASSES, *SIZE)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"in_channels": 3}, "more input channels than the 3 of the prior, got 3"),
        ({"in_channels": 2}, "more input channels than the 3 of the prior, got 2"),
        ({"in_channels": "5"}, "channels in whole numbers of at least 1, got 5"),
        ({"out_channels": 1.0}, "channels in whole numbers of at least 1, got 1.0"),
        ({"out_channels": 0}, "channels in whole numbers of at least 1, got 0"),
    ],
)
def test_channels_that_make_no_network_are_refused(options, words):
    with pytest.raises(UsageError, match=words) as refused:
        network(**options)
    assert refused.value.code is ErrorCode.MODEL_MISMATCH


@pytest.mark.parametrize("channels", [2, 4, 6])
def test_images_of_other_channels_are_refused(channels):
    with pytest.raises(UsageError, match="image of 5 channels, got"):
        network()(image(channels))
