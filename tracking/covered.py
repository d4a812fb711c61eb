"""Faces whose eyes may be covered, found and followed by the covered-face landmarker."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .detector import Face, FaceDetector, MediaPipeDetector
from .geometry import EYES_AND_BROWS
from .head_search import KNOWN, Box, distinct, find_heads, find_in_box
from .scene import SceneCuts
from .sighting import HeadCrop, Sighting, look
from .track import visibility_under

if TYPE_CHECKING:
    from ..models.covered_landmarks import CoveredLandmarkNet

MOVE, GROWTH = 0.3, 1.4  # crop sides and factor beyond which a head has not moved: it is something else
FAR = 0.03  # crop sides from which a moved head is looked at again, centred
LONGEST_PAUSE = 16  # frames between two searches of the whole picture

MODES = ("auto", "uncovered", "covered")


class CoveredFaceDetector:
    """A FaceDetector for people who wear a headset, and for those who do not.

    Every head found in the first frame (up to four) is followed by one look a frame, at where it was in the frame
    before. The whole picture is searched when there is none, or one of them is lost; at once, and then at growing
    intervals, until it is found or counts as gone. A scene cut starts anew.

    net: the network; None for the manifest's, which raises WeightsMissing when it is not at hand. box: (x, y, width,
    height) in pixels, drawn around the head in the first frame; only that head is followed. face_finder: a detector
    of uncovered faces, in still mode, that helps to find heads; it is closed with this one.
    """

    def __init__(
        self,
        net: "CoveredLandmarkNet | None" = None,
        *,
        box: Box | None = None,
        face_finder: FaceDetector | None = None,
    ):
        if net is None:
            from ..models import covered_landmarks

            net = covered_landmarks.shared()
        self._net = net
        self._box = box
        self._face_finder = face_finder
        self._cuts = SceneCuts()
        self._places: list[HeadCrop] = []  # where the heads that are followed are, or were when they were lost
        self._pause = self._due = 0  # frames between this search and the next, frames left until then

    def detect(self, frame: np.ndarray, mask: np.ndarray | None = None) -> list[Face]:
        """Faces in an (H, W, 3) uint8 frame; `mask` (H, W), over 0.5 = covered, hides points beside what is seen."""
        if self._cuts(frame):
            self._places, self._pause, self._due = [], 0, 0
        heads = self._follow(frame)
        if len(heads) < max(len(self._places), 1):
            heads = self._search(frame, heads)
        else:
            self._pause = self._due = 0
        lost = [place for place in self._places if not any(place.overlaps(head.crop) for head in heads)]
        if self._pause == LONGEST_PAUSE:  # whoever has not come back by now has left
            lost = []
        self._places = [_next_place(head) for head in heads] + lost
        return [_face(head, mask) for head in heads]

    def _follow(self, frame: np.ndarray) -> list[Sighting]:
        heads = [s for s in look(self._net, frame, self._places) if _is_followed(s)]
        far = [i for i, head in enumerate(heads) if head.moved > FAR]
        for i, again in zip(far, look(self._net, frame, [heads[i].crop for i in far]), strict=True):
            heads[i] = again
        return distinct(heads)

    def _search(self, frame: np.ndarray, heads: list[Sighting]) -> list[Sighting]:
        if self._due > 0:
            self._due -= 1
            return heads
        if self._box is not None:
            found = find_in_box(self._net, frame, self._box)
            self._box = None if found else self._box
        else:
            found = find_heads(self._net, frame, face_finder=self._face_finder, guesses=self._places)
        self._due = self._pause = min(max(2 * self._pause, 1), LONGEST_PAUSE)
        return distinct(heads + found)

    def close(self) -> None:
        if self._face_finder is not None:
            self._face_finder.close()

    def __enter__(self) -> "CoveredFaceDetector":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _is_followed(head: Sighting) -> bool:
    return head.presence > KNOWN and head.moved < MOVE and max(head.grown, 1 / head.grown) < GROWTH


def _next_place(head: Sighting) -> HeadCrop:
    """Where to look for the head in the next frame. Size and tilt come half way: what the network says of them sways
    with those of the crop, so a crop that followed them at once would pump."""
    before, now = head.looked_at, head.crop
    return HeadCrop(now.x, now.y, float(np.sqrt(before.side * now.side)), (before.roll + now.roll) / 2)


def _face(head: Sighting, mask: np.ndarray | None) -> Face:
    visibility = head.visibility
    if mask is not None:
        visibility = visibility * visibility_under(head.points, mask)
    # The network says nothing of the expression.
    blendshapes = np.zeros(MediaPipeDetector.BLENDSHAPE_COUNT, np.float32)
    return Face(head.points, blendshapes, visibility, head.deviation, head.device, head.presence)


def is_covered(face: Face) -> bool:
    """Whether most of the eyes and brows are out of sight; False for a face whose visibility is not known."""
    return face.visibility is not None and bool(face.visibility[list(EYES_AND_BROWS)].mean() < 0.5)


def detector_for(
    frames: Sequence[np.ndarray],
    mode: str = "auto",
    *,
    box: Box | None = None,
    net: "CoveredLandmarkNet | None" = None,
) -> FaceDetector:
    """The detector that suits a clip; close it after use.

    frames: its first few frames, (H, W, 3) uint8, which "auto" looks at: "covered" when most of those with a head
    show the largest one's eyes covered, "uncovered" otherwise and where no head is to be seen. box: see
    CoveredFaceDetector, which a box always gets, since it is drawn where a face is not found by itself.
    Raises InputError for an unknown mode, or a box in mode "uncovered".
    """
    if mode not in MODES:
        raise InputError(f"Expected a detector mode out of {', '.join(MODES)}, got {mode!r}.")
    if mode == "uncovered":
        if box is not None:
            raise InputError("A box around the head is of no use in mode 'uncovered'; leave it out, or use 'covered'.")
        return MediaPipeDetector()
    covered = CoveredFaceDetector(net, box=box, face_finder=MediaPipeDetector(still=True))
    if mode == "covered" or box is not None:
        return covered
    found = [covered.detect(frame) for frame in frames]
    votes = [is_covered(max(faces, key=lambda f: f.size)) for faces in found if faces]
    if votes and np.mean(votes) > 0.5:
        return covered
    covered.close()
    return MediaPipeDetector()
