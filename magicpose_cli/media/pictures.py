"""Pictures: read any kind as upright RGB, save, and bring to a size by crop or pad bars.

A picture is uint8 (H W 3), RGB, as everywhere outside `diffusion/`. Its coordinates are continuous:
pixel (0, 0) covers 0..1 in both directions, x to the right, y down.
"""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from .. import console
from ..errors import PictureError
from .atomic import write_file
from .files import why_unreadable

# Pillow knows more formats; some of those run programs (EPS) or have no signature to tell them by
READABLE_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000")
PICTURE_SUFFIXES = frozenset({".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp"}) | {
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".jp2")
}
_SAVED_AS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def load_picture(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a picture as the eye sees it.

    The EXIF orientation is applied; palettes are resolved; transparency lies over white; CMYK goes
    through the picture's own colour profile where it has one; 16-bit grey is scaled to 8 bit. Of an
    animation the first frame is taken, and that is said.

    Returns:
        uint8 (H W 3), RGB.

    Raises:
        PictureError: no file, no picture, broken data, or more pixels than a picture can have.
    """
    path = Path(path)
    _check_is_file(path)
    return _load(path, path)


def decode_picture(data: bytes, name: str | os.PathLike[str]) -> np.ndarray:
    """As `load_picture`, of a picture's bytes; errors call it by its name."""
    return _load(io.BytesIO(data), Path(name))


def _load(source: Path | io.BytesIO, path: Path) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(source, formats=READABLE_FORMATS) as opened:
                if getattr(opened, "is_animated", False) and opened.format != "MPO":
                    console.say(f"{path.name} is an animation: its first frame is the picture.")
                opened.load()
                return rgb_of(upright(opened, path), path)
    except UnidentifiedImageError as error:
        raise _not_a_picture(source, path) from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise PictureError(
            expected=f"a picture of at most {Image.MAX_IMAGE_PIXELS} pixels",
            found=f"more in {path}",
            remedy="Scale it down first.",
        ) from error
    except PictureError:
        raise
    except Exception as error:  # what a format's decoder raises on broken data is not limited to a few types
        raise PictureError(
            expected=f"a whole picture in {path}",
            found=f"broken data ({str(error) or type(error).__name__})",
            remedy="Export or download the picture again.",
        ) from error


def save_picture(path: str | os.PathLike[str], picture: np.ndarray) -> None:
    """Save uint8 (H W 3) as PNG, JPEG (quality 95) or WebP (lossless), after the path's suffix.

    The file appears whole or not at all; the same pixels give the same bytes.

    Raises:
        PictureError: another suffix.
    """
    path = Path(path)
    saved_as = _SAVED_AS.get(path.suffix.lower())
    if saved_as is None:
        raise PictureError(
            expected="a picture name that ends in .png, .jpg or .webp", found=path.name, remedy="Rename it."
        )
    with write_file(path) as temporary:
        image = Image.fromarray(_checked(picture))
        if saved_as == "PNG":
            image.save(temporary, saved_as, compress_level=6)
        else:
            image.save(temporary, saved_as, quality=95, lossless=True)


def resize_picture(picture: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
    """Bring uint8 (H W 3) to another size with PIL's antialiased bilinear filter, the reference's."""
    if picture.shape[:2] == (height_px, width_px):
        return picture
    image = Image.fromarray(_checked(picture)).resize((width_px, height_px), Image.Resampling.BILINEAR)
    return np.array(image)


@dataclass(frozen=True)
class Placement:
    """How a picture of one size comes to another: what is cut off, or where the pad bars lie.

    Make one with `crop` or `pad`. The same placement serves a picture, its pose map (of the same
    aspect at any resolution) and single points, so that they stay aligned.

    Attributes:
        source_width_px, source_height_px: size of the picture that the placement is about.
        width_px, height_px: size that it comes to.
        fit: `crop` or `pad`.
    """

    source_width_px: int
    source_height_px: int
    width_px: int
    height_px: int
    fit: Literal["crop", "pad"]

    def __post_init__(self) -> None:
        sizes = (self.source_width_px, self.source_height_px, self.width_px, self.height_px)
        if min(sizes) < 1:
            raise ValueError(f"sizes must be at least 1 px, got {sizes}")

    @classmethod
    def crop(cls, source_width_px: int, source_height_px: int, width_px: int, height_px: int) -> Placement:
        """The largest centred box of the wanted aspect, resized: the reference's transform for a square."""
        return cls(source_width_px, source_height_px, width_px, height_px, "crop")

    @classmethod
    def pad(cls, source_width_px: int, source_height_px: int, width_px: int, height_px: int) -> Placement:
        """The whole picture as large as it fits, centred, with bars beside it."""
        return cls(source_width_px, source_height_px, width_px, height_px, "pad")

    def crop_box(self) -> tuple[int, int, int, int]:
        """The part of the source that is kept: (left, top, right, bottom) in source px."""
        if self.fit == "pad":
            return 0, 0, self.source_width_px, self.source_height_px
        # integer arithmetic: rounded half up, and exact for squares
        width_px = (2 * self.source_height_px * self.width_px + self.height_px) // (2 * self.height_px)
        height_px = (2 * self.source_width_px * self.height_px + self.width_px) // (2 * self.width_px)
        width_px = max(1, min(self.source_width_px, width_px))
        height_px = max(1, min(self.source_height_px, height_px))
        left, top = (self.source_width_px - width_px) // 2, (self.source_height_px - height_px) // 2
        return left, top, left + width_px, top + height_px

    def inner_box(self) -> tuple[int, int, int, int]:
        """Where the picture lies in the result: (left, top, right, bottom) in px; all of it for a crop."""
        if self.fit == "crop":
            return 0, 0, self.width_px, self.height_px
        scale = min(self.width_px / self.source_width_px, self.height_px / self.source_height_px)
        width_px = max(1, min(self.width_px, round(self.source_width_px * scale)))
        height_px = max(1, min(self.height_px, round(self.source_height_px * scale)))
        left, top = (self.width_px - width_px) // 2, (self.height_px - height_px) // 2
        return left, top, left + width_px, top + height_px

    def apply(self, picture: np.ndarray, border: tuple[int, int, int] = (0, 0, 0)) -> np.ndarray:
        """Place a picture.

        Args:
            picture: uint8 (H W 3) of the source's aspect; at another resolution than the source, the
                crop box scales with it.
            border: RGB colour of the pad bars, 0..255.

        Returns:
            uint8 (height_px, width_px, 3).

        Raises:
            ValueError: the picture has another aspect than the source.
        """
        image = Image.fromarray(_checked(picture))
        self._check_aspect(image.width, image.height)
        left, top, right, bottom = self.inner_box()
        placed = _resize_box(image, self._box_in(image.width, image.height), (right - left, bottom - top))
        if placed.size == (self.width_px, self.height_px):
            return np.array(placed)
        canvas = Image.new("RGB", (self.width_px, self.height_px), border)
        canvas.paste(placed, (left, top))
        return np.array(canvas)

    def unpad(self, picture: np.ndarray) -> np.ndarray:
        """Cut the pad bars from a result (height_px, width_px, 3); a crop has none."""
        if picture.shape[:2] != (self.height_px, self.width_px):
            raise ValueError(f"expected {self.height_px} x {self.width_px}, got {picture.shape[:2]}")
        left, top, right, bottom = self.inner_box()
        return picture[top:bottom, left:right]

    def maps_point(self, x_px: float, y_px: float) -> tuple[float, float]:
        """Where a point of the source comes to lie in the result; outside of it if it is cropped away."""
        from_left, from_top, from_right, from_bottom = self.crop_box()
        left, top, right, bottom = self.inner_box()
        return (
            left + (x_px - from_left) * (right - left) / (from_right - from_left),
            top + (y_px - from_top) * (bottom - top) / (from_bottom - from_top),
        )

    def _box_in(self, width_px: int, height_px: int) -> tuple[float, float, float, float]:
        """The crop box in a picture of the source's aspect and this size."""
        scale_x, scale_y = width_px / self.source_width_px, height_px / self.source_height_px
        left, top, right, bottom = self.crop_box()
        return left * scale_x, top * scale_y, min(right * scale_x, width_px), min(bottom * scale_y, height_px)

    def _check_aspect(self, width_px: int, height_px: int) -> None:
        # a scaled size is rounded to whole pixels, so either side may be off by one
        width_off = abs(width_px - height_px * self.source_width_px / self.source_height_px)
        height_off = abs(height_px - width_px * self.source_height_px / self.source_width_px)
        if min(width_off, height_off) > 1:
            raise ValueError(
                f"a picture of {width_px}x{height_px} has not the aspect of "
                f"{self.source_width_px}x{self.source_height_px}"
            )


def _resize_box(
    image: Image.Image, box: tuple[float, float, float, float], size: tuple[int, int]
) -> Image.Image:
    if all(float(side).is_integer() for side in box):
        # cut, then resize, as the reference does: the filter sees nothing outside the box
        left, top, right, bottom = (int(side) for side in box)
        cut = image.crop((left, top, right, bottom))
        return cut if cut.size == size else cut.resize(size, Image.Resampling.BILINEAR)
    return image.resize(size, Image.Resampling.BILINEAR, box=box)


def _checked(picture: np.ndarray) -> np.ndarray:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise ValueError(f"expected uint8 (H W 3), got {picture.dtype} {picture.shape}")
    return np.ascontiguousarray(picture)


def _check_is_file(path: Path) -> None:
    found = why_unreadable(path)
    if found is not None:
        raise PictureError(expected=f"a picture at {path}", found=found, remedy="Check the path.")


def _not_a_picture(source: Path | io.BytesIO, path: Path) -> PictureError:
    """Say what the file is instead, as far as its first bytes tell."""
    with io.BytesIO(source.getvalue()) if isinstance(source, io.BytesIO) else source.open("rb") as file:
        head = file.read(16)
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if brand in (b"heic", b"heix", b"mif1", b"msf1", b"heim", b"heis"):
        found, remedy = "a HEIC picture", "Convert it to JPEG or PNG."
    elif brand or head[:4] in (b"\x1aE\xdf\xa3", b"FLV\x01") or head[8:12] == b"AVI ":
        found, remedy = "a video or sound file", "Give a picture, for example one frame of it saved as PNG."
    else:
        found, remedy = "something else", f"Give one of {', '.join(READABLE_FORMATS)}."
    return PictureError(expected=f"a picture at {path}", found=found, remedy=remedy)


def upright(image: Image.Image, path: Path) -> Image.Image:
    """An image turned as its EXIF data say."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:  # EXIF is a free-form block that cameras and editors get wrong in many ways
        console.warn(
            f"the EXIF data of {path.name} cannot be read ({error}): the picture is taken as it lies."
        )
        return image


def rgb_of(image: Image.Image, path: Path) -> np.ndarray:
    """uint8 (H W 3) from an image in any of Pillow's modes; rules and errors as in `load_picture`."""
    if image.mode.startswith("I") or image.mode == "F":
        grey = _grey_to_8_bit(np.asarray(image), path)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode == "CMYK" and image.info.get("icc_profile"):
        image = _from_printed(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return np.array(image.convert("RGB"))


def _grey_to_8_bit(values: np.ndarray, path: Path) -> np.ndarray:
    """Deep grey to 0..255: integers are 8 or 16 bit wide, floats go to 1 or to 255."""
    lowest, highest = float(values.min()), float(values.max())
    if values.dtype == np.uint16 or (values.dtype.kind in "iu" and highest > 255):
        white = 65535.0
    elif values.dtype.kind == "f" and highest <= 1:
        white = 1.0
    else:
        white = 255.0
    if not (lowest >= 0 and highest <= white):  # also false for NaN
        raise PictureError(
            expected=f"grey values from 0 to {white:g} in {path}",
            found=f"{lowest:g} to {highest:g}",
            remedy="Save the picture with 8 or 16 bits.",
        )
    return np.round(values.astype(np.float64) * (255.0 / white)).astype(np.uint8)


def _from_printed(image: Image.Image) -> Image.Image:
    """CMYK through its colour profile; where the profile is broken, Pillow's plain conversion follows."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        screen = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, profile, screen, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError) as error:
        console.warn(f"the colour profile cannot be used ({error}): CMYK is converted without it.")
        return image
    return converted if converted is not None else image
