"""A picture driven by a few numbers (telepresence.animate_points), beside the same picture held still, and H.264."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import cv2
import numpy as np
import torch

from ...driving.eye_tracking import EyeTracking
from ...errors import InputError
from ...headset.draw import HeadsetArtist, draw_headset, preset
from ...metrics.identity import identity_cosine
from ...metrics.image import psnr
from ...metrics.perceptual import lpips
from ...metrics.report import PSNR_CAP, ScoringNetworks
from ...telepresence.animate import animated, from_usual
from ...telepresence.animate_motion import Neutral
from ...tracking.crop import Crop
from ...tracking.enrol import reference_from_frames
from ...tracking.follow import Wearer, track_clip
from ...tracking.geometry import FACE_OVAL, MESH_POINT_COUNT, eye_distance, head_pose
from ...tracking.mesh import extend_points
from ...tracking.reference import Reference
from ...tracking.track import Face, FaceTrack
from ...tracking.uncovered import UncoveredLandmarker, crop_of
from ...video import VideoReader
from .driven import RecordedEyes

SIDE = 384  # pixels of the square that is compared
MARGIN = 2.2  # side of that square by the face's: head and shoulders
NEAR = 2  # frames on either side of the picture's, which are the driver's neutral look
HEAD = 2  # of the rings around a face: the second one holds hair and ears
EVERY = 3  # frames from one that is scored to the next: neighbours are alike
# x264's constant rate factors, and how much smaller the picture is made for it, from few bytes to many.
CODED = ((51, 4), (44, 4), (51, 2), (44, 2), (36, 2), (44, 1), (36, 1), (28, 1))


@dataclass(frozen=True)
class Row:
    """What one way of showing a clip scores against the truth, means over its frames. psnr in dB and lpips: in the
    head's region. identity: cosine. landmarks: error of what MediaPipe finds, % of the eye distance; nobody: share of
    frames in which it finds nobody. bytes: a second."""

    clip: str
    way: str
    psnr: float
    lpips: float
    identity: float
    landmarks: float
    nobody: float
    bytes: float


@dataclass(frozen=True)
class Truth:
    """frames: (T, S, S, 3) uint8; track: the face in them; fps: frames a second."""

    frames: np.ndarray
    track: FaceTrack
    fps: float


def evaluate_animated(clip: Path, limit: int, networks: ScoringNetworks) -> Iterator[tuple[Row, np.ndarray]]:
    """Each way to show the frames after a clip's first second, with what it shows, (T, S, S, 3) uint8.

    The picture is the best of that second; another four of it may lend a mouth. limit: frames after it at most, of
    which every EVERYth one is scored. Raises InputError for a clip that is too short.
    """
    truth = _read(clip, limit)
    first = round(truth.fps)
    if len(truth.frames) < first + 2:
        raise InputError(f"The clip {clip} has {len(truth.frames)} frames; more than its first second are needed.")
    reference, _, chosen = reference_from_frames(list(truth.frames[:first]))
    scored = slice(first, None, EVERY)
    judge = _Judge(truth.frames[scored], truth.track.points[scored], networks)
    shown = np.broadcast_to(reference.images[0], truth.frames[scored].shape)
    yield judge.row(clip, "truth", truth.frames[scored], 0.0), truth.frames[scored]
    yield judge.row(clip, "held still", shown, 0.0), shown
    driven = None
    for way, track, eyes in _drivers(truth, reference):
        pictures, size = _animated(truth, track, eyes, reference, chosen[0])
        row = judge.row(clip, way, pictures[scored], size)
        driven = driven or row
        yield row, pictures[scored]
    way, pictures, size = _as_good(truth, lambda pictures: judge.lpips(pictures[scored]) <= driven.lpips)
    yield judge.row(clip, way, pictures[scored], size), pictures[scored]


def _read(clip: Path, limit: int) -> Truth:
    with VideoReader(clip) as reader:
        fps = float(reader.info.fps)
        frames = [frame.pixels for frame in reader.frames(length=round(fps) + limit)]
    uncovered = Wearer(detector="uncovered", fps=fps)
    square = Crop.of_clip(track_clip(frames, frames[0].shape[:2], uncovered), MARGIN)
    crops = np.stack([square.shrunk(frame, SIDE) for frame in frames])
    return Truth(crops, track_clip(crops, (SIDE, SIDE), uncovered), fps)


def _drivers(truth: Truth, reference: Reference) -> Iterator[tuple[str, FaceTrack, EyeTracking | None]]:
    """The person as they are, behind a drawn headset, and with tracking data of their eyes besides."""
    yield "uncovered", truth.track, None
    covered, _ = draw_headset(truth.frames, truth.track, HeadsetArtist(preset("quest"), seed=0))
    wearer = Wearer(detector="covered", wearing=True, fps=truth.fps)
    track = track_clip(covered, (SIDE, SIDE), wearer, reference=reference)
    yield "behind quest", track, None
    recorded = RecordedEyes(truth.frames, np.arange(len(truth.frames)) / truth.fps)
    eyes, _ = recorded.tracking("as it is", covered, track)
    yield "behind quest, eyes tracked", track, from_usual(eyes)


def _animated(
    truth: Truth, track: FaceTrack, eyes: EyeTracking | None, reference: Reference, chosen: int
) -> tuple[np.ndarray, float]:
    """Each frame as it is drawn after all that coding does, and the bytes a second."""
    near = range(max(chosen - NEAR, 0), min(chosen + NEAR + 1, len(track)))
    neutral = Neutral.of([track[t] for t in near])
    faces = (track[t] for t in range(len(track)))
    shown, sizes = zip(*animated(faces, reference, truth.fps, eyes, neutral), strict=True)
    return np.stack(shown), float(np.mean(sizes)) * truth.fps


class _Judge:
    """Scores what is shown against the frames of a clip."""

    def __init__(self, truth: np.ndarray, points: np.ndarray, networks: ScoringNetworks) -> None:
        self._truth, self._points, self._networks = _as_tensor(truth), points, networks
        self._head = torch.from_numpy(np.stack([_head(p, truth.shape[1:3]) for p in points])) > 0

    def lpips(self, shown: np.ndarray) -> float:
        """Mean over the head's region."""
        return float(lpips(self._networks.lpips, _as_tensor(shown), self._truth, self._head)[1].mean())

    def row(self, clip: Path, way: str, shown: np.ndarray, size: float) -> Row:
        result = _as_tensor(shown)
        same = identity_cosine(self._networks.face, result, self._truth, torch.from_numpy(self._points))
        off = self._off(shown)
        return Row(
            clip.stem,
            way,
            float(psnr(result, self._truth, self._head).clamp(max=PSNR_CAP).mean()),
            self.lpips(shown),
            float(same.nanmean()),
            float(100 * np.nanmean(off)),
            float(np.isnan(off).mean()),
            size,
        )

    def _off(self, shown: np.ndarray) -> np.ndarray:
        """(T,) how far MediaPipe's landmarks are from the truth's, in eye distances; NaN where it finds nobody."""
        off = np.full(len(shown), np.nan)
        with closing(UncoveredLandmarker()) as landmarker:
            for t, (frame, points) in enumerate(zip(shown, self._points, strict=True)):
                found = landmarker.look(frame, crop_of(Face(points)))
                if found is not None:
                    away = np.linalg.norm(found.points[:, :2] - points[:, :2], axis=1)
                    off[t] = away.mean() / eye_distance(points)
        return off


def _as_tensor(frames: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(frames)).float() / 255


def _head(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8, 1 on the head with its hair."""
    start = MESH_POINT_COUNT + (HEAD - 1) * len(FACE_OVAL)
    ring = extend_points(points.astype(np.float64), head_pose(points))[start : start + len(FACE_OVAL), :2]
    mask = np.zeros(size, np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(ring).astype(np.int32)), 1)
    return mask


def _coded(truth: Truth, crf: int, by: int) -> tuple[np.ndarray, float]:
    """The clip through H.264, made smaller first and as large as it was again, and its bytes a second."""
    small = np.stack([cv2.resize(f, None, fx=1 / by, fy=1 / by, interpolation=cv2.INTER_AREA) for f in truth.frames])
    frames, size = _through_h264(small, crf, truth.fps)
    whole = np.stack([cv2.resize(f, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for f in frames])
    return whole, size / len(frames) * truth.fps


def _as_good(truth: Truth, good: Callable[[np.ndarray], bool]) -> tuple[str, np.ndarray, float]:
    """The coarsest coding whose pictures are good, in words, with these and its bytes a second. Where none is, the
    words say so of the finest one."""
    for crf, by in CODED:
        pictures, size = _coded(truth, crf, by)
        way = f"H.264, crf {crf}, 1/{by} size"
        if good(pictures):
            return way, pictures, size
    return f"{way} (not as good yet)", pictures, size


def _through_h264(frames: np.ndarray, crf: int, fps: float) -> tuple[np.ndarray, int]:
    """Frames coded as a meeting would, without B-frames, and decoded; and how many bytes they took."""
    file = BytesIO()
    with av.open(file, "w", format="h264") as output:
        stream = output.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        stream.options = {"crf": str(crf), "preset": "medium", "bf": "0"}
        for frame in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        output.mux(stream.encode())
    size = file.tell()
    file.seek(0)
    with av.open(file, format="h264") as coded:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in coded.decode(video=0)]), size


def as_json(rows: list[Row]) -> dict[str, list[dict]]:
    return {"rows": [asdict(row) for row in rows]}
