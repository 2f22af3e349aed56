"""DisCo's TSVs, in both ways of counting rows."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import yaml

from magicpose_cli.errors import InputError
from magicpose_cli.evaluation.datasets import TestClip, find_clips
from magicpose_cli.evaluation.datasets.check import check_clip
from magicpose_cli.evaluation.manifest import make_manifest

from .layouts import VIDEOS, encoded, grey, write_magicpose_layout, write_tsvs


def opened(root: Path, split: str = "disco") -> list[TestClip]:
    _, found = find_clips("tiktok", root, split)
    return [open_clip(i, True) for i, open_clip in enumerate(found.values())]


def assert_whole(clips: list[TestClip], off_by: int = 0) -> None:
    assert [clip.name for clip in clips] == list(VIDEOS)
    for number, clip in enumerate(clips):
        assert clip.maps is not None and clip.masks is not None
        for kind, pictures in (("img", clip.frames), ("poses", clip.maps), ("masks", clip.masks)):
            found = [int(p[0, 0, 0]) for p in pictures.read(range(len(pictures)))]
            expected = [grey(number, i, kind) for i in range(list(VIDEOS.values())[number])]
            assert found == pytest.approx(expected, abs=off_by)


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_both_ways_of_counting_and_both_formats(tmp_path: Path, relative: bool, kind: str) -> None:
    assert_whole(opened(write_tsvs(tmp_path, relative=relative, kind=kind)), off_by=2)


def test_without_offsets_keys_tell_the_videos(tmp_path: Path) -> None:
    root = write_tsvs(tmp_path, relative=True)
    (root / "val_vid2line.tsv").unlink()
    assert_whole(opened(root))


def test_the_yaml_of_the_script_for_own_data_names_another_file(tmp_path: Path) -> None:
    root = write_tsvs(tmp_path, relative=False)
    names = {field: f"val_{field}.tsv" for field in ("img", "masks", "poses", "vid2line")}
    (root / "val.yaml").write_text(yaml.safe_dump({"composite": False, **names}))
    write_tsvs(root, relative=False, split="train")
    assert_whole(opened(root))
    assert_whole(opened(root / "val.yaml"))
    assert_whole(opened(root / "val_images.tsv"))
    (root / "val_masks.tsv").unlink()
    with pytest.raises(InputError, match=r"val_masks\.tsv, as val\.yaml says, found no such file"):
        opened(root)
    (root / "val.yaml").unlink()
    write_tsvs(root, relative=False, split="other")
    with pytest.raises(InputError, match=r"one test split in .*, found other_images\.tsv, val_images\.tsv"):
        opened(root)


def test_line_indices_are_used_where_they_lie_beside(tmp_path: Path) -> None:
    root = write_tsvs(tmp_path, relative=True)
    path = root / "val_poses.tsv"
    lines = path.read_bytes().splitlines(keepends=True)
    starts = [sum(map(len, lines[:i])) for i in range(len(lines))]
    path.with_suffix(".lineidx").write_text("\n".join(map(str, starts)) + "\n")
    assert_whole(opened(root))
    path.with_suffix(".lineidx").write_text("\n".join(map(str, [0, *starts[:-1]])))
    with pytest.raises(InputError, match=r"a row of TiktokDance_00337_0001\.png in poses"):
        opened(root)


def test_a_composite_yaml(tmp_path: Path) -> None:
    root = write_tsvs(tmp_path, relative=True)
    for field in ("images", "poses", "masks", "vid2line"):
        lines = (root / f"val_{field}.tsv").read_text().splitlines(keepends=True)
        (root / f"one.{field}.tsv").write_text("".join(lines[4:]))
        (root / f"two.{field}.tsv").write_text("".join(lines[:4]))
        (root / f"val_{field}.tsv").unlink()
        (root / f"{field}.list").write_text(f"one.{field}.tsv\ntwo.{field}.tsv\n")
    order = [(1, row) for row in range(4)] + [(0, row) for row in range(3)]
    (root / "order.tsv").write_text("".join(f"{source}\t{row}\t0\n" for source, row in order))
    named = {f: f"{f}.list" for f in ("poses", "masks", "vid2line")} | {"img": "images.list"}
    (root / "val.yaml").write_text(
        yaml.safe_dump({"composite": True, "caption_linelist": "order.tsv", **named})
    )
    assert_whole(opened(root))


def test_the_same_frames_in_files_have_the_same_digest(tmp_path: Path) -> None:
    root = write_magicpose_layout(tmp_path / "files")
    for clip, name in enumerate(VIDEOS):  # the very bytes: a PNG of the same pixels may have others
        for i, path in enumerate(sorted((root / "disco_test_set" / name).iterdir())):
            path.write_bytes(base64.b64decode(encoded(grey(clip, i))))
    files = opened(root)
    rows = opened(write_tsvs(tmp_path / "tsv", relative=True))
    digests = [make_manifest(clips, "tiktok", "disco", 1)["sha256"] for clips in (files, rows)]
    assert digests[0] == digests[1]


def test_invalid_masks_are_none_and_335_to_340_are_sought(tmp_path: Path) -> None:
    root = write_tsvs(tmp_path, relative=True)
    path = root / "val_masks.tsv"
    path.write_text(path.read_text().replace("\tTrue", "\tFalse", 1))
    first, second = opened(root)
    assert first.masks is None and second.masks is not None
    with pytest.raises(InputError, match="found no 00335, 00336, 00338"):
        opened(root, "335-340")


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    root = write_tsvs(tmp_path, relative=True)
    images = root / "val_images.tsv"
    whole = images.read_text()
    images.write_text(whole.replace(encoded(grey(0, 2)), "not base64!"))
    with pytest.raises(InputError, match=r"base64 for TiktokDance_00337_0002\.png in .*val_images\.tsv"):
        check_clip(opened(root)[0])
    images.write_text(whole.replace(encoded(grey(0, 2)), encoded(grey(0, 2))[:60]))
    with pytest.raises(InputError, match=r"TiktokDance_00337_0002\.png in .*val_images\.tsv"):
        check_clip(opened(root)[0])
    images.write_text(whole)
    lines = (root / "val_vid2line.tsv").read_text().splitlines(keepends=True)
    for wrong, message in (
        (lines[:-1], "7 rows of vid2line"),
        ([*lines[:-1], lines[-1].replace("0]", "3]")], "7 rows of vid2line"),
        ([*lines[:-1], "TiktokDance_201_005_1x1_0002.png\tx\n"], "for TiktokDance_201_005_1x1_0002.png"),
    ):
        (root / "val_vid2line.tsv").write_text("".join(wrong))
        with pytest.raises(InputError, match=message):
            opened(root)
    (root / "val_vid2line.tsv").unlink()
    gone = [line for line in whole.splitlines(keepends=True) if "00337_0002" not in line]
    images.write_text("".join(gone))
    with pytest.raises(InputError, match=r"frame 0002 after TiktokDance_00337_0001\.png"):
        opened(root)


def test_broken_files_around_the_tsvs_are_named(tmp_path: Path) -> None:
    root = write_tsvs(tmp_path, relative=True)
    (root / "val_images.lineidx").write_text("0\njunk\n")
    with pytest.raises(InputError, match=r"a number in each line of .*val_images\.lineidx"):
        opened(root)
    (root / "val_images.lineidx").unlink()
    (root / "img.list").write_text("val_images.tsv\n")
    named = {"composite": True, "img": "img.list", "caption_linelist": "order.tsv"}
    (root / "own.yaml").write_text(yaml.safe_dump(named))
    with pytest.raises(InputError, match=r"order\.tsv, as the YAML says, found no such file"):
        opened(root / "own.yaml")
    for line in ("0\t99\n", "3\t0\n", "0\n", "a\tb\n"):
        (root / "order.tsv").write_text(line)
        with pytest.raises(InputError, match=r"a TSV's number and a row's in each line of .*order\.tsv"):
            opened(root / "own.yaml")
    (root / "img.list").write_text("gone.tsv\n")
    with pytest.raises(InputError, match=r"gone\.tsv, as the YAML says"):
        opened(root / "own.yaml")
    (root / "own.yaml").unlink()
    (root / "val_vid2line.tsv").unlink()
    (root / "val_images.tsv").write_text("")
    with pytest.raises(InputError, match="rows in the TSV of images"):
        opened(root)
