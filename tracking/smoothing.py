"""Causal smoothing of a covered face: its pose, its shape and what is in sight of it, each at its own pace."""

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np

from .geometry import (
    EYES_AND_BROWS,
    MESH_POINT_COUNT,
    POINT_COUNT,
    certainty,
    head_pose,
    pose_scale,
    rigidity,
    transform,
)
from .track import USUAL_RATE, FrameStatus, TrackedFace


class OneEuro:
    """One-Euro filter (Casiez et al. 2012) on an array: cut-off = min_cutoff + beta * |speed|, in frames of USUAL_RATE.

    fps: frames a second, of those that it is fed.
    """

    def __init__(self, min_cutoff: float, beta: float, fps: float = USUAL_RATE):
        self._min_cutoff, self._beta, self._pace = min_cutoff, beta, USUAL_RATE / fps
        self._value: np.ndarray | None = None
        self._speed: np.ndarray | float = 0.0

    def __call__(self, value: np.ndarray) -> np.ndarray:
        if self._value is None:
            self._value = value
            return value
        speed_gain = _gain(0.15, self._pace)
        self._speed = speed_gain * (value - self._value) / self._pace + (1 - speed_gain) * self._speed
        gain = _gain(self._min_cutoff + self._beta * np.abs(self._speed), self._pace)
        self._value = gain * value + (1 - gain) * self._value
        return self._value


class ConstantVelocity:
    """Kalman filter of N independent values whose speed changes little from frame to frame."""

    def __init__(self) -> None:
        self._state: np.ndarray | None = None  # (N, 2) value and speed
        self._covariance: np.ndarray | None = None  # (N, 2, 2)

    @property
    def started(self) -> bool:
        return self._state is not None

    def predicted(self) -> np.ndarray:
        """(N,) where the values will be in the next frame."""
        return self._state.sum(1)

    def __call__(self, value: np.ndarray, noise: np.ndarray, acceleration: np.ndarray) -> np.ndarray:
        """One frame. value: (N,) measured; noise and acceleration: (N,) standard deviations, of its error and of the
        acceleration within a frame. Returns the (N,) estimates; without noise, the values as they are.
        """
        if self._state is None:
            self._state = np.stack([value, np.zeros_like(value)], axis=1)
            self._covariance = np.zeros((len(value), 2, 2))
            self._covariance[:, 0, 0], self._covariance[:, 1, 1] = noise**2, (4 * acceleration) ** 2
            return value
        step = np.array([[1.0, 1.0], [0.0, 1.0]])
        within = np.array([[0.25, 0.5], [0.5, 1.0]])  # what a frame of constant acceleration adds
        state = self._state @ step.T
        covariance = step @ self._covariance @ step.T + (acceleration**2)[:, None, None] * within
        gain = covariance[:, :, 0] / (covariance[:, 0, 0] + noise**2)[:, None]
        self._state = state + gain * (value - state[:, 0])[:, None]
        self._covariance = covariance - gain[:, :, None] * covariance[:, None, 0, :]
        return self._state[:, 0]


class RandomWalk:
    """Kalman filter of N independent vectors that drift."""

    def __init__(self) -> None:
        self._value: np.ndarray | None = None
        self._variance: np.ndarray | None = None

    def __call__(self, value: np.ndarray, noise: np.ndarray, drift: np.ndarray) -> np.ndarray:
        """One frame. value: (N, D) measured; noise: (N,) its standard deviation; drift: (N,) that of one frame's step.

        Returns the (N, D) estimates; without noise, the values as they are.
        """
        if self._value is None:
            self._value, self._variance = value, noise**2
            return value
        variance = self._variance + drift**2
        gain = variance / (variance + noise**2)
        self._value = self._value + gain[:, None] * (value - self._value)
        self._variance = (1 - gain) * variance
        return self._value


def _gain(cutoff: np.ndarray | float, pace: float) -> np.ndarray | float:
    """Weight of a new value after `pace` frames, of which each leaves 1 / (1 + 2 pi cutoff) of the past."""
    return 1 - (1 + 2 * np.pi * np.asarray(cutoff)) ** -pace


PIVOT = np.array([0.0, 3.5, -5.0])  # face coordinates, centimetres: the middle of what a headset leaves in sight
ARM = 7.0  # centimetres from there to the rim of the face, by which uncertain points turn and stretch it

# How much of the points' uncertainty comes and goes from frame to frame; the rest stays and cannot be filtered.
SHAKE = 0.12
# Standard deviations of the accelerations of a head in a video, a frame squared: centimetres, log of size, radians.
# Heads move faster than that now and then, but seldom change in size, and lag in the place is what is seen most.
SHIFT_PUSH, SCALE_PUSH, TURN_PUSH = 0.1, 0.0003, 0.0015
# Standard deviations of what a point of the face moves by in a frame, centimetres: what speaks and blinks, what is on
# bone, and in addition what is out of sight, of which nothing new is learnt.
MOBILE_DRIFT, RIGID_DRIFT, HIDDEN_DRIFT = 0.12, 0.01, 0.004
VISIBILITY_GAIN = 0.25  # a device sits still on the face
PUT_ON = 0.5  # mean change of what is seen of the eyes by which a device was put on or taken off

# A head that is this far from where it was expected was not followed: cut, or another person.
JUMP = np.array([4.0, 4.0, 8.0, 0.25, 0.5, 0.5, 0.5])  # centimetres (x, y, z), log of size, radians


class FaceSmoother:
    """Smooths one tracked face; feed the frames in order.

    The head's place, size and rotation run through a Kalman filter of nearly constant speed, the face's shape in face
    coordinates through one of drifting points; both take the predicted deviation of the points for noise. Size and
    rotation change slowly, mouth and jaw fast, what is hidden hardly. A face of which nothing is known to be uncertain
    comes back as it is. After a missing face, one that jumps, or a cut, all starts anew.

    fps: frames a second: the same time is smoothed over, whatever the rate.
    """

    def __init__(self, fps: float = USUAL_RATE) -> None:
        self._pace = USUAL_RATE / fps
        self._scene: int | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._motion = ConstantVelocity()
        self._shape = RandomWalk()
        self._visibility: np.ndarray | None = None

    def push(self, face: TrackedFace) -> TrackedFace:
        """The next frame's face, smoothed; deviation, device, status and scene pass as they are."""
        if face.status == FrameStatus.MISSING or not face.covered:
            self.reset()
            return face
        if face.scene != self._scene:
            self.reset()
            self._scene = face.scene
        sure = certainty(face.points, face.deviation)
        pose = head_pose(face.points, sure)
        unit = pose_scale(pose)
        shape = transform(np.linalg.inv(pose), face.points.astype(np.float64))
        measured = _parameters(pose)
        scale = np.array([unit] * 3 + [1.0] * 4)
        if self._motion.started and (np.abs(self._motion.predicted() - measured) > JUMP * scale).any():
            self.reset()
        deviation = face.deviation.astype(np.float64) / unit
        noise = SHAKE * np.sqrt((sure * deviation**2).sum() / sure.sum())
        noises = noise * np.array([1.0] * 3 + [1 / ARM] * 4)
        pushes = np.array([SHIFT_PUSH] * 3 + [SCALE_PUSH] + [TURN_PUSH] * 3)
        # White noise of the acceleration, integrated over a frame: its speed's variance grows with the time alone.
        steady = _pose(self._motion(measured, noises * scale, pushes * scale * self._pace**1.5))
        seen = self._visibility
        eyes = list(EYES_AND_BROWS)
        if seen is None or np.abs(face.visibility - seen)[eyes].mean() > PUT_ON:
            seen = face.visibility
        gain = 1 - (1 - VISIBILITY_GAIN) ** self._pace
        self._visibility = seen + gain * (face.visibility - seen)
        drift = HIDDEN_DRIFT + self._visibility * (RIGID_DRIFT + MOBILE_DRIFT * mobility())
        shape = self._shape(shape, SHAKE * deviation, drift * np.sqrt(self._pace))
        points = transform(steady, shape)
        return replace(face, points=points.astype(np.float32), pose=steady, visibility=self._visibility)


@lru_cache(maxsize=1)
def mobility() -> np.ndarray:
    """(478,) in [0, 1]: how much each point moves by itself, 1 for lips, lids and irises and 0 on bone."""
    mobile = np.ones(POINT_COUNT)
    mobile[:MESH_POINT_COUNT] = 1 - rigidity()
    mobile[list(EYES_AND_BROWS)] = 1
    return mobile


def _parameters(pose: np.ndarray) -> np.ndarray:
    """(7,) of a pose: where PIVOT is in pixels (x, y, z), log of the scale, rotation vector."""
    scale = pose_scale(pose)
    turn, _ = cv2.Rodrigues(pose[:3, :3] / scale)
    return np.concatenate([transform(pose, PIVOT), [np.log(scale)], turn[:, 0]])


def _pose(parameters: np.ndarray) -> np.ndarray:
    """The (4, 4) pose of _parameters."""
    pose = np.eye(4)
    pose[:3, :3] = np.exp(parameters[3]) * cv2.Rodrigues(parameters[4:])[0]
    pose[:3, 3] = parameters[:3] - pose[:3, :3] @ PIVOT
    return pose
