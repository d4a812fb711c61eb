"""Every format by a small file of its own: told by its contents, read in one form, refused in a sentence."""

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest

from hmd_removal.cli import main
from hmd_removal.driving.blendshapes import MEDIAPIPE_ASKEW
from hmd_removal.driving.eye_tracking import EyeTracking, Recording
from hmd_removal.driving.plain import write_plain
from hmd_removal.driving.readers import described, read_tracking
from hmd_removal.errors import InputError

RIGHT, LEFT = 0, 1
ROWS = 12


def read(tmp_path: Path, content: str | bytes) -> Recording:
    """Under a name that says nothing."""
    file = tmp_path / "recording.bin"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_tracking(file)


def csv(columns: dict[str, list], separator: str = ",") -> str:
    rows = zip(*columns.values(), strict=True)
    return "\n".join(separator.join(map(str, row)) for row in (columns, *rows)) + "\n"


def live_link(count: int = ROWS, spelling: str = "BlendshapeCount", **values: float) -> dict[str, list]:
    """Constant values beside a timecode that goes from 23:59:59 over midnight, at 60 Hz."""
    frames = [50.5 + i for i in range(count)]
    codes = [f"23:59:59:{f:06.3f}" if f < 60 else f"00:00:00:{f - 60:06.3f}" for f in frames]
    weights = {"EyeBlinkLeft": 0.0, "EyeBlinkRight": 0.0} | values
    return {"Timecode": codes, spelling: [61] * count} | {name: [value] * count for name, value in weights.items()}


def timed(count: int = ROWS, step: float = 0.02, **values: float) -> dict[str, list]:
    return {"time": [i * step for i in range(count)]} | {name: [value] * count for name, value in values.items()}


@pytest.mark.parametrize("spelling", ["BlendShapeCount", "BlendshapeCount"])
def test_live_link_face_says_time_lids_angles_brows_and_jaw(tmp_path, spelling):
    values = dict(EyeBlinkLeft=0.9, EyeWideRight=0.2, BrowInnerUp=0.3, BrowOuterUpLeft=0.4, BrowDownRight=0.5)
    angles = dict(LeftEyeYaw=-0.1, LeftEyePitch=0.2, RightEyeYaw=0.05, RightEyePitch=0.2)
    columns = live_link(spelling=spelling, JawOpen=0.6, JawLeft=0.1, JawRight=0.0, **values, **angles)
    recording = read(tmp_path, csv(columns))
    tracking = recording.tracking
    assert recording.kind == "Live Link Face"
    assert recording.timecode == pytest.approx(86399 + 50.5 / 60)
    assert tracking.times == pytest.approx(np.arange(ROWS) / 60)
    assert tracking.openness[3] == pytest.approx((1.2, 0.1))
    assert tracking.gaze[3] == pytest.approx(np.array([(0.05, 0.2), (-0.1, 0.2)]))
    assert tracking.brows[3, LEFT] == pytest.approx((0.3, 0.4, np.nan), nan_ok=True)
    assert tracking.brows[3, RIGHT] == pytest.approx((0.3, np.nan, 0.5), nan_ok=True)
    assert tracking.jaw[3] == pytest.approx((0.6, -0.1))


def test_without_angles_the_gaze_comes_from_weights(tmp_path):
    looks = dict(EyeLookInLeft=0.5, EyeLookOutLeft=0, EyeLookDownLeft=0.5, EyeLookUpLeft=0)
    looks |= dict(EyeLookInRight=0, EyeLookOutRight=0.5, EyeLookDownRight=0, EyeLookUpRight=0.5)
    gaze = read(tmp_path, csv(live_link(**looks, LeftEyeYaw=0, LeftEyePitch=0))).tracking.gaze
    assert gaze[0] == pytest.approx(np.array([(0.3, -0.3), (0.3, 0.3)]))  # to the wearer's right with both eyes


def test_a_phone_that_sees_no_face_writes_short_rows(tmp_path):
    lines = csv(live_link()).splitlines()
    lines[4] = lines[4].split(",")[0] + ",0"
    openness = read(tmp_path, "\n".join(lines)).tracking.openness
    assert np.flatnonzero(np.isnan(openness[:, 0])).tolist() == [3]


@pytest.mark.parametrize("name", ["Time", "timestamp [ns]", "Time (s)", "time_ms", "TimeStamp"])
def test_times_are_found_by_many_names(tmp_path, name):
    columns = {name: [20 * i for i in range(ROWS)], "eyeBlinkLeft": [0] * ROWS, "eyeBlinkRight": [0] * ROWS}
    assert read(tmp_path, csv(columns)).tracking.times[1] == pytest.approx(0.02)


@pytest.mark.parametrize("names", ["eyeBlinkLeft eyeBlinkRight jawOpen", "eyeBlink_L eyeBlink_R jawOpen"])
@pytest.mark.parametrize("unit", [1, 1000, 1e9])
def test_arkit_names_in_csv_of_any_spelling_and_unit_of_time(tmp_path, names, unit):
    tracking = read(
        tmp_path, csv(timed(step=0.02 * unit, **dict(zip(names.split(), (0.2, 0.4, 0.6), strict=True))))
    ).tracking
    assert tracking.times == pytest.approx(np.arange(ROWS) * 0.02)
    assert tracking.openness[0] == pytest.approx((0.6, 0.8)) and tracking.jaw[0, 0] == 0.6


def test_pico_names_of_openxr(tmp_path):
    names = {"XR_FACE_EXPRESSION_EYE_BLINK_L_BD": 0.25, "XR_FACE_EXPRESSION_EYE_BLINK_R_BD": 0.5}
    assert read(tmp_path, csv(timed(**names))).tracking.openness[0] == pytest.approx((0.5, 0.75))


def test_times_since_1970_give_a_clock(tmp_path):
    columns = timed(eyeBlinkLeft=0, eyeBlinkRight=0)
    columns["time"] = [1_700_000_000_000 + 20 * i for i in range(ROWS)]
    recording = read(tmp_path, csv(columns))
    assert recording.epoch == 1.7e9 and recording.tracking.times[1] == pytest.approx(0.02)


@pytest.mark.parametrize("lines", [False, True])
def test_arkit_names_in_json(tmp_path, lines):
    frames = [{"timestamp": 0.02 * i, "blendShapes": {"eyeBlinkLeft": 0.1, "eyeBlinkRight": 0.3}} for i in range(ROWS)]
    content = "\n".join(map(json.dumps, frames)) if lines else json.dumps({"version": 1, "frames": frames})
    assert read(tmp_path, content).tracking.openness[0] == pytest.approx((0.7, 0.9))


def test_lists_of_keys_and_values_as_vtube_studio_has_them(tmp_path):
    shapes = [{"k": "EyeBlinkLeft", "v": 0.1}, {"k": "EyeBlinkRight", "v": 0.3}]
    frames = [
        {"Timestamp": 1_700_000_000_000 + 16 * i, "EyeLeft": {"x": 9, "y": 9}, "BlendShapes": shapes}
        for i in range(ROWS)
    ]
    recording = read(tmp_path, "\n".join(map(json.dumps, frames)))
    assert recording.tracking.openness[0] == pytest.approx((0.7, 0.9)) and recording.epoch == 1.7e9


def test_mediapipe_blendshapes(tmp_path):
    scores = {"_neutral": 0, "eyeBlinkLeft": 0.2, "eyeBlinkRight": 0.4, "jawOpen": 0.5}
    scores |= dict.fromkeys((f"eyeLook{way}Left" for way in ("Out", "In", "Up", "Down")), 0.1)
    shapes = [{"index": i, "score": s, "categoryName": n} for i, (n, s) in enumerate(scores.items())]
    frames = [{"timestampMs": 40 * i, "faceBlendshapes": [{"headIndex": 0, "categories": shapes}]} for i in range(ROWS)]
    recording = read(tmp_path, json.dumps(frames))
    assert recording.kind == "MediaPipe blendshapes"
    assert recording.tracking.openness[0] == pytest.approx((0.6, 0.8))
    assert recording.tracking.gaze[0, LEFT] == pytest.approx((MEDIAPIPE_ASKEW, 0))  # else everybody looked to the left
    assert recording.tracking.times[1] == pytest.approx(0.04)


@pytest.mark.parametrize("spelling", ["{}", "XR_FACE_EXPRESSION2_{}_FB"])
def test_quest_weights_by_name(tmp_path, spelling):
    weights = dict(EYES_CLOSED_L=0.5, EYES_CLOSED_R=0, LID_TIGHTENER_L=0.5, UPPER_LID_RAISER_R=0.3, JAW_DROP=0.4)
    weights |= dict(EYES_LOOK_RIGHT_L=0.5, EYES_LOOK_LEFT_L=0, EYES_LOOK_DOWN_L=0, EYES_LOOK_UP_L=0.5)
    tracking = read(tmp_path, csv(timed(**{spelling.format(name): value for name, value in weights.items()}))).tracking
    assert tracking.openness[0] == pytest.approx((1.3, 0.25))
    assert tracking.gaze[0, LEFT] == pytest.approx((0.3, -0.3)) and tracking.jaw[0, 0] == 0.4


def test_quest_weights_as_unity_names_them_with_validity(tmp_path):
    columns = timed(EyesClosedL=0.5, EyesClosedR=0.5) | {"isValid": ["True"] * (ROWS - 1) + ["False"]}
    openness = read(tmp_path, csv(columns)).tracking.openness
    assert openness[0] == pytest.approx((0.5, 0.5)) and np.isnan(openness[-1]).all()


def sranipal(valid: list[int], openness: list[float]) -> dict[str, list]:
    count = len(valid)
    columns = {"time(100ns)": [638355562396185407 + 83333 * i for i in range(count)]}
    for side in "LR":
        columns |= {f"eye_valid_{side}": valid, f"openness_{side}": openness}
        seen = [v & 2 > 0 for v in valid]
        x = math.sin(0.2) * (1 if side == "L" else -1)  # its x points to the wearer's left
        columns |= {
            f"gaze_direct_{side}.{a}": [s * d for s in seen] for a, d in zip("xyz", (x, 0, math.cos(0.2)), strict=True)
        }
    return columns


def test_sranipal_tells_lids_and_gaze_by_bits_apart(tmp_path):
    valid, openness = [31, 31, 25, 24, 8, 0, 31], [1, 0.8, 0.4, 0.1, 0, 0, 1]
    recording = read(tmp_path, csv(sranipal(valid, openness), ";"))
    tracking = recording.tracking
    assert tracking.openness[:, LEFT] == pytest.approx([1, 0.8, 0.4, 0.1, 0, np.nan, 1], nan_ok=True)
    assert np.isfinite(tracking.gaze[:, LEFT, 0]).tolist() == [True, True, False, False, False, False, True]
    assert tracking.gaze[0, :, 0] == pytest.approx((0.2, -0.2))
    assert recording.epoch == pytest.approx(1699959439.6185)


def test_decimal_commas_are_read_where_commas_do_not_separate(tmp_path):
    content = csv(sranipal([31] * 5, [0.5] * 5), ";").replace(".", ",").replace("_L,", "_L.").replace("_R,", "_R.")
    assert read(tmp_path, content).tracking.openness[0] == pytest.approx((0.5, 0.5))


def test_pico_lids_are_open_or_shut_and_both_eyes_have_one_gaze(tmp_path):
    columns = {"Timeline": [i / 90 for i in range(ROWS)]}
    columns |= {
        f"Combine Eye Gaze Vector. {a}": [v] * ROWS
        for a, v in zip("xyz", (math.sin(0.2), 0, math.cos(0.2)), strict=True)
    }
    for side in ("Left", "Right"):
        columns[f"{side} Eye Gaze Openness"] = [1] * 4 + [0] * 3 + [1] * 5
        columns[f"{side} Eye Pose Status"] = [52] * 4 + [0] * 3 + [52] * 5
    tracking = read(tmp_path, csv(columns, "\t")).tracking
    assert tracking.openness[:, RIGHT].tolist() == [1] * 4 + [0] * 3 + [1] * 5
    assert tracking.gaze[0, :, 0] == pytest.approx((0.2, 0.2)) and np.isnan(tracking.gaze[5]).all()


def varjo(lids: bool) -> dict[str, list]:
    lost = range(30, 50)  # 0.1 s
    columns = {"raw_timestamp": [5_000_000 * i for i in range(100)]}
    columns["relative_to_unix_epoch_timestamp"] = [1_700_000_000_000_000_000 + 5_000_000 * i for i in range(100)]
    columns["relative_to_video_first_frame_timestamp"] = [5_000_000 * (i - 10) for i in range(100)]
    columns["status"] = [2] * 100
    columns |= {f"gaze_forward_{axis}": [0] * 100 for axis in "xyz"}
    for side in ("left", "right"):
        columns[f"{side}_status"] = [0 if i in lost else 3 for i in range(100)]
        for axis, value in zip("xyz", (0.0, math.sin(0.1), math.cos(0.1)), strict=True):
            columns[f"{side}_forward_{axis}"] = ["-nan(ind)" if i in lost else value for i in range(100)]
        if lids:
            columns[f"{side}_eye_openness"] = [0.05 if i in lost else 0.9 for i in range(100)]
    return columns


@pytest.mark.parametrize("lids", [True, False])
def test_varjo_with_and_without_lids_counts_from_its_videos_first_frame(tmp_path, lids):
    recording = read(tmp_path, csv(varjo(lids)))
    tracking = recording.tracking
    assert tracking.times[0] == pytest.approx(-0.05) and recording.epoch == pytest.approx(1.7e9 + 0.05)
    assert tracking.gaze[0, :, 1] == pytest.approx((-0.1, -0.1)) and np.isnan(tracking.gaze[40]).all()
    assert (tracking.openness[30:50] < 0.1).all() and (tracking.openness[:30] > 0.8).all()


def test_tobii_has_no_lids_so_a_gap_as_long_as_a_blink_is_one(tmp_path):
    def line(i: int) -> str:
        eye = {"gazedirection": [math.sin(0.1), 0.0, math.cos(0.1)], "pupildiameter": 4.0}
        lost = 100 <= i < 102 or 150 <= i < 170 or 200 <= i < 300  # too short, a blink, too long
        right = {} if 350 <= i < 370 else eye  # one eye alone does not blink
        return json.dumps(
            {"type": "gaze", "timestamp": i / 100, "data": {} if lost else {"eyeleft": eye, "eyeright": right}}
        )

    tracking = read(tmp_path, gzip.compress("\n".join(map(line, range(400))).encode())).tracking
    for openness in tracking.openness.T:
        assert np.flatnonzero(openness == 0).tolist() == list(range(150, 170))
        assert np.isnan(openness[[100, 250]]).all() and openness[0] == 1
    assert np.isnan(tracking.openness[360, RIGHT])
    assert tracking.gaze[0, :, 0] == pytest.approx(-0.1)  # its x points to the wearer's left


def test_the_plain_csv_gives_back_what_was_written(tmp_path):
    tracking = EyeTracking.unknown(np.arange(5) / 30 - 1)
    tracking.openness[:, RIGHT] = np.linspace(0, 1.5, 5)
    tracking.gaze[:, LEFT, 1] = -0.25
    tracking.brows[2, RIGHT, 2] = 0.5
    tracking.jaw[:, 1] = -0.5
    write_plain(tmp_path / "plain.csv", Recording(tracking, "a test", epoch=1.7e9))
    again = read_tracking(tmp_path / "plain.csv")
    for field in ("times", "openness", "gaze", "brows", "jaw"):
        assert getattr(again.tracking, field) == pytest.approx(getattr(tracking, field), nan_ok=True, abs=1e-6), field
    assert again.epoch == pytest.approx(1.7e9) and again.timecode is None


def test_any_recording_becomes_a_plain_csv(tmp_path, capsys):
    take, plain = tmp_path / "take.json", tmp_path / "plain.csv"
    take.write_text(json.dumps([{"time": i / 60, "eyeBlinkLeft": 0.2, "eyeBlinkRight": 0.4} for i in range(ROWS)]))
    assert main(["record-tracking", str(plain), "--from", str(take)]) == 0
    assert "ARKit blendshapes: 0.2 s" in capsys.readouterr().out
    assert read_tracking(plain).tracking.openness[0] == pytest.approx((0.6, 0.8))


def test_a_plain_csv_may_have_few_columns(tmp_path):
    tracking = read(tmp_path, csv(timed(openness_left=0.5))).tracking
    assert tracking.openness[0] == pytest.approx((np.nan, 0.5), nan_ok=True)


def test_what_a_recording_holds_is_said_in_sentences(tmp_path):
    openness = [1.0] * 40 + [0.1] * 10 + [1.0] * 40
    said = described(read(tmp_path, csv({"time": [i / 100 for i in range(90)], "openness_right": openness})))
    assert said == (
        "plain CSV: 0.9 s at 100 a second, with lids, without gaze, brows, jaw. Blinks: 1 of the right eye, 0 of the "
        "left. Lids are known for 100% of the time. It has no clock."
    )
    assert described(read(tmp_path, WHOLE)).endswith("It has a timecode.")


WHOLE = csv(live_link())
MALFORMED = {
    "empty": ("", "is empty"),
    "no rows": (WHOLE.splitlines()[0], "4 columns but no rows"),
    "cut in a row": (WHOLE[:-5], r"has 3 values in row 12, for 4 columns: it is cut off"),
    "cut in the middle": (WHOLE.replace(",61,0.0,0.0", ",61,0.0", 1), "has 3 values in row 1, for 4 columns; export"),
    "decimal commas between commas": (WHOLE.replace("0.0", "0,0").replace("61,", "61,5,"), "decimal comma, which also"),
    "decimal commas in quotes": (
        WHOLE.replace("0.0\n", '"0,5"\n'),
        "'0,5' instead of a number in column EyeBlinkRight",
    ),
    "a word for a time": (WHOLE.replace("23:59:59:50.500", "noon", 1), "holds 'noon' in column Timecode, row 1"),
    "no values": (csv(timed(openness_left=math.nan)), "a plain CSV in which no row has a value"),
    "an endless field": (f'time,openness_left\n0,"{"1" * 200_000}"\n', "no whole CSV"),
    "a word": (WHOLE.replace("0.0\n", "left\n", 1), "'left' instead of a number in column EyeBlinkRight, row 1"),
    "wrong columns": (csv({"Timecode": ["0"], "BlendshapeCount": [1], "Other": [1]}), "lacks the columns EyeBlinkLeft"),
    "something else": (csv({"city": ["Rome"], "people": [3]}), r"no eye or face tracking.*2 columns \(city, people\)"),
    "prose": ("Dear Sir, Madam\n", "has 2 columns but no rows"),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00\x00", "no text but binary"),
    "cut JSON": ('[{"time": 0, "eyeBlinkLeft": 0.1', "no whole JSON"),
    "JSON without frames": ("[]", "without a single frame"),
    "cut gzip": (gzip.compress(b"x" * 1000)[:20], "cannot be unpacked"),
    "no times": (
        json.dumps([[{"categoryName": f"eyeBlink{side}", "score": 0.1} for side in ("Left", "Right")]] * 3),
        "no times",
    ),
    "times that stand": (csv(timed(step=0, eyeBlinkLeft=0, eyeBlinkRight=0)), "has 1 rows, of 12, whose time is later"),
    "times of no unit": (csv(timed(step=1.0, eyeBlinkLeft=0, eyeBlinkRight=0)), "1 apart, which is no usual step"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_malformed_is_refused_in_a_sentence_that_says_what_was_seen(tmp_path, what):
    content, said = MALFORMED[what]
    with pytest.raises(InputError, match=said) as error:
        read(tmp_path, content)
    assert "recording.bin" in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.csv cannot be read \(No such file"):
        read_tracking(tmp_path / "nowhere.csv")
