"""No head is missed for its place or size, and none is invented."""

import numpy as np
import pytest
from coded_scene import CodedNet, Head, crop_of, picture

from hmd_removal.errors import InputError
from hmd_removal.tracking.head_search import crops_for_box, crops_for_mesh, find_heads, find_in_box, windows


@pytest.mark.parametrize("size", [(720, 1280), (1280, 720), (480, 480)])
def test_every_head_from_an_eighth_to_all_of_the_height_has_a_window(size):
    height, width = size
    crops = np.array([(c.x, c.y, c.side) for level in windows(size) for c in level])
    rng = np.random.default_rng(0)
    for _ in range(300):
        head = height * np.exp(rng.uniform(np.log(1 / 8), 0))  # chin to crown is about 24 of a crop's 34 cm
        side = head * 34 / 24
        x, y = (rng.uniform(min(head / 2, n / 2), max(n - head / 2, n / 2)) for n in (width, height))
        ratio = side / crops[:, 2]
        off = np.abs(crops[:, :2] - (x, y)).max(1) / crops[:, 2]
        assert ((off < 0.26) & (ratio > 0.7) & (ratio < 1.4)).any(), (x, y, head)


def test_few_windows_are_needed():
    large, *middle, small = (len(level) for level in windows((720, 1280)))
    assert large + sum(middle) < 130 and small < 350


def test_several_heads_are_found_where_they_are():
    heads = [Head(90, 110, scale=3), Head(290, 150, scale=5, roll=10)]
    found = find_heads(CodedNet({0: heads}), picture())
    assert len(found) == 2
    for sighting, head in zip(sorted(found, key=lambda s: s.crop.x), heads, strict=True):
        assert sighting.points == pytest.approx(head.points, abs=0.5)


def test_at_most_as_many_as_asked_for():
    heads = [Head(90, 110, scale=3), Head(290, 150, scale=4)]
    assert len(find_heads(CodedNet({0: heads}), picture(), most=1)) == 1


def test_smaller_heads_are_not_searched_for_when_the_largest_is_wanted():
    heads = [Head(90, 110, scale=2), Head(290, 150, scale=8)]
    for_one, for_two = CodedNet({0: heads}), CodedNet({0: heads})
    (found,) = find_heads(for_one, picture(), most=1)
    assert found.points == pytest.approx(heads[1].points, abs=1.0)
    assert len(find_heads(for_two, picture(), most=2)) == 2
    assert for_one.crops < 0.5 * for_two.crops


def test_a_small_head_is_found():
    head = Head(330, 60, scale=300 / 8 / 24)
    (found,) = find_heads(CodedNet({0: [head]}), picture())
    assert found.points == pytest.approx(head.points, abs=0.5)


def test_nobody_there():
    assert find_heads(CodedNet({0: []}), picture()) == []


def test_a_head_too_small_for_the_search_is_found_by_its_face():
    head = Head(200, 100, scale=0.9)
    assert find_heads(CodedNet({0: [head]}), picture()) == []
    (found,) = find_heads(CodedNet({0: [head]}), picture(), faces=[head.points])
    assert found.points == pytest.approx(head.points, abs=0.5)


def test_a_mesh_squeezed_into_the_lower_face_still_leads_to_the_head():
    head = Head(200, 150, scale=4)
    squeezed = head.points.copy()
    chin = squeezed[152, 1]
    squeezed[:, :2] = (squeezed[:, :2] - (200, chin)) * (0.7, 0.6) + (200, chin)
    ideal = crop_of(head)
    off = [np.hypot(c.x - ideal.x, c.y - ideal.y) / c.side for c in crops_for_mesh(squeezed)]
    ratio = [ideal.side / c.side for c in crops_for_mesh(squeezed)]
    assert any(o < 0.25 and 0.7 < r < 1.4 for o, r in zip(off, ratio, strict=True))


@pytest.mark.parametrize("grown", [1.0, 1.3, 1.7])
def test_a_box_may_be_drawn_tight_or_loose(grown):
    head = Head(250, 150, scale=4)
    low, high = head.points[:, :2].min(0), head.points[:, :2].max(0)
    middle, size = (low + high) / 2, (high - low) * grown
    box = (*(middle - size / 2), *size)
    assert len(crops_for_box(box)) == 3
    (found,) = find_in_box(CodedNet({0: [head, Head(80, 150, scale=4)]}), picture(), box)
    assert found.points == pytest.approx(head.points, abs=0.5)


@pytest.mark.parametrize("box", [(10, 10, 0, 50), (400, 10, 30, 30), (-60, 10, 50, 50)])
def test_a_box_off_the_picture_is_refused(box):
    with pytest.raises(InputError, match="within 400 x 300 pixels, got"):
        find_in_box(CodedNet({0: []}), picture(), box)
