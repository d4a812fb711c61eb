"""A person's footage as training samples: some of it behind a headset, and one of their pictures from elsewhere in
it."""

from collections.abc import Sequence

import numpy as np

from ..learning.scenes import RUN, Drawn, behind_a_headset, picture, scene
from ..tracking.geometry import pose_angles
from ..tracking.track import FrameStatus
from .enrolment import Piece

APART = 25  # frames between what is hidden and a picture of the same piece, at least
NEAR = 4  # pictures, of those whose heads are turned most alike, of which one is given: in use one of these is chosen
SAME_LIGHT = 0.3  # share of samples whose picture is of the same light: mostly the video will be of another day


class FootageMaker:
    """Draws samples of one person.

    pieces: all of the footage; hidden: the numbers of those that are shown behind a headset; chosen: the pictures that
    may be given, as enrolment.pictures_of has them. images, points: these pictures, for learning.sample_path.Pictures.
    """

    def __init__(self, pieces: Sequence[Piece], hidden: Sequence[int], chosen: Sequence[tuple[int, int]]):
        self._pieces, self._chosen = pieces, np.array(chosen)
        cut = [picture(pieces[k].frames[t], pieces[k].track.points[t]) for k, t in chosen]
        self.images, self.points = (np.stack(values) for values in zip(*cut, strict=True))
        self._angles = {k: pose_angles(pieces[k].track.pose)[:, :2] for k in {*hidden, *self._chosen[:, 0].tolist()}}
        self._of_pictures = np.stack([self._angles[int(k)][t] for k, t in chosen])
        self._runs = [(k, t) for k in hidden for t in _found_together(pieces[k])]

    def draw(self, rng: np.random.Generator) -> Drawn:
        """A sample, by nothing but the given generator's chance."""
        k, t = self._runs[int(rng.integers(len(self._runs)))]
        piece = self._pieces[k]
        away = np.abs(self._of_pictures - self._angles[k][t]).sum(1)
        elsewhere = (self._chosen[:, 0] != k) | (np.abs(self._chosen[:, 1] - t) >= APART)
        away[~elsewhere] += 360  # of very short footage one from nearby has to do
        near = np.argsort(away)[: max(min(NEAR, elsewhere.sum()), 1)]
        reference = int(rng.choice(near))
        scenes = [scene(piece.frames[i], piece.track.points[i]) for i in range(t, t + RUN)]
        return behind_a_headset(scenes, reference, rng, same_day=rng.random() < SAME_LIGHT)


def _found_together(piece: Piece) -> list[int]:
    """First frames of all runs in which the face was found throughout."""
    found = piece.track.status == FrameStatus.FOUND
    return [t for t in range(len(found) - RUN + 1) if found[t : t + RUN].all()]
