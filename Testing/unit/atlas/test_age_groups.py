from __future__ import annotations

import pytest

from ASPECTSLib.atlas.age_groups import AgeGroup, age_group


@pytest.mark.parametrize(
    ("age_years", "group"),
    [
        (10, "10-29"),
        (29.9, "10-29"),
        (30, "30-49"),
        (50, "50-69"),
        (69.99, "50-69"),
        (89.5, "70-89"),
    ],
)
def test_an_age_has_the_group_of_its_whole_years(age_years, group):
    assert age_group(age_years) == group
    assert AgeGroup(group).holds(age_years)


@pytest.mark.parametrize(("age_years", "group"), [(4, "10-29"), (97, "70-89")])
def test_ages_beyond_have_the_nearest_group_which_does_not_hold_them(age_years, group):
    assert age_group(age_years) == group
    assert not any(one.holds(age_years) for one in AgeGroup)


def test_groups_are_named_in_files_as_published():
    assert [group.in_file_names for group in AgeGroup] == ["10_29", "30_49", "50_69", "70_89"]
