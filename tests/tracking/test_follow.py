"""Which detector looks at a clip, and whom it follows."""

import numpy as np
import pytest
from faces_of import posed_face

from hmd_removal.errors import InputError
from hmd_removal.tracking.detector import Face
from hmd_removal.tracking.follow import BehindMask, Wearer, box_of, describe_detector, first_of, visible_detector

MEDIAPIPE, COVERED = "MediaPipe, for uncovered faces", "the landmarker for covered faces"


def chosen(*arguments, **options) -> str:
    detector = visible_detector(*arguments, **options)
    detector.close()
    return describe_detector(detector)


def test_the_first_frames_decide(talking_head, wearer):
    covered, _ = wearer
    assert chosen(talking_head[:4], Wearer()) == MEDIAPIPE
    assert chosen(covered[:4], Wearer()) == COVERED
    assert chosen(covered[:4], Wearer(), masked=True) == COVERED


def test_behind_a_mask_there_is_a_covered_face(talking_head):
    assert chosen(talking_head[:4], Wearer(), masked=True) == COVERED


def test_the_wearer_has_the_last_word():
    assert chosen([], Wearer(detector="uncovered")) == MEDIAPIPE
    assert chosen([], Wearer(detector="uncovered"), masked=True) == MEDIAPIPE
    assert chosen([], Wearer(detector="covered")) == COVERED
    assert chosen([], Wearer(box=(10, 10, 50, 60)), masked=True) == COVERED


def test_an_unknown_detector_is_refused():
    with pytest.raises(InputError, match="out of auto, uncovered, covered, got 'hidden'"):
        visible_detector([], Wearer(detector="hidden"), masked=True)


class TwoPeople:
    """A face on the left, and a larger one on the right, in a picture of 300 x 200."""

    def __init__(self):
        points = posed_face().points
        points = (points - points.mean(0)) / np.ptp(points[:, 1])
        self.faces = [
            Face(np.float32(points * size + (x, 100, 0)), np.zeros(52, np.float32)) for size, x in ((60, 70), (90, 220))
        ]

    def detect(self, frame, mask=None):
        return self.faces


def test_of_two_people_the_one_behind_the_mask_is_meant():
    people, frame, mask = TwoPeople(), np.zeros((200, 300, 3), np.uint8), np.zeros((200, 300), np.uint8)
    assert BehindMask(people).detect(frame, mask) == people.faces
    assert BehindMask(people).detect(frame) == people.faces
    mask[80:100, 40:100] = 1
    assert BehindMask(people).detect(frame, mask) == people.faces[:1]
    mask[60:140, 180:260] = 1
    assert BehindMask(people).detect(frame, mask) == people.faces[1:]


@pytest.mark.parametrize(
    ("text", "box"), [("", None), (" ", None), ("12, 8.5,30,40", (12, 8.5, 30, 40)), ("-5,0,60,70", (-5, 0, 60, 70))]
)
def test_a_box_is_written_as_four_numbers(text, box):
    assert box_of(text) == box


@pytest.mark.parametrize("text", ["1,2,3", "1,2,3,4,5", "left", "1,2,3,nan", "1 2 3 4"])
def test_what_is_no_box_is_refused(text):
    with pytest.raises(InputError, match=f"as x, y, width, height in pixels, got '{text}'"):
        box_of(text)


def test_looking_at_the_first_frames_takes_none_away():
    first, every = first_of(iter(range(9)))
    assert first == [0, 1, 2, 3] and list(every) == list(range(9))
    first, every = first_of(iter(range(2)))
    assert first == [0, 1] and list(every) == [0, 1]
