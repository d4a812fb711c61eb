"""A face's motion as bytes: packets and a file of them."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from faces_of import posed_face

from hmd_removal.errors import InputError
from hmd_removal.telepresence.animate_motion import Motion, Neutral, shipped_shapes
from hmd_removal.telepresence.animate_points import (
    CHANGE,
    FILE_HEAD,
    KEY,
    KEY_EVERY,
    PACKET,
    SHAPES,
    VERSION,
    PointsReader,
    PointsWriter,
    _varints,
    is_points,
    read_points,
    shapes_id,
    write_points,
)
from hmd_removal.tracking.track import TrackedFace


def motions(count: int) -> list[Motion]:
    """Somebody who talks, nods and blinks: smooth, with as much of every shape as people show."""
    shapes, t = shipped_shapes(), np.arange(count)[:, None] / 25
    random = np.random.default_rng(1)
    phase, pace = random.uniform(0, 6, len(shapes)), random.uniform(1, 12, len(shapes))
    shape = shapes.deviation * np.sin(pace * t + phase)
    return [
        Motion(
            np.array([0.2 * np.sin(i / 9), 0.3 * np.sin(i / 14), 0.05]),
            np.array([2 * np.sin(i / 20), 0.5]),
            0.03 * np.sin(i / 30),
            shape[i],
            np.array([0.1, 0.2]) if i % 80 < 5 else np.ones(2),
            np.array([0.1 * np.sin(i / 6), 0.02]),
        )
        for i in range(count)
    ]


def packets(count: int) -> list[bytes]:
    writer = PointsWriter(25)
    return [writer.push_motion(i / 25, motion) for i, motion in enumerate(motions(count))]


def test_what_is_read_is_what_was_written_but_for_half_a_step() -> None:
    reader = PointsReader()
    for i, (packet, wanted) in enumerate(zip(packets(60), motions(60), strict=True)):
        (frame,) = reader.feed(packet)
        assert frame.number == i and frame.time == pytest.approx(i / 25, abs=1e-4)
        assert np.degrees(np.abs(frame.motion.turn - wanted.turn)).max() <= 0.0501
        assert np.abs(frame.motion.place - wanted.place).max() <= 0.00501
        assert np.abs(frame.motion.shape - wanted.shape).max() <= 0.01001
        assert abs(frame.motion.growth - wanted.growth) <= 0.000501
        assert np.abs(frame.motion.openness - wanted.openness).max() <= 0.0201


def test_ten_seconds_take_less_than_twenty_kilobits_a_second() -> None:
    assert sum(map(len, packets(250))) * 8 / 10 < 20_000


def test_a_lost_packet_harms_no_other_one() -> None:
    reader = PointsReader()
    found = [frame for i, packet in enumerate(packets(20)) if i not in (3, 4, 11) for frame in reader.feed(packet)]
    assert [frame.number for frame in found] == [i for i in range(20) if i not in (3, 4, 11)]
    assert found[-1].motion.shape == pytest.approx(motions(20)[-1].shape, abs=0.011)


def test_a_lost_key_is_made_good_by_the_next_one() -> None:
    reader = PointsReader()
    numbers = [frame.number for packet in packets(60)[1:] for frame in reader.feed(packet)]
    assert numbers == list(range(KEY_EVERY, 60))


def test_a_packet_that_comes_late_is_read_by_its_own_key() -> None:
    sent, reader = packets(30), PointsReader()
    order = [*range(20), 22, 21, 20, 23, 24]
    assert [frame.number for i in order for frame in reader.feed(sent[i])] == order
    for i in (25, 26):
        reader.feed(sent[i])
    assert reader.feed(sent[24]) == []  # its key is gone


def test_the_picture_stands_still_while_the_neutral_look_is_measured() -> None:
    writer, reader = PointsWriter(fps=4), PointsReader()
    frames = [reader.feed(writer.push(t / 4, posed_face(yaw=5 if t < 4 else 15)))[0] for t in range(6)]
    turned = [np.degrees(np.linalg.norm(frame.motion.turn)) for frame in frames]
    assert turned[:4] == pytest.approx([0] * 4, abs=0.06) and turned[4:] == pytest.approx([10] * 2, abs=0.3)


def test_nobody_is_said_to_be_there() -> None:
    writer, reader = PointsWriter(25, Neutral.of([posed_face()])), PointsReader()
    (frame,) = reader.feed(writer.push(0.0, TrackedFace.missing()))
    assert frame.motion is None


def test_a_file_holds_rate_and_frames(tmp_path: Path) -> None:
    path = tmp_path / "driver.hmdp"
    size = write_points(path, packets(30), Fraction(30000, 1001))
    points = read_points(path)
    assert points.rate == Fraction(30000, 1001) and len(points.frames) == 30
    assert is_points(path) and size == path.stat().st_size


@pytest.mark.parametrize("left", [2000, 900, FILE_HEAD.size - 3])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, left: int) -> None:
    path = tmp_path / "driver.hmdp"
    write_points(path, packets(60), Fraction(25))
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(InputError, match="cut off"):
        read_points(path)


@pytest.mark.parametrize("rate", [(0, 1), (25, 0), (2**32 - 1, 1), (1, 2**32 - 1)])
def test_a_rate_of_no_clip_is_refused(tmp_path: Path, rate: tuple[int, int]) -> None:
    path = tmp_path / "driver.hmdp"
    write_points(path, packets(3), Fraction(25))
    path.write_bytes(FILE_HEAD.pack(b"HMDP", VERSION, 3, *rate) + path.read_bytes()[FILE_HEAD.size :])
    with pytest.raises(InputError, match="damaged"):
        read_points(path)


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "driver.hmdp"
    write_points(path, packets(3), Fraction(25))
    content = bytearray(path.read_bytes())
    content[4] = 9
    path.write_bytes(content)
    with pytest.raises(InputError, match="version 9"):
        read_points(path)


@pytest.mark.parametrize("packet", [b"", b"hello, is anybody there?", packets(1)[0][:-1], packets(1)[0] + b"\0"])
def test_what_is_no_packet_is_refused(packet: bytes) -> None:
    with pytest.raises(InputError):
        PointsReader().feed(packet)


def change(age: int, body: bytes = b"\0" * 42) -> bytes:
    """A packet of frame 0 that says how it differs from a key so many frames before."""
    return PACKET.pack(b"P", VERSION, CHANGE, age, 0, 0) + body


def key(body: bytes) -> bytes:
    return PACKET.pack(b"P", VERSION, KEY, 0, 0, 0) + SHAPES.pack(shapes_id(), len(shipped_shapes())) + body


def test_a_change_before_any_key_is_passed_over() -> None:
    assert PointsReader().feed(change(age=0)) == [] and PointsReader().feed(change(age=1)) == []


@pytest.mark.parametrize(
    "motion",
    [
        replace(Motion.none(), growth=50.0),
        replace(Motion.none(), place=np.array([0.0, -1e5])),
        replace(Motion.none(), shape=np.full(len(shipped_shapes()), 1e6)),
        replace(Motion.none(), turn=np.full(3, 1e4), gaze=np.full(2, 9.0), openness=np.full(2, 1e3)),
    ],
)
def test_no_more_is_written_and_read_than_a_face_does(motion: Motion) -> None:
    """What is drawn of anything else is empty, or takes minutes."""
    writer, reader = PointsWriter(25), PointsReader()
    (far,) = reader.feed(writer.push_motion(0.0, motion))
    assert abs(far.motion.growth) <= 2 and np.abs(far.motion.place).max() <= 200 and far.motion.shape.max() <= 10
    steps = [0] * 42
    steps[5] = 2001  # of growth, each a thousandth
    with pytest.raises(InputError, match="damaged"):
        reader.feed(key(_varints(np.array(steps))))
    (same,) = reader.feed(writer.push_motion(0.04, motion))
    assert same.motion.growth == far.motion.growth


def test_a_key_and_a_change_that_add_up_to_too_much_are_refused() -> None:
    steps, reader = np.zeros(42, int), PointsReader()
    steps[5] = 1500
    reader.feed(key(_varints(steps)))
    with pytest.raises(InputError, match="damaged"):
        reader.feed(change(age=0, body=_varints(steps)))


@pytest.mark.parametrize("body", [b"\x80" * 60_000, b"\x80" * 5 + b"\0" * 42, b"\0" * 43, b"\0" * 41 + b"\x80"])
def test_counts_that_never_end_are_refused(body: bytes) -> None:
    with pytest.raises(InputError, match="damaged"):
        PointsReader().feed(key(body))


def test_a_sender_that_begins_anew_is_read_from_its_first_key() -> None:
    reader = PointsReader()
    for packet in packets(60):
        reader.feed(packet)
    assert [frame.number for packet in packets(30) for frame in reader.feed(packet)] == list(range(30))


def test_a_forged_key_of_a_late_frame_lasts_no_longer_than_until_the_next_one() -> None:
    sent, reader = packets(60), PointsReader()
    forged = bytearray(sent[0])
    PACKET.pack_into(forged, 0, b"P", VERSION, KEY, 0, 2**32 - 1, 2**32 - 1)
    for packet in [*sent[:10], bytes(forged)]:
        reader.feed(packet)
    assert [frame.number for packet in sent[10:] for frame in reader.feed(packet)] == list(range(KEY_EVERY, 60))


def test_a_rate_of_long_clips_of_varying_rate_fits_into_a_file(tmp_path: Path) -> None:
    path, rate = tmp_path / "driver.hmdp", Fraction(128_000_000_007, 5_123_456_789)
    write_points(path, packets(3), rate)
    assert float(read_points(path).rate) == pytest.approx(float(rate))


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\xff\xd8 no points")
    assert not is_points(path) and not is_points(tmp_path / "nothing")
    for one in (path, tmp_path / "nothing"):
        with pytest.raises(InputError):
            read_points(one)


def test_landmarks_survive_the_way_through_packets() -> None:
    """The points of a face that does something, in centimetres."""
    shapes, face = shipped_shapes(), posed_face()
    wanted = motions(8)[7].shape
    points = face.points.astype(np.float64).copy()
    points[:468] += 10 * shapes.motion(wanted)
    writer, reader = PointsWriter(25, Neutral.of([face])), PointsReader()
    (frame,) = reader.feed(writer.push(0.0, replace(face, points=points.astype(np.float32))))
    off = np.linalg.norm(shapes.motion(frame.motion.shape - wanted)[:, :2], axis=1)
    assert np.sqrt((off**2).mean()) < 0.1
