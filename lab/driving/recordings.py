"""Whether tracking data whose truth is known are brought in time, fitted and noticed to be mirrored, whatever is wrong
with them."""

from pathlib import Path
from typing import Any

import numpy as np

from ...driving.alignment import brought_in_time
from ...driving.blendshapes import MEDIAPIPE_ASKEW, TURN
from ...driving.eye_tracking import TrackingData
from ...driving.seen_face import FaceWatch, SeenFace, best_alignment, is_mirrored
from ...errors import InputError
from ...headset.draw import HeadsetArtist, draw_headset, preset
from ...metrics.blinks import blink_hits
from ...tracking.follow import Wearer, track_clip
from ...video import VideoReader
from .blendshapes import BlendshapeLandmarker
from .live_link import DISTURBANCES, NOON, recorded

SCORES = ("offset_error", "correlation", "second", "sure", "mirrored", "blinks", "false", "missed", "aperture", "gaze")
LONGEST_SIDE = 640  # pixels of the frames that are looked at, which is enough for both landmarkers


def evaluate_recordings(clip: Path, name: str, limit: int = 0) -> list[dict[str, Any]]:
    """A row for each of the DISTURBANCES, with SCORES.

    The clip's own shapes are written as Live Link Face, a headset is drawn on the clip, and what a FaceWatch sees of
    the covered face must tell the offset and whether the data are mirrored. offset_error: seconds; aperture:
    correlation of openness with the truth; gaze: mean error in degrees of eyes that are open. Where the offset is not
    sure the true one is taken. clip: an uncovered face. name: of the headset. limit: frames at most, 0 for all.
    """
    with VideoReader(clip) as reader:
        frames = np.stack([frame.pixels for frame in reader.frames(length=limit, max_side=LONGEST_SIDE)])
        times, fps = reader.times[: len(frames)], float(reader.info.fps)
    landmarker = BlendshapeLandmarker()
    shapes = landmarker.of_clip(frames)
    landmarker.close()
    openness, gaze = _truth(shapes)
    seen = _seen(frames, times, name)
    rows = []
    for what, disturbance in DISTURBANCES.items():
        recording = recorded(times, shapes, disturbance)
        offset = recording.timecode - NOON
        row: dict[str, Any] = {"clip": clip.stem, "disturbance": what}
        try:
            best = best_alignment(seen, recording.tracking)
            row |= {"correlation": best.correlation, "second": best.second, "sure": best.sure}
            row |= {"offset_error": best.offset - offset} if best.sure else {}
            offset = best.offset if best.sure else offset
        except InputError:
            row["sure"] = False
        mirrored = is_mirrored(seen, recording.tracking, offset)
        row["mirrored"] = {True: "yes", False: "no", None: "unknown"}[mirrored]
        recording = recording.mirrored() if mirrored else recording
        found, _ = brought_in_time(TrackingData(recording, offset), times, {}, fps, None)
        hits = np.sum([blink_hits(found.openness[:, eye], openness[:, eye]) for eye in range(2)], axis=0)
        row |= dict(zip(("blinks", "false", "missed"), hits.tolist(), strict=True))
        row["aperture"] = float(np.corrcoef(found.openness.mean(1), openness.mean(1))[0, 1])
        wide = openness > np.median(openness, axis=0) / 2
        off = found.gaze - gaze
        off[..., 1] -= np.median(off[..., 1])  # what is level is the recording's median, see driving.person
        row["gaze"] = float(np.degrees(np.linalg.norm(off, axis=-1))[wide].mean())
        rows.append(row)
    return rows


def _truth(shapes: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(T, 2) openness and (T, 2, 2) gaze in radians, the right eye first, of a clip's own shapes."""
    openness, gaze = [], []
    for side, outwards in (("Right", 1), ("Left", -1)):
        openness.append(1 - shapes[f"eyeBlink{side}"] + shapes[f"eyeWide{side}"])
        turned = outwards * (shapes[f"eyeLookOut{side}"] - shapes[f"eyeLookIn{side}"])
        lowered = shapes[f"eyeLookDown{side}"] - shapes[f"eyeLookUp{side}"]
        gaze.append(TURN * np.stack([turned, lowered], axis=-1) + (MEDIAPIPE_ASKEW, 0))
    return np.stack(openness, axis=1), np.stack(gaze, axis=1)


def _seen(frames: np.ndarray, times: np.ndarray, name: str) -> SeenFace:
    """What is seen of the face below a drawn headset."""
    size = frames.shape[1:3]
    covered, _ = draw_headset(
        frames, track_clip(frames, size, Wearer(detector="uncovered")), HeadsetArtist(preset(name))
    )
    track, watch = track_clip(covered, size, Wearer(detector="covered")), FaceWatch()
    for t, frame in enumerate(covered):
        watch.look(times[t], frame, track[t])
    return watch.seen()
