"""An image becomes pixel_values, as the manifest's `image` says. Knows no model.

Needs Pillow unless an array has the right size already. Its filters give the pixels of transformers'
processors called "...Pil"; those for torchvision round differently.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.errors import BundleError, UsageError, install, shown
from satchel.runtime.image_sizes import LARGEST_NUMBER, are_numbers, is_side, is_size, most_patches

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Level = TypeVar("Level", np.uint8, np.float32)

CHANNELS = 3
FILTERS = range(6)  # of Pillow: nearest, Lanczos, bilinear, bicubic, box, Hamming
MOST_PIXELS = 1 << 26  # of a resized image, before it is cropped
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # none of them runs a program
USUAL = {
    "rounded": True, "first": True, "fitted": False, "nearest": None, "multiple": 1, "patches": None,
}  # fmt: skip
DEEP = ("I", "F")  # how Pillow's modes of more than 8 bits begin


@dataclass(frozen=True)
class ImageFormat:
    """Preprocessing of images: RGB, resize, crop, then ``(value * rescale - mean) / std``.

    Of what is larger than `size` after the resize the center is taken; what is smaller is padded with
    zeros. Without a `size` images keep their proportions, and each has a size of its own.
    """

    size: list[int] | None  # [height, width] that come out
    resize: list[int] | None  # to this [height, width]
    shortest_edge: int | None  # or to this shorter side; with neither there is no resize
    resample: int
    rescale: float
    mean: list[float]
    std: list[float]
    # Or less where the longer side would be above this; older bundles do not say it.
    longest_edge: int | None = None
    # A manifest says these where they are not so: a resize rounds to whole levels, of two places in the
    # middle a crop has the first, not the one of an even number, and what is larger than `size` is not
    # resized again, until it fits.
    rounded: bool = True
    first: bool = True
    fitted: bool = False
    # Or one side becomes that of this [height, width], the one that is nearer to it.
    nearest: list[int] | None = None
    multiple: int = 1  # of which both sides then are, the nearest one; of a shortest edge one below
    patches: int | None = None  # or as large as so many patches with sides of `multiple` cover

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Self:
        """Read what `to_dict` wrote; BundleError says what is wrong with it."""
        names = {field.name for field in dataclasses.fields(cls)}
        if set(raw) | {"longest_edge", *USUAL} != names:
            raise BundleError(f"manifest.json: image has {shown(sorted(raw))}, not {sorted(names)}")
        form = cls(**raw)
        if problem := form.problem():
            raise BundleError(f"manifest.json: image: {problem}")
        return form

    def to_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            name: value
            for name, value in dataclasses.asdict(self).items()
            if name not in USUAL or value != USUAL[name]
        }

    def problem(self) -> str | None:
        """What makes no sense about the values, if anything."""
        shortest, longest = self.shortest_edge, self.longest_edge
        loose = self.nearest is not None or (shortest is not None and longest is not None)
        loose = loose or self.patches is not None
        checks = {
            "size": is_size(self.size) or (self.size is None and loose),
            "resize": self.resize is None or is_size(self.resize),
            "shortest_edge": shortest is None or (is_side(shortest) and self.resize is None),
            "longest_edge": longest is None or (is_side(longest) and shortest is not None),
            "resample": type(self.resample) is int and self.resample in FILTERS,
            "rescale": are_numbers([self.rescale], 1),
            "mean": are_numbers(self.mean, CHANNELS),
            "std": are_numbers(self.std, CHANNELS, least=1 / LARGEST_NUMBER),
            "rounded": isinstance(self.rounded, bool),
            "first": isinstance(self.first, bool),
            "fitted": isinstance(self.fitted, bool)
            and not (self.fitted and None in (shortest, self.size)),
            "nearest": self.nearest is None
            or (is_size(self.nearest) and not (self.resize or shortest or self.size)),
            "patches": self.patches is None
            or (
                is_side(self.patches) and not (self.nearest or self.resize or shortest or self.size)
            ),
            "multiple": is_side(self.multiple) and (self.multiple == 1 or self.size is None),
        }
        wrong = [name for name, right in checks.items() if not right]
        return f"{wrong[0]} = {shown(getattr(self, wrong[0]))} makes no sense" if wrong else None

    @property
    def usual(self) -> list[tuple[int, int]]:
        """Height and width that come out: the one size, or of a picture that lies and one that stands."""
        if self.size is not None:
            return [(self.size[0], self.size[1])]
        edge = min(self.nearest) if self.nearest is not None else self.shortest_edge
        edge = self.multiple if edge is None else edge
        return [self._resized(edge, edge * 4 // 3), self._resized(edge * 4 // 3, edge)]

    def pictures(self, count: int) -> Iterator[Bytes]:
        """Pictures [height, width, 3] of the `usual` sizes in turn, the same every time."""
        made = itertools.cycle([sample_images(size, count) for size in self.usual])
        return (next(pictures) for pictures, _ in zip(made, range(count), strict=False))

    def pixels(self, image: object) -> Pixels:
        """float32 [3, height, width] of a path, bytes, a Pillow image or uint8 [height, width, 3].

        Transparent parts are laid on white; only files are turned as their EXIF says. Raises UsageError
        for what is no image of 8 bits per channel.
        """
        return self.sized(image)[0]

    def sized(self, image: object) -> tuple[Pixels, tuple[int, int]]:
        """The pixels, and the height and width that the upright image had."""
        array = _array(image) if isinstance(image, np.ndarray) else None
        if array is None:
            picture = _picture(image)
            height, width = picture.height, picture.width
        else:
            height, width = array.shape[:2]
        wanted = self._resized(height, width)
        if not self.rounded:
            array = np.asarray(picture) if array is None else array
            return self._between(array, wanted), (height, width)
        steps = [wanted, self._fitting(*wanted)] if self.fitted else [wanted]
        if array is None or any(step != (height, width) for step in steps):
            picture = picture if array is None else _pillow().fromarray(array)
            for step in steps:
                picture = picture.resize(step[::-1], self.resample)
            array = np.asarray(picture)
        cropped = self._cropped(array, 0)
        return self._normalised(cropped), (height, width)

    def _between(self, array: Bytes, wanted: tuple[int, int]) -> Pixels:
        """Rescaled before it is resized, each channel as numbers of 32 bits."""
        planes = (array * np.float64(self.rescale)).astype(np.float32).transpose(2, 0, 1)
        if planes.shape[1:] != wanted:
            pillow = _pillow()
            resized = [
                pillow.fromarray(np.ascontiguousarray(plane)).resize(wanted[::-1], self.resample)
                for plane in planes
            ]
            planes = np.stack([np.asarray(plane) for plane in resized])
        planes = self._cropped(planes, 1)
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        return (planes - mean[:, None, None]) / std[:, None, None]

    def _cropped(self, array: NDArray[Level], axis: int) -> NDArray[Level]:
        """The middle of an array whose rows are along `axis` and whose columns follow."""
        for place, wanted in enumerate(self.size or (), axis):
            array = _centred(array, place, wanted, self.first, self.fitted)
        return array

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        """Height and width after the resize."""
        if self.resize is not None:
            return self.resize[0], self.resize[1]
        if self.nearest is not None:
            return self._nearest(height, width)
        if self.patches is not None:
            return most_patches(height, width, self.multiple, self.patches)
        if self.shortest_edge is None:
            return height, width
        edge, shorter, longer = self.shortest_edge, min(height, width), max(height, width)
        exact: float = edge
        if self.longest_edge is not None and longer / shorter * edge > self.longest_edge:
            exact = self.longest_edge * shorter / longer
            edge = round(exact)
        # The longer side follows from what the shorter would be before it is rounded.
        long_edge = int(exact * longer / shorter)
        # Where sides are cut to a multiple, transformers takes another way for images that stand.
        if (
            self.longest_edge is not None
            and edge == shorter
            and (self.multiple == 1 or height <= width)
        ):
            long_edge = longer
        sides = (long_edge, edge) if width <= height else (edge, long_edge)
        return self._checked([side // self.multiple for side in sides], (height, width))

    def _nearest(self, height: int, width: int) -> tuple[int, int]:
        """Height and width by the scale that changes less, as multiples."""
        assert self.nearest is not None
        down, along = self.nearest[0] / height, self.nearest[1] / width
        scale = along if abs(1 - along) < abs(1 - down) else down
        sides = [round(scale * side / self.multiple) for side in (height, width)]
        return self._checked(sides, (height, width))

    def _checked(self, multiples: list[int], was: tuple[int, int]) -> tuple[int, int]:
        """What an image of a size becomes; UsageError where that has no pixels or too many."""
        height, width = (side * self.multiple for side in multiples)
        if min(height, width) < 1 or height * width > MOST_PIXELS:
            raise UsageError(f"the image is too long and narrow: {was[1]} x {was[0]} pixels")
        return height, width

    def _fitting(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of what has these, not larger than `size`."""
        assert self.size is not None
        most = min(height, self.size[0]), min(width, self.size[1])
        if most == (height, width):
            return most
        if height > width:
            return most[0], int(width * most[0] / height)
        return int(height * most[1] / width), most[1]

    def _normalised(self, array: Bytes) -> Pixels:
        """One table of 256 values per channel: the rounding of transformers at the price of a look-up."""
        levels = (np.arange(256, dtype=np.float64) * self.rescale).astype(np.float32)
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        tables = (levels - mean[:, None]) / std[:, None]  # [channels, 256]
        return np.stack([table[array[:, :, i]] for i, table in enumerate(tables)])


def sample_images(size: Sequence[int], count: int) -> Iterator[Bytes]:
    """Smooth random pictures [height, width, 3], the same every time: what checks are made with."""
    random, (height, width) = np.random.default_rng(0), size
    for _ in range(count):
        coarse = random.integers(0, 256, (3, height // 16 + 1, width // 16 + 1, 1, 1), np.uint8)
        fine = np.broadcast_to(coarse, (*coarse.shape[:3], 16, 16)).transpose(1, 3, 2, 4, 0)
        picture = fine.reshape(coarse.shape[1] * 16, -1, 3)[:height, :width]
        yield np.ascontiguousarray(picture)


def _centred(
    array: NDArray[Level], axis: int, wanted: int, first: bool, earlier: bool
) -> NDArray[Level]:
    """The middle of `array` along an axis, or `array` in the middle of zeros: of two places there in the
    `earlier` one."""
    size = array.shape[axis]
    if size >= wanted:
        start = (size - wanted) // 2 if first else round((size - wanted) / 2)
        return array.take(range(start, start + wanted), axis)
    before = (wanted - size + (not earlier)) // 2
    padding = [(0, 0)] * array.ndim
    padding[axis] = (before, wanted - size - before)
    return np.pad(array, padding)


def _array(image: NDArray[Any]) -> Bytes:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != CHANNELS:
        raise UsageError(
            f"the array is {image.dtype} {list(image.shape)}; an image is uint8 [height, width, 3]"
        )
    if 0 in image.shape:
        raise UsageError(f"the image is empty: {list(image.shape)}")
    return image


def _picture(image: object) -> Image:
    """The image in RGB."""
    module = _pillow()
    picture = image if isinstance(image, module.Image) else _opened(image)
    if 0 in picture.size:
        raise UsageError(f"the image is empty: {picture.width} x {picture.height} pixels")
    if picture.mode.startswith(DEEP):
        raise UsageError(
            f"the image has mode {picture.mode}, more than 8 bits per channel; convert it to 8 bits"
        )
    try:
        return _on_white(picture)
    except Exception as error:  # what the caller opened is decoded here
        raise UsageError(f"cannot read the image as RGB: {shown(error)}") from error


def _opened(image: object) -> Image:
    """The upright image in a file or in the bytes of one."""
    from PIL import ImageOps

    module = _pillow()
    source: io.BytesIO | Path
    if isinstance(image, bytes | bytearray | memoryview):
        name, source = "the image", io.BytesIO(image)
    elif isinstance(image, str | os.PathLike):
        name, source = shown(image), Path(image)
        if not Path(image).is_file():
            raise UsageError(f"{name} is not a file")
    else:
        raise UsageError(
            f"a {type(image).__name__} is no image: give a path, bytes, a Pillow image or an array"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on metadata
            warnings.simplefilter("error", module.DecompressionBombWarning)
            with module.open(source, formats=FORMATS) as picture:
                return ImageOps.exif_transpose(picture)
    except (module.DecompressionBombError, module.DecompressionBombWarning) as error:
        raise UsageError(
            f"{name} has more pixels than PIL.Image.MAX_IMAGE_PIXELS = {module.MAX_IMAGE_PIXELS}"
        ) from error
    except Exception as error:  # decoders raise whatever they like on a damaged file
        system = error.strerror if isinstance(error, OSError) else None
        reason = system or f"damaged, or not one of {', '.join(FORMATS)}"
        raise UsageError(f"cannot read {name}: {reason}") from error


def _on_white(picture: Image) -> Image:
    """RGB, with what is transparent laid on white."""
    if "A" not in picture.getbands() and picture.info.get("transparency") is None:
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    module = _pillow()
    white = module.new("RGBA", picture.size, (255, 255, 255, 255))
    return module.alpha_composite(white, picture).convert("RGB")


def _pillow() -> Any:
    """The module PIL.Image."""
    try:
        from PIL import Image
    except ImportError as error:
        raise UsageError(f"reading images needs Pillow: {install('image')}") from error
    return Image
