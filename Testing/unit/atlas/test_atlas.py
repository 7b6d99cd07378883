from __future__ import annotations

import json
import shutil
from dataclasses import asdict

import numpy as np
import pytest
from head_phantoms import dice
from scipy import ndimage

from ASPECTSLib.atlas.atlas import (
    ATLAS_FOLDER,
    CARD_FILE,
    REGIONS_FILE,
    TISSUES_FILE,
    load_atlas,
)
from ASPECTSLib.atlas.regions import REGIONS, RegionCode, Side, region_of, swap_sides
from ASPECTSLib.atlas.rules import RegionRule
from ASPECTSLib.atlas.tissues import INTRACRANIAL, NCCT_CONTRAST_HU, Tissue
from ASPECTSLib.errors import ErrorCode, ResourceError
from ASPECTSLib.geometry import apply_affine, resample

# Wide limits for one side of an adult brain in MNI152 space, which is larger than most brains.
PLAUSIBLE_ML = {
    "C": (1.5, 6.0),
    "L": (5.0, 13.0),
    "IC": (2.0, 8.0),
    "I": (4.0, 11.0),
    **{f"M{n}": (10.0, 50.0) for n in range(1, 7)},
}
MAIN_COMPONENT = 0.95


@pytest.fixture(scope="module")
def places(atlas):
    """Return the voxel centres of each region, RAS mm, by label."""
    indices = np.argwhere(atlas.regions.array)
    labels = atlas.regions.array[tuple(indices.T)]
    points = apply_affine(atlas.regions.affine, indices[:, ::-1].astype(np.float64))
    return {region.label: points[labels == region.label] for region in REGIONS}


@pytest.fixture
def folder(tmp_path):
    """Return a copy of the atlas that may be damaged."""
    for name in (TISSUES_FILE, REGIONS_FILE, CARD_FILE):
        shutil.copy(ATLAS_FOLDER / name, tmp_path)
    return tmp_path


def centre(places, code, side=Side.RIGHT):
    return places[region_of(RegionCode(code), side).label].mean(axis=0)


def centre_x(affine, size):
    return affine[0, 3] + affine[0, 0] * (size - 1) / 2


def tissue_at(atlas, volume, point_ras):
    """Return the value of a volume on the tissue grid at the voxel nearest to a point."""
    voxel = np.rint(apply_affine(np.linalg.inv(atlas.affine), np.array(point_ras))).astype(int)
    return volume.array[tuple(voxel[::-1])]


def refusal(folder):
    with pytest.raises(ResourceError, match="reinstall") as caught:
        load_atlas(folder)
    return caught.value


def test_tissues_are_exactly_mirror_symmetric_about_x_0(atlas):
    assert np.array_equal(atlas.tissues, atlas.tissues[..., ::-1])
    assert centre_x(atlas.affine, atlas.tissues.shape[-1]) == 0.0


def test_regions_with_their_sides_swapped_are_their_own_mirror_image(atlas):
    labels = atlas.regions.array
    assert np.array_equal(swap_sides(labels[..., ::-1]), labels)
    assert centre_x(atlas.regions.affine, labels.shape[-1]) == 0.0


def test_probabilities_of_a_voxel_add_up_to_one(atlas):
    total = atlas.probability(*Tissue).array
    assert np.abs(total - 1.0).max() < 0.01


@pytest.mark.parametrize("region", REGIONS, ids=lambda region: f"{region.side}-{region.code}")
def test_each_region_has_one_main_component(atlas, region):
    labelled, _ = ndimage.label(atlas.regions.array == region.label)
    sizes = np.bincount(labelled.ravel())[1:]
    assert sizes.max() / sizes.sum() >= MAIN_COMPONENT


def test_no_region_leaves_the_brain(atlas):
    inside = resample(atlas.brain_probability(), atlas.regions).array
    assert inside[atlas.regions.array > 0].min() > 0.5


@pytest.mark.parametrize("region", REGIONS, ids=lambda region: f"{region.side}-{region.code}")
def test_regions_lie_on_their_own_side_with_a_plausible_volume(places, region):
    points = places[region.label]
    sign = 1.0 if region.side is Side.RIGHT else -1.0
    assert (sign * points[:, 0]).min() > 0.0
    lowest_ml, highest_ml = PLAUSIBLE_ML[region.code.value]
    assert lowest_ml <= len(points) / 1000.0 <= highest_ml


@pytest.mark.parametrize("row", [("M1", "M2", "M3"), ("M4", "M5", "M6")])
@pytest.mark.parametrize("side", list(Side))
def test_cortical_regions_follow_one_another_from_front_to_back(places, row, side):
    front, middle, back = (centre(places, code, side)[1] for code in row)
    assert front > middle + 20.0
    assert middle > back + 20.0


@pytest.mark.parametrize(("lower", "upper"), [("M1", "M4"), ("M2", "M5"), ("M3", "M6")])
def test_m4_to_m6_lie_above_m1_to_m3(places, lower, upper):
    assert centre(places, upper)[2] > centre(places, lower)[2] + 15.0


def test_deep_regions_follow_one_another_from_the_midplane_outwards(places):
    caudate, capsule, lentiform, insula, cortex = (
        centre(places, code)[0] for code in ("C", "IC", "L", "I", "M2")
    )
    assert caudate < capsule < lentiform < insula < cortex


@pytest.mark.parametrize(
    ("code", "tissues"),
    [("C", (Tissue.CAUDATE,)), ("L", (Tissue.PUTAMEN, Tissue.PALLIDUM)), ("I", (Tissue.CORTEX,))],
)
def test_deep_regions_consist_of_the_tissue_that_they_are_named_after(atlas, code, tissues):
    probability = resample(atlas.probability(*tissues), atlas.regions).array
    label = region_of(RegionCode(code), Side.LEFT).label
    assert probability[atlas.regions.array == label].mean() > 0.5


def test_brain_probability_holds_the_intracranial_volume_of_an_adult(atlas):
    brain = atlas.brain_probability()
    volume_ml = float((brain.array > 0.5).sum()) * brain.voxel_volume_ml
    assert 1400.0 < volume_ml < 2200.0


def test_brain_probability_is_the_sum_of_the_intracranial_tissues(atlas):
    outside = atlas.probability(*(set(Tissue) - INTRACRANIAL)).array
    assert atlas.brain_probability().array + outside == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("point_ras", "tissue"),
    [
        ((13.0, 12.0, 8.0), Tissue.CAUDATE),
        ((-26.0, 4.0, 0.0), Tissue.PUTAMEN),
        ((26.0, 4.0, 0.0), Tissue.PUTAMEN),
        ((-12.0, -18.0, 6.0), Tissue.THALAMUS),
        ((28.0, -20.0, 30.0), Tissue.WHITE_MATTER),
    ],
)
def test_template_has_the_density_of_a_tissue_in_its_middle(atlas, template, point_ras, tissue):
    assert tissue_at(atlas, template, point_ras) == pytest.approx(NCCT_CONTRAST_HU[tissue], abs=1.0)


def test_template_has_the_density_of_fluid_in_the_ventricles(atlas, template):
    surely = atlas.tissues[Tissue.VENTRICLE] == 255
    assert surely.sum() > 100
    assert template.array[surely] == pytest.approx(NCCT_CONTRAST_HU[Tissue.VENTRICLE], abs=0.5)


def test_template_is_zero_outside_the_brain_unless_the_head_is_asked_for(atlas, template):
    outside = atlas.brain_probability().array == 0.0
    assert np.abs(template.array[outside]).max() == 0.0
    head = atlas.render(NCCT_CONTRAST_HU, brain_only=False).array
    assert head[0, 0, 0] == pytest.approx(NCCT_CONTRAST_HU[Tissue.AIR], rel=0.01)
    assert head[outside].max() > 300.0


def test_template_is_exactly_mirror_symmetric(template):
    assert np.array_equal(template.array, template.array[..., ::-1])


def test_card_names_the_rule_that_the_code_has(atlas):
    card = json.loads((ATLAS_FOLDER / CARD_FILE).read_text(encoding="utf-8"))
    assert card["rule"] == json.loads(json.dumps(asdict(RegionRule())))
    assert card["tissues"] == [tissue.name for tissue in Tissue]
    assert (atlas.name, atlas.version) == (card["name"], card["version"])


def test_a_sound_copy_is_loaded(atlas, folder):
    copy = load_atlas(folder)
    assert np.array_equal(copy.tissues, atlas.tissues)
    assert dice(copy.regions.array > 0, atlas.regions.array > 0) == 1.0


@pytest.mark.parametrize("name", [TISSUES_FILE, REGIONS_FILE])
def test_one_flipped_bit_is_refused(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    error = refusal(folder)
    assert error.code is ErrorCode.RESOURCE_DAMAGED
    assert name in error.message


@pytest.mark.parametrize("name", [TISSUES_FILE, REGIONS_FILE, CARD_FILE])
def test_a_missing_file_is_refused(folder, name):
    (folder / name).unlink()
    error = refusal(folder)
    assert error.code is ErrorCode.RESOURCE_DAMAGED
    assert name in error.message


@pytest.mark.parametrize("text", ["", "{", "{}"])
def test_a_damaged_card_is_refused(folder, text):
    (folder / CARD_FILE).write_text(text, encoding="utf-8")
    assert refusal(folder).code is ErrorCode.RESOURCE_DAMAGED
