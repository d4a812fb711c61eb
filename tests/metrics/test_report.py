"""The report on real frames with known damage: what moves, by how much, and what is said when values lack."""

import json
import math
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d

from hmd_removal.errors import InputError
from hmd_removal.metrics import report as report_module
from hmd_removal.metrics.report import METRICS, MetricsReport, compute_metrics, write_json

HEIGHT, WIDTH, FRAMES = 144, 176, 20
BOX = (slice(None), slice(40, 70), slice(50, 120))  # over the driver's eyes


@pytest.fixture(scope="module")
def truth(carphone: Path) -> torch.Tensor:
    """The first frames of the carphone clip (T,144,176,3)."""
    with av.open(str(carphone)) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in islice(video.decode(video=0), FRAMES)]
    return torch.from_numpy(np.stack(frames)).float() / 255


@pytest.fixture(scope="module")
def mask() -> torch.Tensor:
    mask = torch.zeros(FRAMES, HEIGHT, WIDTH)
    mask[BOX] = 1
    return mask


def score(result: torch.Tensor, truth: torch.Tensor, mask: torch.Tensor | None, **options) -> MetricsReport:
    return compute_metrics(result, truth, mask, networks=False, **options)


def blurred(frames: torch.Tensor) -> torch.Tensor:
    return avg_pool2d(frames.permute(0, 3, 1, 2), 5, 1, 2, count_include_pad=False).permute(0, 2, 3, 1)


def inside(fill: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    result = truth.clone()
    result[BOX] = fill[BOX]
    return result


def test_a_perfect_result(truth, mask):
    report = score(truth, truth, mask)
    assert np.isposinf(report.per_frame["psnr"]).all()
    perfect = {"psnr": 100, "ssim": 1, "mse": 0, "hole_psnr": 100, "hole_ssim": 1, "hole_mse": 0}
    assert report.mean == perfect | {"temporal": 0, "seam": 1}
    assert report.frames == FRAMES
    assert report.hole_share == pytest.approx(30 * 70 / (HEIGHT * WIDTH))


def test_every_metric_is_either_computed_or_explained(truth, mask):
    for report in (score(truth, truth, mask), score(truth, truth, None)):
        assert report.per_frame.keys() == report.mean.keys()
        assert report.per_frame.keys().isdisjoint(report.not_computed)
        assert report.per_frame.keys() | report.not_computed.keys() == METRICS.keys()


def test_damage_in_the_hole_weighs_by_its_share_in_the_full_frame(truth, mask):
    report = score(inside(blurred(truth), truth), truth, mask)
    share = report.hole_share
    np.testing.assert_allclose(report.per_frame["mse"], share * report.per_frame["hole_mse"], rtol=1e-4)
    assert report.mean["psnr"] - report.mean["hole_psnr"] == pytest.approx(-10 * math.log10(share), abs=1e-3)
    assert report.mean["hole_ssim"] < report.mean["ssim"] < 1


def test_damage_outside_the_hole_is_not_seen_in_it(truth, mask):
    result = truth.clone()
    result[:, 100:] = blurred(truth)[:, 100:]
    report = score(result, truth, mask)
    assert report.mean["hole_psnr"] == 100
    assert report.mean["hole_ssim"] == pytest.approx(1)
    assert report.mean["temporal"] == 0
    assert report.mean["psnr"] < 50


def test_a_shift_of_three_pixels_is_worse_than_one(truth, mask):
    one, three = (score(inside(truth.roll(by, 2), truth), truth, mask).mean for by in (1, 3))
    assert three["hole_psnr"] < one["hole_psnr"] - 2
    assert three["hole_ssim"] < one["hole_ssim"] - 0.05


def test_a_pasted_box_shows_at_the_seam_and_a_flickering_one_over_time(truth, mask):
    box = inside(torch.full_like(truth, 0.9), truth)
    darker = inside(truth * 0.8, truth)
    flickering = truth.clone()
    flickering[::2] = darker[::2]
    assert score(box, truth, mask).mean["seam"] > 2
    assert score(darker, truth, mask).mean["temporal"] < score(flickering, truth, mask).mean["temporal"] / 5
    assert score(blurred(truth), truth, mask).mean["seam"] < 0.8


def test_a_frozen_fill_costs_the_motion_of_the_truth(truth, mask):
    frozen = truth[:1].expand_as(truth)
    report = score(inside(frozen, truth), truth, mask)
    motion = (truth[1:] - truth[:-1])[BOX].abs().mean((1, 2, 3))
    np.testing.assert_allclose(report.per_frame["temporal"][1:], motion, rtol=1e-4)
    assert np.isnan(report.per_frame["temporal"][0])


def test_the_result_does_not_depend_on_the_chunks(truth, mask, monkeypatch):
    result = inside(blurred(truth), truth)
    whole = score(result, truth, mask)
    monkeypatch.setattr(report_module, "CHUNK_PIXELS", 3 * HEIGHT * WIDTH)
    done = []
    chunked = score(result, truth, mask, progress=lambda *step: done.append(step))
    for name, values in whole.per_frame.items():
        np.testing.assert_array_equal(chunked.per_frame[name], values, err_msg=name)
    assert done == [*((n, FRAMES) for n in range(3, FRAMES, 3)), (FRAMES, FRAMES)]


def test_progress_may_cancel(truth):
    def cancel(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(truth, truth, None, progress=cancel)


def test_one_mask_frame_stands_for_the_whole_clip_and_a_soft_mask_is_cut_at_a_half(truth, mask):
    result = inside(blurred(truth), truth)
    expected = score(result, truth, mask).mean
    assert score(result, truth, mask[:1]).mean == expected
    assert score(result, truth, mask[0]).mean == expected
    assert score(result, truth, 0.1 + 0.5 * mask).mean == expected


def test_frames_without_a_hole_are_left_out_of_the_means(truth, mask):
    result = inside(blurred(truth), truth)
    gap = mask.clone()
    gap[5:15] = 0
    report = score(result, truth, gap)
    values = report.per_frame["hole_psnr"]
    assert np.flatnonzero(np.isnan(values)).tolist() == list(range(5, 15))
    assert report.mean["hole_psnr"] == pytest.approx(np.delete(values, range(5, 15)).mean())
    # The change into and out of the gap still counts.
    assert np.flatnonzero(np.isnan(report.per_frame["temporal"])).tolist() == [0, *range(6, 15)]


@pytest.mark.parametrize(
    ("case", "names", "reason"),
    [
        ("no mask", ["hole_psnr", "hole_ssim", "hole_mse", "temporal", "seam"], "No mask"),
        ("empty", ["hole_psnr", "hole_ssim", "hole_mse", "temporal", "seam"], "mask is empty"),
        ("everything", ["seam"], "no contour"),
        ("one frame", ["temporal"], "single frame"),
        ("networks off", ["lpips", "hole_lpips", "identity"], "switched off"),
    ],
)
def test_what_is_not_computed_has_a_reason(truth, mask, case, names, reason):
    clip = truth[:1] if case == "one frame" else truth[:3]
    masks = {"no mask": None, "empty": mask[0] * 0, "everything": mask[0] * 0 + 1}
    report = score(clip, clip, masks.get(case, mask[0]))
    for name in names:
        assert reason in report.not_computed[name]
        assert name not in report.mean


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda r, m: (r[:-1], m), "the result is 19 frames of 176x144 and the truth 20 frames of 176x144"),
        (
            lambda r, m: (r[:, :-2], m),
            "the result is 20 frames of 176x142 and the truth 20 frames of 176x144",
        ),
        (lambda r, m: (r[..., :1], m), r"RGB frames .* shape is \(20, 144, 176, 1\)"),
        (lambda r, m: (r, m[:, :, :100]), "size of the frames, 176x144, but it is 100x144"),
        (lambda r, m: (r, m[:7]), "as many as the clip, 20, but it has 7"),
        (
            lambda r, m: (torch.where(torch.arange(20)[:, None, None, None] == 11, torch.nan, r), m),
            "frame 11 has NaN",
        ),
    ],
)
def test_input_that_does_not_fit_is_named_in_one_sentence(truth, mask, change, sentence):
    result, changed_mask = change(truth, mask)
    with pytest.raises(InputError, match=sentence) as error:
        score(result, truth, changed_mask)
    assert "\n" not in str(error.value)


def test_landmarks_of_another_clip_are_refused(truth, mask):
    with pytest.raises(InputError, match=r"T = 20 .* shape is \(19, 478, 2\)"):
        score(truth, truth, mask, points=np.zeros((19, 478, 2)))


def test_an_empty_or_tiny_clip_is_refused(truth):
    for clip in (truth[:0], truth[:, :10]):
        with pytest.raises(InputError, match="at least one frame of 11x11"):
            score(clip, clip, None)


def test_json_is_strict_complete_and_written_whole(truth, mask, tmp_path):
    result = truth.clone()
    result[1:] = inside(blurred(truth), truth)[1:]  # frame 0 is perfect: infinite PSNR
    path = tmp_path / "metrics.json"
    path.write_text("an older report")
    write_json(path, score(result, truth, mask))
    read = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert read["frames"] == FRAMES
    assert read["mean"].keys() == METRICS.keys()
    assert read["mean"]["lpips"] is None and "switched off" in read["not_computed"]["lpips"]
    assert read["per_frame"]["psnr"][0] == 100
    assert read["per_frame"]["temporal"][0] is None
    assert read["mean"]["hole_ssim"] == pytest.approx(np.mean(read["per_frame"]["hole_ssim"]), abs=1e-5)
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]


def test_json_that_cannot_be_written_leaves_nothing_behind(truth, tmp_path):
    (tmp_path / "metrics.json").mkdir()
    with pytest.raises(OSError):
        write_json(tmp_path / "metrics.json", score(truth[:1], truth[:1], None))
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]


def test_the_table_shows_means_and_the_worst_frame(truth, mask):
    result = truth.clone()
    result[7] = inside(torch.zeros_like(truth), truth)[7]
    table = score(result, truth, mask).table()
    row = next(line for line in table.splitlines() if line.startswith("PSNR, hole (dB)"))
    assert row.split()[-2:] == ["7", "higher"]
    assert "LPIPS, hole: not computed. Metrics that need a network were switched off." in table


def test_sentences_say_what_the_table_shows(truth, mask):
    result = truth.clone()
    result[7] = inside(torch.zeros_like(truth), truth)[7]
    report = score(result, truth, mask)
    lines = report.listed().splitlines()
    assert len(lines) == len(report.table().splitlines()) - 1  # no heads of columns
    assert all(line.endswith(".") for line in lines)
    assert next(line for line in lines if line.startswith("PSNR, hole: ")).endswith("(frame 7).")
    assert "LPIPS, hole: not computed. Metrics that need a network were switched off." in lines


def test_the_worst_seam_is_the_one_farthest_from_one():
    seam = np.array([1.0, 1.5, 0.5, np.nan])  # half as steep is worse than one and a half times
    assert MetricsReport(4, 0.1, {"seam": seam}, {"seam": 1.0}, {}).worst_frame("seam") == 2
