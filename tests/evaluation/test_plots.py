"""Plots over time: inside their frame, whole, and readable by an XML parser."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.evaluation.plots import MOST_POINTS, frames_a_point, line_plot, ticks

SVG = "{http://www.w3.org/2000/svg}"
values = st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=3 * MOST_POINTS)


def drawn(svg: str) -> list[tuple[float, float]]:
    """All points of lines, in their order."""
    root = ElementTree.fromstring(svg)
    points = []
    for shape in root:
        if shape.tag == f"{SVG}polyline":
            points += [tuple(map(float, pair.split(","))) for pair in shape.attrib["points"].split()]
        elif shape.tag == f"{SVG}circle":
            points.append((float(shape.attrib["cx"]), float(shape.attrib["cy"])))
    return points  # type: ignore[return-value]


@given(values, st.floats(-10, 10), st.floats(-10, 10))
def test_every_value_is_a_point_inside_the_frame(line: list[float | None], low: float, high: float) -> None:
    svg = line_plot({"a": line}, low, high, "title")
    width, height = map(float, ElementTree.fromstring(svg).attrib["viewBox"].split()[2:])
    points = drawn(svg)
    assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
    if len(line) <= MOST_POINTS:
        assert len(points) == sum(value is not None for value in line)
    assert len(points) <= MOST_POINTS


def test_higher_values_are_drawn_higher_and_gaps_part_a_line() -> None:
    svg = line_plot({"a": [0.0, 1.0, None, 0.5, 9.0]}, 0, 1, "t")
    (_, bottom), (_, top), (_, middle), (_, clamped) = drawn(svg)
    assert bottom > middle > top == clamped
    assert svg.count("<polyline") == 2
    xs = [x for x, _ in drawn(svg)]
    assert xs == sorted(xs)


def test_a_long_line_is_drawn_by_means() -> None:
    count = 4 * MOST_POINTS
    assert frames_a_point(count) == 4 and frames_a_point(MOST_POINTS) == 1
    points = drawn(line_plot({"a": [float(i % 4) for i in range(count)]}, 0, 3, "t"))
    assert len(points) == MOST_POINTS and len({y for _, y in points}) == 1


def test_names_are_escaped_and_each_line_has_its_style() -> None:
    svg = line_plot({"<a>": [1.0, 2.0], "b": [2.0, 1.0]}, 1, 2, "<a> & b")
    assert ElementTree.fromstring(svg).findtext(f"{SVG}title") == "<a> & b"
    assert 'class="line line-0"' in svg and 'class="line line-1"' in svg


@given(st.floats(-1e5, 1e5), st.floats(1e-4, 1e5))
def test_ticks_are_few_and_within(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 1 <= len(found) <= 4
    slack = 1e-6 * (abs(low) + span)
    assert all(low - slack <= tick <= low + span + slack for tick in found)
    assert ticks(13.2, 26.9) == [15, 20, 25]
