"""The paper's landmarks, MTCNN and dlib's 68 points, in the form of a face mesh."""

from __future__ import annotations

import sys
from contextlib import closing

import numpy as np
import pytest
from skimage import data

from hmd_removal.cli import main
from hmd_removal.errors import InputError
from hmd_removal.lab.evaluation import paper_detector
from hmd_removal.lab.evaluation.paper_detector import IRISES, PaperDetector, dlib_box, through
from hmd_removal.lab.evaluation.paper_landmarks import paper_reference, paper_track
from hmd_removal.restore.network_inputs import DLIB_68
from hmd_removal.tracking.geometry import EYE_LIDS, eye_distance
from hmd_removal.tracking.heads import HeadDetector
from hmd_removal.tracking.reference import make_reference
from hmd_removal.tracking.track import FaceTrack, FrameStatus

CHOSEN = list(DLIB_68)
JAW = slice(0, 17)


@pytest.fixture(scope="module")
def extra() -> None:
    """dlib and the two weight files, which only those who ask for them have."""
    try:
        paper_detector.networks()
    except InputError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def mesh(talking_head_track: FaceTrack) -> np.ndarray:
    return talking_head_track.points[0]


def test_the_68_points_lie_where_dlib_has_them(mesh: np.ndarray):
    rng = np.random.default_rng(0)
    seen = mesh[CHOSEN, :2] + rng.normal(scale=3, size=(68, 2))
    found = through(mesh, seen)
    np.testing.assert_allclose(found[CHOSEN, :2], seen, atol=1e-4)
    np.testing.assert_array_equal(found[:, 2], mesh[:, 2])


def test_points_between_follow_their_neighbours(mesh: np.ndarray):
    seen = mesh[CHOSEN, :2].copy()
    np.testing.assert_allclose(through(mesh, seen), mesh, atol=1e-4)  # nothing to be moved
    seen[36:42] += (2, -1)  # the eye on the left
    shift = (through(mesh, seen) - mesh)[:, :2]
    np.testing.assert_allclose(shift[IRISES["right"]], [(2, -1)] * 5, atol=0.05)
    lid = shift[[161, 157]]  # between two of dlib's points each
    assert (np.abs(lid - (2, -1)) < 0.35).all()
    assert np.linalg.norm(shift[IRISES["left"]], axis=1).max() < 0.05  # the other eye is held by its own points
    assert np.linalg.norm(shift[10]) < 0.5  # the top of the forehead is far


def test_each_iris_belongs_to_its_lids(mesh: np.ndarray):
    for eye, iris in IRISES.items():
        outer, inner = (mesh[i, :2] for i in EYE_LIDS[eye][1])
        assert np.linalg.norm(mesh[iris, :2].mean(0) - (outer + inner) / 2) < np.linalg.norm(outer - inner) / 2


def test_dlibs_square_lies_lower_and_is_wider_than_mtcnns_box():
    # 100 wide and 140 high around (150, 170): a side of 110 around (150, 177).
    np.testing.assert_allclose(dlib_box(np.array([100.0, 100, 200, 240])), [95, 122, 205, 232])


def test_without_dlib_one_sentence_says_what_to_do(monkeypatch, capsys, carphone):
    monkeypatch.setitem(sys.modules, "dlib", None)
    paper_detector.networks.cache_clear()
    assert main(["lab", "evaluate", str(carphone), "--landmarks", "paper", "--method", "static"]) == 1
    said = capsys.readouterr().err
    assert "pip install dlib-bin" in said and "weights fetch mtcnn dlib_68" in said and "commercial" in said
    assert said.count("\n") == 1
    paper_detector.networks.cache_clear()


@pytest.mark.usefixtures("extra")
def test_mediapipe_and_dlib_mean_the_same_spots(talking_head: np.ndarray):
    """The jaw is left out: MediaPipe's oval and dlib's jaw line slide along each other."""
    with closing(PaperDetector()) as paper, closing(HeadDetector("uncovered")) as mediapipe:
        for picture in (data.astronaut(), talking_head[0].repeat(2, 0).repeat(2, 1)):
            paper.restart(), mediapipe.restart()
            (ours,), (theirs,) = paper.detect(picture), mediapipe.detect(picture)
            apart = np.linalg.norm((ours.points - theirs.points)[CHOSEN, :2], axis=1) / eye_distance(theirs.points)
            assert 0.005 < apart[17:].mean() < 0.045
            assert apart[JAW].mean() < 0.2


@pytest.mark.usefixtures("extra")
def test_every_frame_of_a_clip_has_its_face_or_is_missing(talking_head: np.ndarray):
    track = paper_track(talking_head[:6].repeat(2, 1).repeat(2, 2))
    assert (track.status == FrameStatus.FOUND).all()
    nobody = paper_track(np.zeros((3, 128, 128, 3), np.uint8))
    assert len(nobody) == 3 and (nobody.status == FrameStatus.MISSING).all()


@pytest.mark.usefixtures("extra")
def test_a_reference_keeps_the_pictures_in_which_a_face_is_found(mesh: np.ndarray):
    portrait, blank = data.astronaut(), np.zeros((128, 128, 3), np.uint8)
    found = paper_reference(make_reference([blank, portrait], np.stack([mesh, mesh])))
    assert len(found) == 1 and found.images[0] is not blank
    assert 180 < found.points[0, :, 0].mean() < 270 and 60 < found.points[0, :, 1].mean() < 175
    with pytest.raises(InputError, match="MTCNN found no face in the reference"):
        paper_reference(make_reference([blank], mesh[None]))
