"""Face tracking that comes over the network: OSC as VRCFaceTracking sends it to VRChat, recorded as a plain CSV."""

import csv
import re
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from ..errors import InputError
from . import plain
from .eye_tracking import EyeTracking

# What belongs to one moment arrives in a burst of packets. Seconds; a headset has at most 120 moments a second.
BURST = 0.004
# Only what changes is sent. So where nothing comes all is as before, for so many seconds; then the headset is off.
STILL = 2.0
STILL_STEP = 0.1  # seconds between the rows that say so, close enough to count as one course (timing.JOINED)
USUAL_LID = 0.75  # EyeLid of eyes that are as usual; from there to 1 they widen
PACKET = 65536  # bytes, the most that UDP carries

Message = tuple[str, Sequence[object]]
"""Its address and its values."""


class FaceParameters:
    """The newest value of every parameter, and what they say together.

    Names and ranges: VRCFaceTracking's documentation of its v2 parameters, and VRChat's of its eye tracking endpoints.
    """

    def __init__(self) -> None:
        self._values: dict[str, float] = {}

    def take(self, address: str, values: Sequence[object]) -> bool:
        """A message; whether it is one of the face. An avatar puts any prefix before "v2"."""
        numbers = [float(value) for value in values if isinstance(value, bool | int | float)]
        parameter = re.fullmatch(r"/avatar/parameters/(?:.*/)?(?:v2/(\w+)|(EyeTrackingActive))", address)
        if parameter and len(numbers) == 1:
            self._values[parameter[1] or parameter[2]] = numbers[0]
        elif address == "/tracking/eye/EyesClosedAmount" and len(numbers) == 1:
            self._values["EyesClosed"] = numbers[0]
        elif address == "/tracking/eye/LeftRightPitchYaw" and len(numbers) == 4:
            names = ("PitchLeft", "YawLeft", "PitchRight", "YawRight")
            self._values |= dict(zip(names, np.radians(numbers), strict=True))
        elif address == "/tracking/eye/CenterPitchYaw" and len(numbers) == 2:
            self._values |= dict(zip(("Pitch", "Yaw"), np.radians(numbers), strict=True))
        else:
            return False
        return True

    def at(self, moment: float) -> EyeTracking:
        """All that is known, as one row at `moment` seconds."""
        out = EyeTracking.unknown(np.array([moment]))
        if self._values.get("EyeTrackingActive") != 0:
            for eye, side in enumerate(("Right", "Left")):
                out.openness[0, eye] = self._openness(side)
                out.gaze[0, eye] = self._gaze(side)
        for eye, side in enumerate(("Right", "Left")):
            both = self._value(f"BrowExpression{side}", "BrowExpression")
            raised = (f"BrowUp{side}", "BrowUp")
            inner = self._value(f"BrowInnerUp{side}", "BrowInnerUp", *raised, instead=np.maximum(both, 0))
            outer = self._value(f"BrowOuterUp{side}", "BrowOuterUp", *raised, instead=np.maximum(both, 0))
            lowered = self._value(f"BrowLowerer{side}", f"BrowDown{side}", instead=np.maximum(-both, 0))
            out.brows[0, eye] = inner, outer, lowered
        sideways = np.array([self._value("JawX"), self._value("MouthX", "MouthLowerX", "MouthUpperX")])
        known = np.isfinite(sideways).any()
        out.jaw[0] = self._value("JawOpen"), np.clip(np.nansum(sideways), -1, 1) if known else np.nan
        return out

    def _openness(self, side: str) -> float:
        lid = self._value(f"EyeLid{side}", "EyeLid")
        if np.isfinite(lid):
            return lid / USUAL_LID if lid <= USUAL_LID else 1 + (lid - USUAL_LID) / (1 - USUAL_LID)
        shut = self._value(f"EyeClosed{side}", "EyeClosed", "EyesClosed")
        return self._value(f"EyeOpen{side}", "EyeOpen", instead=1 - shut)

    def _gaze(self, side: str) -> tuple[float, float]:
        """Yaw and pitch. X and Y are on a plane that is as far away as wide: 1 is 45 degrees, Y up."""
        yaw = np.arctan(self._value(f"Eye{side}X", "EyeX"))
        pitch = -np.arctan(self._value(f"Eye{side}Y", "EyeY"))
        return (
            yaw if np.isfinite(yaw) else self._value(f"Yaw{side}", "Yaw"),
            pitch if np.isfinite(pitch) else self._value(f"Pitch{side}", "Pitch"),
        )

    def _value(self, *names: str, instead: float = np.nan) -> float:
        """The first of the names that was ever sent, as a number or in bits."""
        for name in names:
            for value in (self._values.get(name), self._of_bits(name)):
                if value is not None:
                    return value
        return instead

    def _of_bits(self, name: str) -> float | None:
        """Avatars may ask for a number as Bools, of which NAME1, NAME2, NAME4, ... are its bits."""
        bits = {2**i: self._values[f"{name}{2**i}"] for i in range(8) if f"{name}{2**i}" in self._values}
        if not bits:
            return None
        sign = -1 if self._values.get(f"{name}Negative") else 1
        return sign * sum(weight for weight, on in bits.items() if on) / sum(bits)


def record(out: Path, port: int, seconds: float | None = None) -> int:
    """Write what arrives at a UDP port to a plain CSV, until so many seconds are over or the program is stopped.

    A row is written, whole and at once, for every moment at which something of the face changed, so that nothing is
    lost however the program ends. Returns the number of rows. Raises InputError without python-osc, where the file
    exists, or where another program holds the port.
    """
    end = np.inf if seconds is None else time.monotonic() + seconds
    messages = arriving(port, end)
    if out.exists():
        raise InputError(f"There is a file '{out.name}' already; give another name, so that no recording is lost.")
    next(messages)  # it listens, or has said why not
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="", buffering=1) as file:
        rows = _Rows(file)
        try:
            for message in messages:
                now = time.monotonic()
                if message is not None:
                    rows.take(now, *message)
                rows.pass_time(now)
        finally:
            rows.finish()
    return rows.count


def arriving(port: int, end: float = np.inf) -> Iterator[Message | None]:
    """Address and values of each message that arrives until time.monotonic() is `end`; None once it listens, and
    whenever nothing arrived for STILL_STEP."""
    try:
        from pythonosc.osc_packet import OscPacket, ParseError
    except ImportError as error:
        raise InputError(
            "Tracking data over OSC need the package python-osc: pip install 'hmd-removal[osc]'."
        ) from error
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inlet:
        try:
            inlet.bind(("", port))
        except OSError as error:
            raise InputError(
                f"Another program listens at UDP port {port} ({error.strerror}): end it (VRChat listens at 9000), or "
                "send to another port and name that."
            ) from error
        inlet.settimeout(STILL_STEP)
        yield None
        while time.monotonic() < end:
            try:
                packet = OscPacket(inlet.recv(PACKET))
            except TimeoutError:
                yield None
            except ParseError:
                pass  # other programs may send other things to the port
            else:
                yield from ((timed.message.address, timed.message.params) for timed in packet.messages)


class _Rows:
    """The rows of a recording, one for each burst of messages."""

    def __init__(self, file: TextIO) -> None:
        self._writer = csv.writer(file)
        self._writer.writerow(plain.header(plain.EPOCH))
        self._face = FaceParameters()
        self._start = self._epoch = 0.0
        self._burst: float | None = None
        self._last = self._written = -np.inf
        self.count = 0

    def take(self, now: float, address: str, values: Sequence[object]) -> None:
        """A message that arrived at `now`."""
        self._finish_older_burst(now)
        if not self._face.take(address, values):
            return
        if not np.isfinite(self._last):
            self._start, self._epoch = now, time.time()
        self._burst = now if self._burst is None else self._burst
        self._last = now

    def pass_time(self, now: float) -> None:
        """It is `now`: write the burst that is over, and, after a while without any, that all is as before."""
        self._finish_older_burst(now)
        if self._burst is None and now - self._written >= STILL_STEP and now - self._last <= STILL:
            self._write(now)

    def _finish_older_burst(self, now: float) -> None:
        if self._burst is not None and now - self._burst > BURST:
            self.finish()

    def finish(self) -> None:
        """Write what has arrived."""
        if self._burst is not None:
            self._write(self._burst)
            self._burst = None

    def _write(self, now: float) -> None:
        self._written = now
        moment = now - self._start
        self._writer.writerow([*plain.row(self._face.at(moment), 0), f"{self._epoch + moment:.6f}"])
        self.count += 1
