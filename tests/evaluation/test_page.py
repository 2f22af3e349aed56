"""`report.html`: whole, self-contained, and it says what it must."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from magicpose_cli.errors import MissingDependencyError
from magicpose_cli.evaluation.page import SHOWN, check_dependencies, write_page
from magicpose_cli.evaluation.published import PUBLISHED
from magicpose_cli.evaluation.summary import sum_up

from .test_summary import records

CLIPS = ["first", "<script>alert(1)</script>"]
PSNR = {"copy of the reference": [[20.0, 11.0], [22.0, 23.0]], "ours": [[30.5, 31.25], [100.0, 28.75]]}
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Tags that are open, all attributes, text by tag, and the cells of tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open[-1] if self.open else "", " ".join(data.split())))

    def of(self, tag: str) -> list[str]:
        return [text for at, text in self.texts if at == tag]


def show(method: str, clip: int, frame: int) -> list[np.ndarray]:
    """Four pictures that differ; larger than what the page takes."""
    return [np.full((512, 256, 3), 40 * i + frame, np.uint8) for i in range(4)]


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    # three times over, since two clips have no interval
    of_methods = {name: records(3 * psnr) for name, psnr in PSNR.items()}
    return {
        "magicpose": "1.2.3",
        "settings": {
            "dataset": "synth", "model": "ours", "steps": 7, "guidance": 1.0, "seed": 0, "clips": None,
            "without_motion": False, "predictions": {}, "stride": 1, "gt": "real", "poses": None,
            "size_px": [256, 512],
            "preset": None, "solver": "ddim", "split": "disco",
            "clips_sha256": {"first": {"frames": "abc", "masks": None}, CLIPS[1]: "def"},
        },
        "clips": CLIPS,
        "frames": 4,
        "manifest_sha256": "0123456789abcdef",
        "skipped": {"third": "0007.png is not there <b>"},
        "detector": "mediapipe",
        "segmenter": "the dataset's masks",
        **sum_up(of_methods),
    }  # fmt: skip


@pytest.fixture(scope="module")
def text(report: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_page(path, report, {name: records(psnr) for name, psnr in PSNR.items()}, show)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_it_is_whole_and_needs_nothing_beside_it(page: Page, text: str) -> None:
    assert not page.open, "tags that nothing closes"
    for tag, name, value in page.attributes:
        if name in ("src", "href", "srcset", "data", "action", "poster"):
            assert tag == "img" and value.startswith("data:image/jpeg;base64,"), (tag, name)
        assert not name.startswith("on")
    assert not re.search(r"url\(|@import|<script|<link|<iframe", text)
    addresses = set(re.findall(r"https?://[^\"' ]+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}, "a name, not a place"
    assert "default-src 'none'" in text


def test_what_data_it_was_and_what_was_left_out(page: Page, report: dict[str, Any]) -> None:
    assert report["manifest_sha256"] in page.of("code")
    assert any("Left out: 1 (third: 0007.png is not there <b>)" in text for text in page.of("p"))
    assert "split" not in page.of("dt"), "synth has none"


def test_names_from_outside_are_text(page: Page) -> None:
    assert CLIPS[1] in page.of("h3")


def test_settings_and_measured_values(page: Page, report: dict[str, Any]) -> None:
    assert page.of("h1") == ["ours on synth"]
    settings = dict(zip(page.of("dt"), page.of("dd"), strict=True))
    assert settings == {
        "guidance": "1.0",
        "seed": "0",
        "predictions": "none",
        "stride": "1",
        "gt": "real",
        "dataset": "synth",
        "model": "ours",
        "steps": "7",
        "solver": "ddim",
        "without_motion": "no",
        "size_px": "256x512",
    }
    cells = page.of("td")
    for method in report["methods"].values():
        assert f"{method['values']['psnr']:.2f}" in cells
    low, high = report["methods"]["ours"]["intervals"]["psnr"]
    assert f"{low:#.3g} .. {high:#.3g}" in page.of("small")


def test_the_best_of_a_row_is_marked(text: str) -> None:
    row = next(line for line in re.findall(r"<tr>.*?</tr>", text, re.S) if '"row">psnr<' in line)
    copy, ours = re.findall(r"<td.*?</td>", row, re.S)
    assert 'class="best"' in ours and "best" not in copy


def test_published_rows_stand_apart_and_it_is_said_why(text: str) -> None:
    measured, apart, published = text.partition('<div class="published">')
    assert apart and "may not be compared" in published and "ten videos of TikTok" in published
    published = published.partition("<h2>")[0]
    for row in PUBLISHED:
        assert f">{row.method}<" in published and f">{row.method}<" not in measured
        assert row.source.replace("'", "&#39;") in published
    assert "0.81E-04" in published and "21.2" in published


def test_a_difference_names_who_is_ahead(text: str, report: dict[str, Any]) -> None:
    (pair,) = report["comparisons"]
    section = text.partition("ours less copy of the reference")[2].partition("</section>")[0]
    low, high = pair["values"]["psnr"]["interval"]
    assert 0 < low < high
    for key, ahead in (("psnr", "ours"), ("l1", "copy of the reference")):
        row = next(line for line in section.splitlines() if f'"row">{key}<' in line)
        assert f"<td>{pair['values'][key]['difference']:+#.3g}</td>" in row and f">{ahead}</td>" in row


def test_of_too_few_clips_nobody_is_ahead(tmp_path: Path, report: dict[str, Any]) -> None:
    two = {name: records(psnr) for name, psnr in PSNR.items()}
    write_page(tmp_path / "report.html", {**report, **sum_up(two)}, two, show)
    text = (tmp_path / "report.html").read_text()
    section = text.partition("ours less copy of the reference")[2].partition("</section>")[0]
    row = next(line for line in section.splitlines() if '"row">psnr<' in line)
    assert re.findall(r"<td[^>]*>(.*?)</td>", row)[1:] == ["–", "2", "–"]
    assert "where 5 or more have a value" in " ".join(text.split())


def test_each_clip_has_plots_with_a_line_a_method(text: str) -> None:
    plots = re.findall(r"<svg viewBox.*?role=.*?</svg>", text)
    drawn = [plot for plot in plots if "<title>psnr over" in plot]
    assert len(drawn) == len(CLIPS)
    for plot in drawn:
        assert plot.count("line line-0") == plot.count("line line-1") == 1
    assert "_disco over" not in text
    # equal frames, 100 dB, do not flatten the others: 11 to 31.25 dB
    assert ">20</text>" in drawn[0] and ">100</text>" not in drawn[1]


def test_best_and_worst_frames_with_their_pictures(text: str, page: Page) -> None:
    figures = re.findall(r'<figure class="frame">.*?</figure>', text, re.S)
    said = [" ".join(re.sub(r"<[^>]*>", " ", f.partition("</figcaption>")[0]).split()) for f in figures]
    second = "&lt;script&gt;alert(1)&lt;/script&gt;"
    assert said == [
        f"best : 23.00 dB {second}, frame 2", "best : 20.00 dB first, frame 1",
        "worst : 11.00 dB first, frame 2", f"worst : 22.00 dB {second}, frame 1",
        f"best : 100.00 dB {second}, frame 1", "best : 31.25 dB first, frame 2",
        f"worst : 28.75 dB {second}, frame 2", "worst : 30.50 dB first, frame 1",
    ]  # fmt: skip
    pictures = re.findall(r'<img src="data:image/jpeg;base64,([^"]+)" alt="(\w+)">', figures[0])
    assert tuple(label for _, label in pictures) == SHOWN
    for i, (encoded, _) in enumerate(pictures):
        picture = Image.open(io.BytesIO(base64.b64decode(encoded)))
        assert picture.size == (128, 256)
        assert abs(float(np.asarray(picture).mean()) - (40 * i + 2)) < 2


def test_what_is_not_computed_says_why(page: Page) -> None:
    cells = page.of("td")
    assert (
        "nobody was found in the truth" in cells
        and "no background stays still in two neighbouring frames" in cells
    )
    rows = page.of("th")
    assert {"fid", "fvd", "lpips", "face_cos", "pose_accuracy"} <= set(rows)


def test_one_method_and_one_clip_need_no_comparison(tmp_path: Path, report: dict[str, Any]) -> None:
    of_clips = records([[20.0, 21.0]])
    alone = {**report, "clips": ["a"], **sum_up({"ours": of_clips})}
    write_page(tmp_path / "report.html", json.loads(json.dumps(alone)), {"ours": of_clips}, show)
    text = (tmp_path / "report.html").read_text()
    assert "Each two methods" not in text and 'class="best"' not in text and "Bold" not in text
    assert not Page(text).open


def test_a_missing_template_engine_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingDependencyError, match="jinja2, for the page of an evaluation"):
        check_dependencies()
