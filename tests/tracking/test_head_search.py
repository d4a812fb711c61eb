"""No head is missed for its place or size, and none is invented."""

import numpy as np
import pytest
from coded_scene import CodedNet, Head, crop_of, picture, places

from hmd_removal.errors import InputError
from hmd_removal.tracking.head_search import crops_for_box, crops_for_mesh, find_heads, find_in_box


def test_several_heads_are_found_where_they_are():
    heads = [Head(90, 110, scale=3), Head(290, 150, scale=5, roll=10)]
    found = find_heads(CodedNet({0: heads}), picture(), places(picture()))
    assert len(found) == 2
    for sighting, head in zip(sorted(found, key=lambda s: s.crop.x), heads, strict=True):
        assert sighting.points == pytest.approx(head.points, abs=0.5)


def test_at_most_as_many_as_asked_for():
    heads = [Head(90, 110, scale=3), Head(290, 150, scale=4)]
    (found,) = find_heads(CodedNet({0: heads}), picture(), places(picture()), most=1)
    assert found.points == pytest.approx(heads[1].points, abs=0.5), "the largest"


def test_a_small_head_is_found():
    head = Head(330, 60, scale=300 / 8 / 24)
    (found,) = find_heads(CodedNet({0: [head]}), picture(), places(picture()))
    assert found.points == pytest.approx(head.points, abs=0.5)


def test_nobody_there():
    assert find_heads(CodedNet({0: []}), picture(), places(picture())) == []


def test_a_head_that_the_finder_misses_is_found_by_its_face():
    head = Head(200, 100, scale=0.9)
    assert find_heads(CodedNet({0: [head]}), picture(), []) == []
    (found,) = find_heads(CodedNet({0: [head]}), picture(), [], faces=[head.points])
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
