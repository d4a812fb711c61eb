"""How the eyes are wanted at this very moment: by face tracking that arrives over the network, or made up.

Both are what restore.engine.WantedEyes asks for. What a headset says reaches us about as late as the picture of the
same moment, so each frame gets what is newest when it is filled.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import fields, replace

import numpy as np

from ..driving.eye_tracking import EyeTracking
from ..driving.natural import natural
from ..driving.osc import STILL, FaceParameters, Message, arriving
from ..driving.person import OwnRange, own_range, to_person
from ..driving.timing import BACK, EASED, GATE, HELD

REMEMBERED = 60.0  # seconds from whose frames the wearer's range is learnt: a dozen blinks
LEARNT_IN = 10.0  # seconds after which what was learnt has replaced what VRCFaceTracking documents
EVERY = 1.0  # seconds from one lesson to the next
ENDED_IN = 2.0  # seconds after which a thread that listens no longer holds up the end; it looks every STILL_STEP

# The values of FaceParameters for somebody of whom nothing is known.
ANYBODY = OwnRange(np.ones(2), np.zeros(2), np.full(2, 2.0), np.zeros((2, 2)), np.zeros((2, 3)))


class LiveTracking:
    """Eye tracking that arrives as OSC at a UDP port, fitted to its wearer as it goes. A context manager.

    Begins with the values that VRCFaceTracking documents, and moves on to what is usual and shut for the wearer in the
    last REMEMBERED seconds in which they were seen. Where the eyes are lost, or nothing arrives, the last values are
    held, then eased to the usual ones. Before anything has arrived all is unknown, and the eyes are those of the
    reference.

    clock: seconds. Raises InputError without python-osc, or where another program holds the port.
    """

    def __init__(self, port: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._face, self._heard = FaceParameters(), -np.inf
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._history: deque[EyeTracking] = deque()
        self._own, self._learnt = ANYBODY, -np.inf
        self._seen, self._seen_at = 0.0, -np.inf  # for how many seconds, and when last: pauses teach nothing
        self._last: EyeTracking | None = None
        self._held_until = -np.inf
        self._share, self._before = 0.0, -np.inf  # how much the last values count
        self.usual_yaw = np.nan
        messages = arriving(port)
        next(messages)  # it listens, or has said why not
        self._thread = threading.Thread(target=self._listen, args=(messages,), daemon=True)
        self._thread.start()

    def __enter__(self) -> "LiveTracking":
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join(ENDED_IN)

    def rows(self, start: int, count: int) -> EyeTracking:
        """How the eyes are wanted now, `count` times; see restore.engine.WantedEyes."""
        now = self._clock()
        with self._lock:
            newest, heard = self._face.at(now), self._heard
        known = any(np.isfinite(values).any() for values in (newest.openness, newest.gaze, newest.brows))
        if known and now - heard <= STILL:
            self._learn(newest, now)
            self._last = self._without_gaze_behind_lids(to_person(newest, self._own))
            self._held_until = now + HELD
        held = now <= self._held_until
        elapsed, self._before = now - self._before, now
        self._share = float(np.clip(self._share + (elapsed / BACK if held else -elapsed / EASED), 0, 1))
        if self._last is None:
            return EyeTracking.unknown(np.full(count, now))
        return self._eased(now).rows(0, count)

    def _listen(self, messages: Iterator[Message]) -> None:
        for message in messages:
            if self._stop.is_set():
                return messages.close()
            if message is not None:
                with self._lock:
                    if self._face.take(*message):
                        self._heard = self._clock()

    def _learn(self, newest: EyeTracking, now: float) -> None:
        """Take in one more moment, and every now and then what all of them say of the wearer."""
        self._seen += min(now - self._seen_at, STILL)
        self._seen_at = now
        self._history.append(replace(newest, times=np.array([self._seen])))
        while self._seen - self._history[0].times[0] > REMEMBERED:
            self._history.popleft()
        if now - self._learnt < EVERY:
            return
        self._learnt = now
        recording = _joined(self._history)
        share = min((self._seen - recording.times[0]) / LEARNT_IN, 1.0)
        self.usual_yaw = share * recording.usual_yaw
        found = own_range(recording)
        self._own = OwnRange(*(_learnt(vars(ANYBODY)[name], value, share) for name, value in vars(found).items()))

    def _without_gaze_behind_lids(self, row: EyeTracking) -> EyeTracking:
        """While a lid covers the pupil its gaze stays as it was: what a tracker says of it then is the lid's doing."""
        hidden = row.openness < GATE
        if self._last is not None:
            row.gaze[hidden] = self._last.gaze[hidden]
        return row

    def _eased(self, now: float) -> EyeTracking:
        """The last values, as far as they count, and the usual ones."""
        usual = EyeTracking.unknown(np.array([now]))
        usual.openness[:], usual.brows[:], usual.jaw[:] = 1.0, 0.0, 0.0
        usual.gaze[:] = np.nan_to_num(self.usual_yaw), 0.0
        share = (1 - np.cos(np.pi * self._share)) / 2
        return EyeTracking(
            usual.times,
            *(a + share * (vars(self._last)[name] - a) for name, a in vars(usual).items() if name != "times"),
        )


def _learnt(start: np.ndarray, found: np.ndarray, share: float) -> np.ndarray:
    """From what one starts with to what is found. What is still unknown in the end stays so: lids that are always at 0
    are none."""
    return found if share == 1 else start + share * np.where(np.isfinite(found), found - start, 0)


def _joined(moments: deque[EyeTracking]) -> EyeTracking:
    return EyeTracking(*(np.concatenate([vars(one)[field.name] for one in moments]) for field in fields(EyeTracking)))


BLOCK = 60.0  # seconds of natural eyes that are made at once
BEYOND = 2.0  # seconds more, in which the next ones begin while the eyes are open
RATE = 50.0  # rows a second
OPEN = 0.99


class LiveNatural:
    """Blinks and small shifts of the gaze without end, see driving.natural. clock: seconds."""

    usual_yaw = 0.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._number = clock, -1
        self._next()

    def rows(self, start: int, count: int) -> EyeTracking:
        """How the eyes are wanted now, `count` times; see restore.engine.WantedEyes."""
        since = self._clock() - self._began
        row = self._made.rows(int(since * RATE), 1)
        if since > BLOCK + BEYOND or (since > BLOCK and row.openness.min() > OPEN):
            self._next()
            row = self._made.rows(0, 1)
        return row.rows(0, count)

    def _next(self) -> None:
        self._began, self._number = self._clock(), self._number + 1
        self._made = natural(np.arange(round((BLOCK + BEYOND) * RATE)) / RATE, seed=self._number)
