"""Pictures of every kind are read as the eye sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from magicpose_cli.errors import PictureError
from magicpose_cli.media.pictures import load_picture, resize_picture, save_picture


@pytest.fixture
def picture() -> np.ndarray:
    """Smooth colours, so that JPEG keeps them."""
    y, x = np.mgrid[0:24, 0:40]
    return np.stack([x * 6, y * 10, 255 - x * 3 - y * 3], axis=2).astype(np.uint8)


def test_png_keeps_each_pixel_and_each_byte(tmp_path: Path, picture: np.ndarray) -> None:
    save_picture(tmp_path / "a.png", picture)
    save_picture(tmp_path / "b.png", picture)
    assert np.array_equal(load_picture(tmp_path / "a.png"), picture)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(("name", "tolerance"), [("a.webp", 0), ("a.jpg", 12)])
def test_other_formats(tmp_path: Path, picture: np.ndarray, name: str, tolerance: int) -> None:
    save_picture(tmp_path / name, picture)
    assert np.abs(load_picture(tmp_path / name).astype(int) - picture).max() <= tolerance


def test_unknown_suffix(tmp_path: Path, picture: np.ndarray) -> None:
    with pytest.raises(PictureError, match=r"ends in \.png"):
        save_picture(tmp_path / "a.xyz", picture)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, picture: np.ndarray, orientation: int) -> None:
    lying = {
        1: picture,
        2: picture[:, ::-1],
        3: picture[::-1, ::-1],
        4: picture[::-1],
        5: picture.transpose(1, 0, 2),
        6: np.rot90(picture, 1),
        7: picture.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(picture, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(lying)).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(load_picture(tmp_path / "a.png"), picture)


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    pixels = np.zeros((2, 3, 4), dtype=np.uint8)
    pixels[..., 0] = 200
    pixels[:, :, 3] = [0, 128, 255]
    Image.fromarray(pixels).save(tmp_path / "a.png")
    seen = load_picture(tmp_path / "a.png")[0].tolist()
    assert seen[0] == [255, 255, 255]
    assert seen[2] == [200, 0, 0]
    assert np.allclose(seen[1], [227, 127, 127], atol=1)


def test_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((0, 0), 0)
    image.save(tmp_path / "a.png", transparency=0)
    seen = load_picture(tmp_path / "a.png")
    assert seen[0, 0].tolist() == [255, 255, 255]
    assert seen[1, 1].tolist() == [200, 100, 50]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "CMYK", "YCbCr"])
def test_other_modes(tmp_path: Path, picture: np.ndarray, mode: str) -> None:
    suffix = "tif" if mode in ("CMYK", "YCbCr") else "png"
    image = Image.fromarray(picture).convert(mode)
    image.save(tmp_path / f"a.{suffix}")
    seen = load_picture(tmp_path / f"a.{suffix}")
    assert seen.dtype == np.uint8
    assert np.abs(seen.astype(int) - np.array(image.convert("RGB"))).max() <= 1


def test_16_bit_grey_is_scaled_not_cut(tmp_path: Path) -> None:
    values = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    assert load_picture(tmp_path / "a.png")[0, :, 1].tolist() == [0, 1, 128, 255]


def test_float_grey(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 0.5, 1]], dtype=np.float32)).save(tmp_path / "a.tif")
    assert load_picture(tmp_path / "a.tif")[0, :, 2].tolist() == [0, 128, 255]
    Image.fromarray(np.array([[0, np.nan]], dtype=np.float32)).save(tmp_path / "b.tif")
    with pytest.raises(PictureError, match="grey values"):
        load_picture(tmp_path / "b.tif")


def test_an_animation_gives_its_first_frame_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = [Image.new("RGB", (4, 4), (50 * i, 0, 0)) for i in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100)
    assert load_picture(tmp_path / "a.gif")[0, 0].tolist() == [0, 0, 0]
    assert "first frame" in capsys.readouterr().err


def test_what_is_no_picture(tmp_path: Path, picture: np.ndarray) -> None:
    (tmp_path / "text.png").write_text("not a picture at all")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "clip.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(100))
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x20ftypheic" + bytes(100))
    (tmp_path / "drawing.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    save_picture(tmp_path / "whole.png", np.tile(picture, (9, 9, 1)))
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:400])
    for name, found in (
        ("text.png", "something else"),
        ("empty.png", "an empty file"),
        ("clip.mp4", "a video"),
        ("phone.heic", "HEIC"),
        ("drawing.eps", "something else"),
        ("cut.png", "broken data"),
        ("missing.png", "no such file"),
        (".", "a folder"),
    ):
        with pytest.raises(PictureError, match=f"found {found}" if found != "HEIC" else "HEIC"):
            load_picture(tmp_path / name)


def test_a_picture_that_would_fill_the_memory(tmp_path: Path) -> None:
    # black compresses to little: the classical decompression bomb
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(PictureError, match="at most"):
        load_picture(tmp_path / "bomb.png")


def test_real_references(shared_media: Path) -> None:
    upright = load_picture(shared_media / "hard" / "hard_exif_rotated_6.jpg")
    assert upright.shape == (913, 622, 3)
    assert load_picture(shared_media / "hard" / "hard_noperson_boat_palette.png").std() > 20
    with pytest.raises(PictureError, match="a video or sound file"):
        load_picture(shared_media / "hard" / "hard_single_frame.mp4")


def test_resize_is_pillows_bilinear(picture: np.ndarray) -> None:
    expected = np.array(Image.fromarray(picture).resize((13, 17), Image.Resampling.BILINEAR))
    assert np.array_equal(resize_picture(picture, 13, 17), expected)


def test_a_broken_colour_profile_is_said(
    tmp_path: Path, picture: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    image = Image.fromarray(picture).convert("CMYK")
    image.save(tmp_path / "a.tif", icc_profile=b"no profile at all")
    assert np.abs(load_picture(tmp_path / "a.tif").astype(int) - np.array(image.convert("RGB"))).max() <= 1
    assert "colour profile" in capsys.readouterr().err
