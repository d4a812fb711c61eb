"""The heads in a clip, found and followed whether a headset covers the eyes or not."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from .crop import Crop
from .geometry import EYES_AND_BROWS
from .head_search import KNOWN, MOST, Box, distinct, find_behind, find_heads, find_in_box, likely_heads
from .sighting import Sighting, look_at
from .track import USUAL_RATE, Face, visibility_under
from .uncovered import crop_of, uncovered_landmarker

if TYPE_CHECKING:
    from ..models.covered_landmarks import CoveredLandmarkNet

MODES = ("auto", "uncovered", "covered")

MOVE, GROWTH = 0.3, 1.4  # crop sides and factor beyond which a head has not moved: it is something else
FAR = 0.03  # crop sides from which a moved head is looked at again, centred
LONGEST_PAUSE = 0.64  # seconds between two searches of the whole picture
# Share of eyes and brows in sight below which a face counts as covered from now on, and from which it no longer does.
COVERED_BELOW, UNCOVERED_FROM = 0.4, 0.6


@dataclass(frozen=True)
class _Place:
    """Where a head was: the crop to look at next, the one around its uncovered face, if that was seen, and whether it
    was covered."""

    crop: Crop
    close: Crop | None = None
    covered: bool | None = None


class HeadDetector:
    """The faces in the frames of a clip, fed in order; close it after use.

    Every head found in the first frame is followed by one look a frame, at where it was before, or by two where it has
    moved. When there is none, or one of them is lost, it is looked for behind the mask, then in the whole picture: by
    MediaPipe, which is quick, in every frame; and thoroughly at once, and then at growing intervals, until it is found
    or counts as gone.

    mode: "covered", by the landmarker for covered faces alone; "uncovered", by MediaPipe, which is the more exact one
    for a face with nothing over the eyes; or "auto", by what is seen of each head in each frame. box: (x, y, width,
    height) in pixels, drawn around the head in the first frame; only that head is followed. most: how many heads are
    wanted, the largest. net: the landmarker for covered faces; finder: where in a picture heads may be; None for the
    manifest's, which raise WeightsMissing when they are not at hand. fps: frames a second, for the
    intervals.
    """

    def __init__(
        self,
        mode: str = "auto",
        *,
        box: Box | None = None,
        most: int = MOST,
        net: "CoveredLandmarkNet | None" = None,
        finder: Callable[[np.ndarray], list[Crop]] | None = None,
        fps: float = USUAL_RATE,
    ):
        from ..models import covered_landmarks, head_finder

        self._net = covered_landmarks.shared() if net is None else net
        self._finder = partial(likely_heads, head_finder.shared()) if finder is None else finder
        self._mode, self._box, self._most = mode, box, most
        self._longest_pause = max(round(LONGEST_PAUSE * fps), 1)
        self._mediapipe = uncovered_landmarker()
        self.restart()

    def restart(self) -> None:
        """Forget where the heads were, as at a cut or for another picture."""
        self._places: list[_Place] = []  # where the heads that are followed are, or were when they were lost
        self._pause = self._due = 0  # frames between this search and the next, frames left until then
        self._rest = 0  # frames until others are looked for beside those that are followed
        self._ahead: deque[list[_Followed]] = deque()  # what was seen at these places in the next frames

    def detect(
        self,
        frame: np.ndarray,
        mask: np.ndarray | None = None,
        upcoming: Sequence[np.ndarray] = (),
        *,
        others: bool = False,
    ) -> list[Face]:
        """Faces in an (H, W, 3) uint8 frame; `mask` (H, W), over 0.5 = covered, hides points beside what is seen.

        upcoming: the frames that come next, as far as they are known: they are looked at together with this one.
        others: whether somebody else is waited for, who is then looked for now and then.
        """
        heads = self._follow(frame, upcoming)
        known, self._rest = len(heads), max(self._rest - 1, 0)
        if len(heads) < max(len(self._places), 1):
            heads = self._search(frame, heads, mask)
        else:
            self._pause = self._due = 0
            if others and self._rest == 0 and self._box is None:
                self._rest = self._longest_pause
                heads = distinct(heads + self._anywhere(frame, thoroughly=True))
        if len(heads) != known:
            self._ahead.clear()
        lost = [place for place in self._places if not any(place.crop.overlaps(head.crop) for head in heads)]
        if self._pause == self._longest_pause:  # whoever has not come back by now has left
            lost = []
        seen = [self._seen(frame, head, mask) for head in heads]
        self._places = [place for _, place in seen] + lost
        return [face for face, _ in seen if face is not None]

    def _follow(self, frame: np.ndarray, upcoming: Sequence[np.ndarray]) -> list[Sighting]:
        if not self._ahead or any(self._was_elsewhere(head) for head in self._ahead[0]):
            self._ahead = self._looked_at_places([frame, *upcoming])
        return distinct([head.seen for head in self._ahead.popleft() if head.still_there])

    def _was_elsewhere(self, head: "_Followed") -> bool:
        """Whether a head was not seen because it has meanwhile gone too far from where it was looked for."""
        before = head.first.looked_at
        near = (place.crop for place in self._places if place.crop.overlaps(before))
        return not head.still_there and any(crop != before for crop in near)

    def _looked_at_places(self, frames: Sequence[np.ndarray]) -> "deque[list[_Followed]]":
        """What is seen in each frame where the heads were before the first one, looked at again where that is far."""
        crops = [place.crop for place in self._places]
        seen = [_Followed(s, s) for s in look_at(self._net, [(frame, crop) for frame in frames for crop in crops])]
        views = [(i, (frames[i // len(crops)], head.first.crop)) for i, head in enumerate(seen) if head.is_far]
        for (i, _), again in zip(views, look_at(self._net, [view for _, view in views]), strict=True):
            seen[i] = _Followed(seen[i].first, again)
        return deque(seen[i * len(crops) : (i + 1) * len(crops)] for i in range(len(frames)))

    def _search(self, frame: np.ndarray, heads: list[Sighting], mask: np.ndarray | None) -> list[Sighting]:
        thoroughly, self._due = self._due == 0, max(self._due - 1, 0)
        if thoroughly:
            self._due = self._pause = min(max(2 * self._pause, 1), self._longest_pause)
        if self._box is not None:
            found = find_in_box(self._net, frame, self._box) if thoroughly else []
            self._box = None if found else self._box
            return distinct(heads + found)
        if mask is not None and thoroughly:
            behind = find_behind(self._net, frame, mask)
            if behind:
                return distinct(heads + behind)
        return distinct(heads + self._anywhere(frame, thoroughly))

    def _anywhere(self, frame: np.ndarray, thoroughly: bool) -> list[Sighting]:
        faces = [] if self._mediapipe is None else self._mediapipe.find(frame)
        places = [*(place.crop for place in self._places), *self._finder(frame)] if thoroughly else []
        return find_heads(self._net, frame, places, faces=[face.points for face in faces], most=self._most)

    def _seen(self, frame: np.ndarray, head: Sighting, mask: np.ndarray | None) -> tuple[Face | None, _Place]:
        """The face of a head, None where it is to be uncovered and is not seen; and where to look for it next."""
        before = next((place for place in self._places if place.crop.overlaps(head.crop)), None)
        visibility = head.visibility
        if mask is not None:
            visibility = visibility * visibility_under(head.points, mask)
        covered = self._is_covered(visibility, before)
        if not covered and self._mediapipe is not None:
            face = self._close_up(frame, head.crop if before is None or before.close is None else before.close)
            if face is not None:
                crop = crop_of(face)
                return replace(face, device=head.device, score=head.presence), _Place(crop, crop, covered)
            if self._mode == "uncovered":
                return None, _Place(_next_crop(head), None, covered)
        face = Face(head.points, visibility, head.deviation, head.device, head.presence)
        return face, _Place(_next_crop(head), None, covered)

    def _close_up(self, frame: np.ndarray, crop: Crop) -> Face | None:
        """MediaPipe's landmarks, from a crop that is centred on them."""
        face = self._mediapipe.look(frame, crop)
        if face is None:
            return None
        centred = crop_of(face)
        moved = np.hypot(centred.x - crop.x, centred.y - crop.y) / crop.side
        if moved > FAR or abs(centred.side / crop.side - 1) > FAR:
            return self._mediapipe.look(frame, centred) or face
        return face

    def _is_covered(self, visibility: np.ndarray, before: _Place | None) -> bool:
        if self._mode != "auto":
            return self._mode == "covered"
        was = before is not None and before.covered is True
        return bool(visibility[list(EYES_AND_BROWS)].mean() < (UNCOVERED_FROM if was else COVERED_BELOW))

    def close(self) -> None:
        """Free what the detector holds; it is not used afterwards."""
        if self._mediapipe is not None:
            self._mediapipe.close()


@dataclass(frozen=True)
class _Followed:
    """A head as it was first seen from where it was before, and as it is seen best."""

    first: Sighting
    seen: Sighting

    @property
    def still_there(self) -> bool:
        first = self.first
        return first.presence > KNOWN and first.moved < MOVE and max(first.grown, 1 / first.grown) < GROWTH

    @property
    def is_far(self) -> bool:
        return self.still_there and self.first.moved > FAR


def _next_crop(head: Sighting) -> Crop:
    """Where to look for the head in the next frame. Size and tilt come half way: what the network says of them sways
    with those of the crop, so a crop that followed them at once would pump."""
    before, now = head.looked_at, head.crop
    return Crop(now.x, now.y, float(np.sqrt(before.side * now.side)), (before.roll + now.roll) / 2)
