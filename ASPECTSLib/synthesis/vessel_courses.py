"""Where the large vessels of the head run in the atlas, and how wide they are.

Points are MNI152 RAS mm of the right side, placed by hand along the landmarks that name each course; calibres are
round numbers from textbooks of anatomy.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

Point = tuple[float, float, float]


class Bed(Enum):
    """What a vessel lies in, and so where it is moved to in an individual head."""

    ANY = "any"
    FLUID = "fluid"
    UNDER_SKULL = "under skull"


@dataclass(frozen=True)
class Course:
    """A vessel from its root to its end.

    Parameters
    ----------
    name
        For people.
    points
        MNI152 RAS mm, of the right side where it is paired.
    radii_mm
        At the first and at the last point.
    bed
        What it lies in.
    paired
        Whether it has a counterpart on the left.
    """

    name: str
    points: tuple[Point, ...]
    radii_mm: tuple[float, float]
    bed: Bed = Bed.FLUID
    paired: bool = True


MCA_ROOT: Point = (37.0, 4.0, -15.0)
"""Limen insulae: where the trunk of the middle cerebral artery divides."""

MCA_TRUNK = Course(
    "M1", ((11.5, 3.0, -15.0), (20.0, 5.0, -17.0), (29.0, 4.0, -18.0), MCA_ROOT), (1.5, 1.3)
)
"""Middle cerebral artery from the end of the carotid to its division."""

MCA_BRANCHES: tuple[Course, ...] = (
    Course(
        "prefrontal",
        (
            MCA_ROOT,
            (37, 14, -9),
            (37, 24, 0),
            (43, 29, 4),
            (51, 31, 12),
            (50, 36, 24),
            (44, 38, 36),
        ),
        (1.0, 0.5),
    ),
    Course(
        "precentral",
        (MCA_ROOT, (38, 10, -4), (38, 12, 8), (44, 11, 14), (55, 10, 14), (60, 8, 26), (54, 4, 42)),
        (1.1, 0.5),
    ),
    Course(
        "central",
        (
            MCA_ROOT,
            (39, 3, -3),
            (39, 1, 9),
            (45, -3, 15),
            (57, -4, 14),
            (64, -6, 26),
            (58, -12, 44),
        ),
        (1.1, 0.5),
    ),
    Course(
        "parietal",
        (
            MCA_ROOT,
            (40, -3, -6),
            (39, -13, 8),
            (45, -21, 17),
            (57, -26, 20),
            (64, -30, 33),
            (56, -38, 50),
        ),
        (1.1, 0.5),
    ),
    Course(
        "angular",
        (
            MCA_ROOT,
            (40, -6, -9),
            (40, -18, 1),
            (43, -30, 14),
            (54, -42, 18),
            (60, -50, 26),
            (52, -62, 40),
        ),
        (1.2, 0.5),
    ),
    Course(
        "posterior temporal",
        (MCA_ROOT, (41, -8, -12), (44, -22, -1), (53, -33, 6), (62, -42, 2), (62, -54, -4)),
        (1.0, 0.5),
    ),
    Course(
        "anterior temporal",
        (MCA_ROOT, (42, 8, -19), (49, 10, -21), (58, 2, -19), (64, -12, -18)),
        (0.8, 0.4),
    ),
)
"""Cortical branches: over the insula (M2), under the operculum (M3) and out of the sylvian fissure (M4)."""

CAROTID = Course(
    "internal carotid",
    (
        (27, -18, -100),
        (27, -18, -70),
        (28, -20, -50),
        (27, -16, -42),
        (18, -8, -38),
        (13, -5, -32),
        (12, 2, -27),
        (13, 9, -24),
        (12, 8, -18),
        (11.5, 3.0, -15.0),
    ),
    (2.4, 1.8),
    Bed.ANY,
)

OTHER_ARTERIES: tuple[Course, ...] = (
    Course("A1", ((11.5, 3.0, -15.0), (7, 7, -15), (2, 10, -15)), (1.2, 1.0)),
    Course(
        "pericallosal",
        (
            (2, 10, -15),
            (2, 22, -14),
            (2, 34, -6),
            (2, 37, 8),
            (2, 28, 21),
            (2, 8, 29),
            (2, -14, 32),
            (3, -34, 28),
        ),
        (1.1, 0.6),
    ),
    Course(
        "callosomarginal",
        ((2, 37, 2), (3, 45, 14), (4, 40, 30), (4, 26, 42), (4, 8, 50), (4, -12, 56), (5, -30, 60)),
        (0.8, 0.5),
    ),
    Course(
        "vertebral",
        ((14, -42, -100), (13, -40, -72), (8, -34, -60), (3, -28, -53), (0, -25, -50)),
        (1.7, 1.6),
        Bed.ANY,
    ),
    Course(
        "posterior cerebral",
        (
            (0, -13, -20),
            (8, -13, -19),
            (16, -18, -17),
            (21, -28, -12),
            (20, -38, -5),
            (15, -52, 0),
            (11, -66, 4),
            (9, -80, 6),
        ),
        (1.2, 0.6),
    ),
    Course("posterior communicating", ((12, 4, -17), (11, -4, -18), (9, -12, -19)), (0.6, 0.6)),
    Course("inferior temporal", ((21, -28, -12), (30, -40, -14), (38, -54, -14)), (0.7, 0.4)),
    Course(
        "superior cerebellar",
        ((1, -15, -23), (10, -19, -23), (19, -30, -22), (22, -44, -20)),
        (0.7, 0.5),
    ),
)

BASILAR = Course(
    "basilar",
    ((0, -25, -50), (0, -19, -42), (0, -14, -32), (0, -12, -25), (0, -13, -20)),
    (1.6, 1.5),
    paired=False,
)

VEINS: tuple[Course, ...] = (
    Course(
        "superior sagittal sinus",
        (
            (0, 66, 8),
            (0, 64, 28),
            (0, 50, 50),
            (0, 24, 69),
            (0, -8, 78),
            (0, -40, 77),
            (0, -68, 61),
            (0, -90, 36),
            (0, -103, 8),
            (2, -102, -14),
        ),
        (1.5, 3.6),
        Bed.UNDER_SKULL,
        paired=False,
    ),
    Course(
        "transverse and sigmoid sinus",
        (
            (2, -102, -14),
            (18, -98, -19),
            (38, -84, -24),
            (54, -64, -30),
            (56, -50, -36),
            (48, -42, -44),
            (40, -38, -56),
        ),
        (3.6, 3.6),
        Bed.UNDER_SKULL,
    ),
    Course(
        "jugular",
        ((40, -38, -56), (32, -30, -62), (32, -26, -80), (34, -24, -100)),
        (3.4, 4.0),
        Bed.ANY,
    ),
    Course(
        "straight sinus",
        ((0, -42, 5), (0, -52, 6), (0, -70, -2), (0, -88, -10), (2, -102, -14)),
        (2.0, 2.4),
        paired=False,
    ),
    Course(
        "internal cerebral",
        ((4, -1, 9), (2, -12, 13), (2, -26, 13), (1, -36, 10), (0, -42, 5)),
        (0.9, 1.2),
    ),
    Course(
        "basal vein",
        ((18, -6, -14), (16, -18, -11), (14, -30, -4), (6, -38, 4), (0, -42, 5)),
        (0.8, 1.1),
    ),
    Course("frontal ascending", ((30, 30, 48), (20, 24, 60), (8, 18, 68), (1, 16, 71)), (0.8, 1.4)),
    Course("anastomotic", ((52, -24, 42), (40, -32, 58), (22, -36, 72), (2, -38, 77)), (0.9, 1.6)),
    Course(
        "parietal ascending",
        ((42, -58, 44), (28, -66, 56), (10, -70, 62), (1, -68, 61)),
        (0.8, 1.4),
    ),
    Course(
        "inferior anastomotic",
        ((50, -20, 2), (58, -40, -4), (56, -56, -18), (54, -64, -30)),
        (0.8, 1.4),
    ),
)
"""Dural sinuses, jugular, deep and bridging veins."""
