"""OSC as VRCFaceTracking and VRChat send it, over real UDP on this machine."""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.udp_client import SimpleUDPClient

from hmd_removal.cli import main
from hmd_removal.driving.eye_tracking import EyeTracking
from hmd_removal.driving.osc import FaceParameters, arriving, record
from hmd_removal.driving.readers import read_tracking
from hmd_removal.errors import InputError

RIGHT, LEFT = 0, 1
V2 = "/avatar/parameters/v2/"


def told(**parameters: float) -> EyeTracking:
    """What v2 parameters say together."""
    face = FaceParameters()
    for name, value in parameters.items():
        assert face.take(V2 + name, [value])
    return face.at(0.0)


@pytest.mark.parametrize(("lid", "openness"), [(0, 0), (0.375, 0.5), (0.75, 1), (1, 2)])
def test_an_eye_lid_of_three_quarters_is_usual(lid, openness):
    assert told(EyeLidRight=lid, EyeLidLeft=0.75).openness[0] == pytest.approx((openness, 1))


def test_other_parameters_of_lids_serve_where_there_is_no_eye_lid():
    assert told(EyeLid=0.375).openness[0] == pytest.approx((0.5, 0.5))
    assert told(EyeClosedLeft=0.8, EyeOpenRight=0.6).openness[0] == pytest.approx((0.6, 0.2))


def test_gaze_is_an_angle_of_a_plane_up_positive():
    gaze = told(EyeRightX=1.0, EyeLeftX=-0.5, EyeY=1.0).gaze[0]
    assert gaze[RIGHT] == pytest.approx((np.pi / 4, -np.pi / 4)) and gaze[LEFT, 0] == pytest.approx(-np.arctan(0.5))


def test_brows_and_jaw_from_exact_or_simplified_parameters():
    exact = told(BrowInnerUpLeft=0.2, BrowOuterUpLeft=0.3, BrowLowererLeft=0.4, JawOpen=0.5, JawX=0.1, MouthX=0.2)
    assert exact.brows[0, LEFT] == pytest.approx((0.2, 0.3, 0.4)) and exact.jaw[0] == pytest.approx((0.5, 0.3))
    assert told(BrowExpressionRight=-0.6).brows[0, RIGHT] == pytest.approx((0, 0, 0.6))
    assert told(BrowExpression=0.6).brows[0, RIGHT] == pytest.approx((0.6, 0.6, 0))


def test_numbers_in_bits():
    assert told(EyeLidLeft1=True, EyeLidLeft2=True, EyeLidLeft4=False).openness[0, LEFT] == pytest.approx(3 / 7 / 0.75)
    assert told(EyeLeftX1=True, EyeLeftXNegative=True).gaze[0, LEFT, 0] == pytest.approx(-np.pi / 4)


def test_any_prefix_before_v2_and_vrchats_own_addresses():
    face = FaceParameters()
    assert face.take("/avatar/parameters/FT/v2/JawOpen", [0.5]) and face.at(0).jaw[0, 0] == 0.5
    assert face.take("/tracking/eye/EyesClosedAmount", [0.25]) and face.at(0).openness[0] == pytest.approx((0.75, 0.75))
    assert face.take("/tracking/eye/LeftRightPitchYaw", [10.0, 20.0, 30.0, 40.0])
    assert np.degrees(face.at(0).gaze[0]) == pytest.approx(np.array([(40, 30), (20, 10)]))
    assert not face.take("/avatar/parameters/VelocityX", [1.0]) and not face.take(V2 + "JawOpen", ["wide"])


def test_eyes_that_the_headset_does_not_track_are_unknown():
    face = FaceParameters()
    face.take(V2 + "EyeLid", [0.0])
    face.take("/avatar/parameters/EyeTrackingActive", [False])
    assert np.isnan(face.at(0).openness).all()


def test_what_nobody_reads_is_not_kept_and_what_is_beyond_its_range_is_brought_back():
    face = FaceParameters()
    for number in range(100):
        assert face.take(f"{V2}Other{number}", [0.5]), "the headset is on"
    assert not face._values
    assert told(EyeLid=1e30, EyeX=-1e30, EyeY=0.0, JawOpen=7.0).openness[0] == pytest.approx((2, 2))
    assert told(EyeX=-1e30).gaze[0, :, 0] == pytest.approx(-np.pi / 4)
    assert not face.take(V2 + "EyeLid", [np.inf]) and not face.take("/tracking/eye/CenterPitchYaw", [np.nan, 0.0])
    assert face.take("/tracking/eye/CenterPitchYaw", [0.0, 1e9])
    assert np.isnan(face.at(0).openness).all() and face.at(0).gaze[0, :, 0] == pytest.approx(np.pi / 2)


@pytest.fixture
def port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("", 0))
        return free.getsockname()[1]


def bundle(**parameters: float) -> object:
    builder = OscBundleBuilder(IMMEDIATELY)
    for name, value in parameters.items():
        message = OscMessageBuilder(V2 + name)
        message.add_arg(value)
        builder.add_content(message.build())
    return builder.build()


def send(port: int, begun: threading.Event) -> None:
    """A blink of 0.2 s in bundles and single messages, among what is none of the face."""
    client = SimpleUDPClient("127.0.0.1", port)
    begun.wait()
    for lid in (0.75, 0.75, 0.0, 0.0, 0.75):
        client.send(bundle(EyeLidLeft=lid, EyeLidRight=lid, JawOpen=0.25))
        client.send_message(V2 + "EyeX", 0.0)
        client.send_message("/avatar/parameters/Viseme", 3)
        client._sock.sendto(b"no osc at all", ("127.0.0.1", port))
        time.sleep(0.1)


def test_what_is_sent_is_in_the_file_with_the_times_of_arrival(tmp_path: Path, port: int):
    begun, out = threading.Event(), tmp_path / "folder" / "take.csv"
    sender = threading.Thread(target=send, args=(port, begun))
    sender.start()
    threading.Timer(0.3, begun.set).start()
    before = time.time()
    rows = record(out, port, 2.5)  # a busy machine takes twice as long to send half a second
    sender.join()
    recording = read_tracking(out)
    tracking = recording.tracking
    assert rows == len(tracking.times) and rows >= 5
    assert before < recording.epoch < time.time() and tracking.times[0] == 0
    shut = tracking.times[(tracking.openness == 0).all(1)]
    assert len(shut) >= 2 and shut[0] > 0.15 and shut[-1] < tracking.times[-1]
    assert tracking.jaw[:, 0] == pytest.approx(0.25) and tracking.openness[[0, -1]] == pytest.approx(1)
    assert np.isfinite(tracking.gaze[-1, :, 0]).all() and np.isnan(tracking.brows).all()


def test_eyes_that_stay_shut_are_not_lost_while_other_things_are_sent(tmp_path: Path, port: int):
    """Only what changes is sent."""
    recorder = threading.Thread(target=record, args=(tmp_path / "take.csv", port, 1.5))
    recorder.start()
    client = SimpleUDPClient("127.0.0.1", port)
    time.sleep(0.3)
    client.send_message(V2 + "EyeLid", 0.0)
    while recorder.is_alive():
        client.send_message("/avatar/parameters/Viseme", 3)
        time.sleep(0.01)
    tracking = read_tracking(tmp_path / "take.csv").tracking
    assert (tracking.openness == 0).all() and len(tracking.times) >= 5


def test_rows_are_in_the_file_while_it_is_being_recorded(tmp_path: Path, port: int):
    out = tmp_path / "take.csv"
    recorder = threading.Thread(target=record, args=(out, port, 1.5))
    recorder.start()
    client = SimpleUDPClient("127.0.0.1", port)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not (out.exists() and out.read_text().count("\n") > 3):
        client.send_message(V2 + "EyeLid", 0.5)
        time.sleep(0.02)
    assert recorder.is_alive() and len(read_tracking(out).tracking.times) >= 2
    recorder.join()


def nested(times: int) -> bytes:
    packet = b"/a\0\0,\0\0\0"
    for _ in range(times):
        packet = b"#bundle\0" + bytes(8) + struct.pack(">i", len(packet)) + packet
    return packet


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(b"/\xff\0\0", id="no text"),
        pytest.param(nested(2000), id="bundles in bundles"),
        pytest.param(b"#bundle\0" + bytes(8) + struct.pack(">i", -4), id="a size below nothing"),
        pytest.param(b"#bundle\0" + bytes(8) + struct.pack(">i", 400) + b"/a\0\0", id="a size beyond the end"),
    ],
)
def test_what_is_no_osc_is_passed_over(port: int, packet: bytes):
    messages = arriving(port, time.monotonic() + 10)
    next(messages)
    client = SimpleUDPClient("127.0.0.1", port)
    client._sock.sendto(packet, ("127.0.0.1", port))
    client.send(bundle(JawOpen=0.5))
    assert next(filter(None, messages)) == (V2 + "JawOpen", [0.5])


def test_silence_is_said(tmp_path: Path, port: int, capsys: pytest.CaptureFixture[str]):
    assert main(["record-tracking", str(tmp_path / "take.csv"), "--port", str(port), "--seconds", "0.2"]) == 1
    assert f"No face tracking arrived at port {port}" in capsys.readouterr().err


def test_a_port_that_is_taken_and_a_file_that_exists_are_refused(tmp_path: Path, port: int):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("", port))
        with pytest.raises(InputError, match=f"Another program listens at UDP port {port}"):
            record(tmp_path / "take.csv", port, 0.1)
    assert not (tmp_path / "take.csv").exists()
    (tmp_path / "take.csv").write_text("precious")
    with pytest.raises(InputError, match="give another name"):
        record(tmp_path / "take.csv", port, 0.1)


def test_without_python_osc_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setitem(sys.modules, "pythonosc.osc_packet", None)
    assert main(["record-tracking", str(tmp_path / "take.csv")]) == 1
    assert "pip install 'hmd-removal[osc]'" in capsys.readouterr().err
