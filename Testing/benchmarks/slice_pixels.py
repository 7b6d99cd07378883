"""Whether pixels of real infarcts rank above others: the slice networks on single slices with masks drawn by experts.

    python Testing/benchmarks/slice_pixels.py DATA RUN... [--picture PNG]

DATA is the folder with the public data: `slices/aisd` and `slices/cpaisd` hold windowed 8-bit slices of head CT,
without density and spacing. Both are assumed here: windows of 0 to 80 HU and of 0 to 255 HU, in which brain has about
its density, shifted to a median of 33 HU; and pixels of 0.45 mm, as a field of 230 mm has. Each RUN is the folder of a
run of `aspects train`, or the path of a model, of the task `ncct-infarct`. Prints for each data set the mean over
slices of the area under the ROC curve within the brain, infarct against the rest, with 95 % bootstrap intervals over
slices (slices of one patient are not known as such): of each network, of being darker than the mirrored place, and of
being dark. Of CPAISD the core counts, not the penumbra.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from compare_slice_networks import model_of
from numpy.typing import NDArray
from scipy import ndimage

from ASPECTSLib.inference.card import ModelFile
from ASPECTSLib.inference.registry import find_model, load_network
from ASPECTSLib.inference.run import logits
from ASPECTSLib.inference.slice_inputs import (
    INFARCT_PIXELS,
    Pixels,
    infarct_channels,
    pixels_of,
)
from ASPECTSLib.training.launch import mean_interval

PIXEL_OF_PNG_MM = 0.45
WINDOWS_HU = {"aisd": (0.0, 80.0), "cpaisd": (0.0, 255.0)}
BRAIN_HU = 33.0
SMOOTHING_PIXELS = 2.0
"""Of the two plain measures: 1.8 mm, about as `ASPECTSLib.scoring.asymmetry` smooths."""

_TISSUE_HU, _BONE_LEVEL = (1.0, 75.0), 250  # of 255: bone is cut off by the window
_MIN_MM2 = 32.0  # of infarct
_TURNS_DEG = np.arange(-25.0, 25.5, 1.0)


@dataclass(frozen=True, eq=False)
class Slice:
    """A slice in its symmetric pose at the pixels of a network, rows from back to front."""

    name: str
    density: NDArray[np.float32]
    brain: NDArray[np.bool_]
    infarct: NDArray[np.bool_]


@dataclass(frozen=True)
class Measure:
    """What ranks the pixels of a slice, and at which pixels it sees it."""

    name: str
    pixels: Pixels
    of: Callable[[Slice], NDArray[np.float32]]


def main() -> None:
    """Print the areas."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path, nargs="*")
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    measures = [
        Measure("dark", INFARCT_PIXELS, darkness),
        Measure("darker than the other side", INFARCT_PIXELS, asymmetry),
        *(measure_of(find_model(model_of(run)), run.stem) for run in arguments.runs),
    ]
    shown: list[tuple[Slice, NDArray[np.float32]]] = []
    for kind, window_hu in WINDOWS_HU.items():
        folder = arguments.data / "slices" / kind
        posed = {
            pixels: list(read_slices(folder, window_hu, pixels))
            for pixels in {measure.pixels for measure in measures}
        }
        for measure in measures:
            slices = posed[measure.pixels]
            maps = [measure.of(one) for one in slices]
            areas = [area(values, one) for values, one in zip(maps, slices, strict=True)]
            low, high = mean_interval(areas)
            print(
                f"{kind:7} {measure.name:48} {np.mean(areas):.3f} ({low:.3f} to {high:.3f}), {len(areas)} slices"
            )
        shown += zip(slices, maps, strict=True)
    if arguments.picture:
        draw(shown, arguments.picture)


def measure_of(model: ModelFile, run: str) -> Measure:
    """Return a network's evidence as a measure, under the name of its run."""
    network, pixels = load_network(model), pixels_of(model.card.input)
    name = f"{run} ({model.card.architecture}, {pixels.size_mm} mm)"
    return Measure(name, pixels, lambda one: evidence(network, one, pixels))


def read_slices(folder: Path, window_hu: tuple[float, float], pixels: Pixels) -> Iterator[Slice]:
    """Read the slices that show enough infarct and a brain within bone, at pixels of a network."""
    from PIL import Image

    for path in sorted((folder / "images").glob("*.png")):
        grey = np.asarray(Image.open(path).convert("L"), np.float32)
        drawn = np.asarray(Image.open(folder / "masks" / path.name).convert("RGB"))
        low, high = window_hu
        density = low + (high - low) * grey / 255.0
        brain = brain_of(density, grey >= _BONE_LEVEL)
        if brain is None:
            continue
        density = density - np.median(density[brain]) + np.float32(BRAIN_HU)
        infarct = brain & (drawn[..., 0] > 127)
        if infarct.sum() * PIXEL_OF_PNG_MM**2 >= _MIN_MM2:
            yield symmetric(path.stem, density, brain, infarct, pixels)


def brain_of(density: NDArray[np.float32], bone: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Return the largest tissue that bone encloses; None where there is none."""
    closed = ndimage.binary_closing(bone, iterations=6)
    inside = ndimage.binary_fill_holes(closed) & ~closed
    tissue = inside & (density > _TISSUE_HU[0]) & (density < _TISSUE_HU[1])
    labels, count = ndimage.label(ndimage.binary_opening(tissue, iterations=2))
    if not count:
        return None
    largest = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    return ndimage.binary_fill_holes(ndimage.binary_dilation(largest, iterations=2) & inside)


def symmetric(
    name: str,
    density: NDArray[np.float32],
    brain: NDArray[np.bool_],
    infarct: NDArray[np.bool_],
    pixels: Pixels,
) -> Slice:
    """Turn a slice so that its outline is most like its mirror image, and resample it to a network's pixels."""
    centre = np.array(ndimage.center_of_mass(brain))
    step = pixels.size_mm / PIXEL_OF_PNG_MM
    likeness = []
    for turn in _TURNS_DEG:
        outline = _turned(brain.astype(np.float32), centre, turn, step, pixels.side)
        likeness.append(float((outline * outline[:, ::-1]).sum()))
    turn = float(_TURNS_DEG[int(np.argmax(likeness))])
    smooth = ndimage.gaussian_filter(density, np.sqrt((step**2 - 1) / 12))
    turned = [
        _turned(a, centre, turn, step, pixels.side)
        for a in (smooth, brain.astype(np.float32), infarct.astype(np.float32))
    ]
    # Rows of pictures run to the back of the head, those of the networks to its front.
    density, mask, truth = (np.ascontiguousarray(part[::-1]) for part in turned)
    return Slice(name, density, mask > 0.5, (truth > 0.5) & (mask > 0.5))


def darkness(one: Slice) -> NDArray[np.float32]:
    """Return how dark each pixel is, smoothed within the brain."""
    weight = ndimage.gaussian_filter(one.brain.astype(np.float32), SMOOTHING_PIXELS)
    filled = np.where(one.brain, one.density, 0.0).astype(np.float32)
    smooth = ndimage.gaussian_filter(filled, SMOOTHING_PIXELS) / np.maximum(weight, 1e-3)
    return -np.where(one.brain, smooth, np.median(smooth[one.brain]))


def asymmetry(one: Slice) -> NDArray[np.float32]:
    """Return how much darker each pixel is than the mirrored place."""
    dark = darkness(one)
    return dark - dark[:, ::-1]


def evidence(network: object, one: Slice, pixels: Pixels) -> NDArray[np.float32]:
    """Return a network's logit of infarct, the mean of that of the slice and of its mirror image."""
    both = []
    for flip in (slice(None), slice(None, None, -1)):
        channels = infarct_channels(one.density[None, :, flip], one.brain[None, :, flip], pixels)
        background, infarct = logits(network, channels)
        both.append((infarct - background)[0][:, flip])
    return (both[0] + both[1]) / 2


def area(values: NDArray[np.float32], one: Slice) -> float:
    """Return the area under the ROC curve within the brain."""
    inside, outside = values[one.infarct], np.sort(values[one.brain & ~one.infarct])
    below = np.searchsorted(outside, inside, "left") + np.searchsorted(outside, inside, "right")
    return float(below.mean() / (2 * len(outside)))


def draw(shown: list[tuple[Slice, NDArray[np.float32]]], path: Path) -> None:
    """Draw slices with the experts' outline and the last measure, to be looked at."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((16, 12), 60)
    FigureCanvasAgg(figure)
    axes = figure.subplots(5, 8).ravel()
    for axis in axes:
        axis.axis("off")
    chosen = np.linspace(0, len(shown) - 1, len(axes) // 2).astype(int)
    for place, number in enumerate(chosen):
        one, values = shown[number]
        for axis, image, window in (
            (axes[2 * place], np.where(one.brain, one.density, 0), (10, 55)),
            (axes[2 * place + 1], np.where(one.brain, values, np.nan), (None, None)),
        ):
            axis.imshow(image, cmap="gray", origin="lower", vmin=window[0], vmax=window[1])
            axis.contour(one.infarct, [0.5], colors="red", linewidths=0.8)
            axis.set_title(one.name, fontsize=8)
    figure.savefig(path)


def _turned(
    image: NDArray[np.float32],
    centre: NDArray[np.float64],
    turn_deg: float,
    step: float,
    side: int,
) -> NDArray[np.float32]:
    """Resample a picture around a centre, turned, with pixels of so many of its own."""
    angle = np.radians(turn_deg)
    matrix = step * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    offset = centre - matrix @ np.full(2, (side - 1) / 2)
    return ndimage.affine_transform(image, matrix, offset, (side, side), order=1)


if __name__ == "__main__":
    main()
