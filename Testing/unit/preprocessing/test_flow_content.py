from __future__ import annotations

import numpy as np
from axis_orders import reordered
from perfusion_phantoms import flow_and_core

from ASPECTSLib.preprocessing.flow_content import looks_like_flow


def test_a_map_of_flow_does_not_pass_for_a_ct_without_skull(template):
    flow, _ = flow_and_core()
    assert looks_like_flow(flow)
    assert looks_like_flow(reordered(flow, (2, 0, 1), (True, False, True)))
    assert not looks_like_flow(template)
    assert not looks_like_flow(template.with_array(template.array[..., ::-1].copy()))


def test_a_head_with_its_skull_is_no_map_of_flow(small_scan):
    assert not looks_like_flow(small_scan)
    assert not looks_like_flow(small_scan.with_array(np.maximum(small_scan.array, 0)))


def test_nothing_is_no_map_of_flow(template):
    assert not looks_like_flow(template.with_array(np.zeros_like(template.array)))
