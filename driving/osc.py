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
BUNDLE, HEADER = b"#bundle\0", 16  # how a bundle of messages begins, and bytes before the first one
NESTED = 8  # bundles in one another: more than any program sends, and far from Python's limit of recursion

# What is read of VRCFaceTracking's v2 parameters, by the documented range: 0 to 1, or -1 to 1.
FROM_0 = r"(?:Eye(?:Lid|Open|Closed)|Brow(?:InnerUp|OuterUp|Up|Lowerer|Down))(?:Left|Right)?|JawOpen|EyeTrackingActive"
EITHER_WAY = r"Eye(?:Left|Right)?[XY]|BrowExpression(?:Left|Right)?|JawX|Mouth(?:Lower|Upper)?X"
BITS = 8  # the most in which one of them comes, see FaceParameters._of_bits
ONE_BIT = rf"(?:{FROM_0}|{EITHER_WAY})(?:{'|'.join(str(2**i) for i in range(BITS))}|Negative)"
FARTHEST = 90.0  # degrees: no eye looks farther aside

Message = tuple[str, Sequence[object]]
"""Its address and its values."""


def port_of(text: str) -> int:
    """The UDP port of osc:PORT. Raises InputError for anything else."""
    found = re.fullmatch(r"osc:(\d{1,5})", text, re.ASCII)
    if found is None or not 0 < int(found[1]) < 65536:
        raise InputError(f"Expected --tracking osc:PORT, such as osc:9000, got {text!r}.")
    return int(found[1])


class FaceParameters:
    """The newest value of every parameter, and what they say together.

    Names and ranges: VRCFaceTracking's documentation of its v2 parameters, and VRChat's of its eye tracking endpoints.
    """

    def __init__(self) -> None:
        self._values: dict[str, float] = {}

    def take(self, address: str, values: Sequence[object]) -> bool:
        """A message; whether it is one of the face. An avatar puts any prefix before "v2". What is beyond its range
        is brought back into it, what is no finite number is none of the face."""
        numbers = np.array([float(value) for value in values if isinstance(value, bool | int | float)])
        if not np.isfinite(numbers).all():
            return False
        parameter = re.fullmatch(r"/avatar/parameters/(?:.*/)?(?:v2/(\w+)|(EyeTrackingActive))", address)
        if parameter and len(numbers) == 1:
            self._take_parameter(parameter[1] or parameter[2], numbers[0])
        elif address == "/tracking/eye/EyesClosedAmount" and len(numbers) == 1:
            self._values["EyesClosed"] = float(np.clip(numbers[0], 0, 1))
        elif address == "/tracking/eye/LeftRightPitchYaw" and len(numbers) == 4:
            self._take_angles(("PitchLeft", "YawLeft", "PitchRight", "YawRight"), numbers)
        elif address == "/tracking/eye/CenterPitchYaw" and len(numbers) == 2:
            self._take_angles(("Pitch", "Yaw"), numbers)
        else:
            return False
        return True

    def _take_parameter(self, name: str, value: float) -> None:
        """Keep it where `at` reads it: anybody may send to the port, and a name that nobody reads is never let go."""
        if re.fullmatch(f"{FROM_0}|{ONE_BIT}", name):
            self._values[name] = float(np.clip(value, 0, 1))
        elif re.fullmatch(EITHER_WAY, name):
            self._values[name] = float(np.clip(value, -1, 1))

    def _take_angles(self, names: Sequence[str], degrees: np.ndarray) -> None:
        self._values |= dict(zip(names, np.radians(np.clip(degrees, -FARTHEST, FARTHEST)), strict=True))

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
        bits = {2**i: self._values[f"{name}{2**i}"] for i in range(BITS) if f"{name}{2**i}" in self._values}
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
                content = inlet.recv(PACKET)
            except TimeoutError:
                yield None
                continue
            try:
                messages = OscPacket(content).messages if _sizes_fit(content) else ()
            except (ParseError, ValueError, RecursionError):
                continue  # other programs may send other things to the port
            yield from ((timed.message.address, timed.message.params) for timed in messages)


def _sizes_fit(packet: bytes, depth: int = 0) -> bool:
    """Whether all that a packet contains lies within it, and no deeper than NESTED: python-osc goes by the sizes that
    it reads, and with a negative one it never comes to an end."""
    if not packet.startswith(BUNDLE):
        return True
    at = HEADER
    while at < len(packet):
        size = int.from_bytes(packet[at : at + 4], "big", signed=True)
        at += 4
        if depth == NESTED or not 0 < size <= len(packet) - at or not _sizes_fit(packet[at : at + size], depth + 1):
            return False
        at += size
    return True


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
