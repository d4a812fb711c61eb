"""What the preview pictures show."""

from dataclasses import replace

import numpy as np
import pytest
from faces_of import posed_face

from hmd_removal.tracking.preview import (
    GUESSED,
    HIDDEN,
    PAPER,
    SEEN,
    TILE,
    describe_masks,
    describe_scores,
    draw_face,
    draw_mask,
    outline_segments,
    reference_sheet,
)
from hmd_removal.tracking.reference import FrameScore, make_reference
from hmd_removal.tracking.track import FrameStatus, TrackedFace

GREY = np.full((320, 400, 3), 128, np.uint8)


@pytest.fixture
def face() -> TrackedFace:
    return posed_face()


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    """Whether some pixel is nearly of that colour; thin lines are mixed with what lies behind them."""
    return bool((np.abs(picture - np.array(colour)).max(-1) < 40).any())


def test_lines_are_coloured_by_what_is_known_of_their_points(face: TrackedFace):
    middle, longest_line = 150, 20
    half_hidden = face.visibility * (face.points[:, 1] > middle)
    drawn = draw_face(GREY, replace(face, visibility=half_hidden), 0)
    lower, upper = drawn[middle + longest_line :], drawn[: middle - longest_line]
    assert has(lower, SEEN) and not has(lower, HIDDEN)
    assert has(upper, HIDDEN) and not has(upper, SEEN)


def test_interpolated_and_missing_faces_differ_from_found_ones(face: TrackedFace):
    guessed = draw_face(GREY, replace(face, status=FrameStatus.INTERPOLATED), 0)
    missing = draw_face(GREY, replace(face, status=FrameStatus.MISSING), 0)
    assert has(guessed, GUESSED) and not has(guessed, SEEN)
    assert (missing[30:] == GREY[30:]).all() and (missing[:30] != GREY[:30]).any()


def test_circles_show_how_uncertain_points_are(face: TrackedFace):
    """Their radius is the deviation: the farthest coloured pixel lies that far from the nose."""
    nose = face.points[1, :2]
    alone = replace(face, points=np.repeat(face.points[1:2], 478, axis=0), visibility=np.zeros(478, np.float32))
    drawn = draw_face(GREY, replace(alone, deviation=np.full(478, 20, np.float32)), 0)
    rows, columns = np.nonzero((drawn[40:] != GREY[40:]).any(2))
    reach = np.hypot(columns - nose[0], rows + 40 - nose[1]).max()
    assert reach == pytest.approx(20, abs=1.5) and has(drawn, HIDDEN)


def test_mask_is_tinted_and_the_rest_left_alone():
    mask = np.zeros(GREY.shape[:2], np.uint8)
    mask[100:150, 200:260] = 1
    drawn = draw_mask(GREY, mask)
    assert (drawn[mask == 0] == GREY[mask == 0]).all()
    assert (drawn[125, 230] == (178, 132, 88)).all()  # 0.6 of the grey and 0.4 of HIDDEN
    assert (drawn[100, 230] == HIDDEN).all()


def test_words_on_masks():
    masks = np.zeros((4, 10, 10))
    assert describe_masks(masks) == "A headset was found in 0 of 4 frames."
    masks[1:, :3, :4] = 1
    assert describe_masks(masks) == "A headset was found in 3 of 4 frames (1-3), where it takes 12 % of the picture."


def test_frame_itself_is_left_alone(face: TrackedFace):
    frame = GREY.copy()
    draw_face(frame, face, 0)
    assert (frame == GREY).all()


def test_every_outline_is_closed():
    starts, ends = np.sort(outline_segments(), axis=0).T
    assert (starts == ends).all()


def test_sheet_has_a_tile_for_each_picture_and_five_in_a_row(face: TrackedFace):
    count = 7
    images = [np.full((300 + i, 400, 3), 40 * i, np.uint8) for i in range(count)]
    points = np.repeat(face.points[None], count, axis=0)
    scores = [FrameScore(i, 0.0, 0.0, 0.3, 100.0, 100.0) for i in range(count)]
    sheet = reference_sheet(make_reference(images, points), scores)
    height = sheet.shape[0] // 2
    centres = sheet[TILE // 2 :: height, TILE // 2 :: TILE, 0]
    assert centres.shape == (2, 5)
    np.testing.assert_array_equal(centres.ravel()[:count], [40 * i for i in range(count)])
    assert (sheet[height:, count % 5 * TILE :] == PAPER).all()


def test_words_name_the_chosen_frames():
    scores = [FrameScore(t, 10.0 * t, -5.0, 0.25, 80.0, 80.0) for t in range(3)]
    assert describe_scores(scores, [2]) == (
        "1 of 3 frames chosen.\nFrame 2: yaw +20 and pitch -5 degrees, eyes open 0.25, sharpness 80."
    )
