"""Personal models as files and as a method of the engine."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from skimage import data
from torch import nn

from hmd_removal.cli import main
from hmd_removal.errors import InputError
from hmd_removal.headset.sources import DetectedHeadset
from hmd_removal.lab.evaluation.evaluate import Protocol, evaluate
from hmd_removal.models import covered_landmarks
from hmd_removal.models.aligned_generator import AlignedGenerator, GeneratorConfig, load
from hmd_removal.models.face_embedding import FaceEmbedding
from hmd_removal.models.personal_deocclusion import PersonalConfig, PersonalDeocclusion
from hmd_removal.restore.engine import Deoccluder, deocclude_clip
from hmd_removal.restore.filler import pictures_for
from hmd_removal.restore.personal import PersonalFiller, PersonalModel, in_use, read_personal, write_personal
from hmd_removal.restore.registry import EVI_WEIGHTS, make_filler
from hmd_removal.tracking.enrol import reference_from_frames
from hmd_removal.tracking.follow import Wearer, track_clip
from hmd_removal.tracking.reference import Reference, make_reference
from hmd_removal.tracking.track import DevicePatch, FaceTrack
from hmd_removal.weights import resolve
from hmd_removal.weights.manifest import find_weight

ALIGNED, DRAWS = AlignedGenerator().config, PersonalConfig("slim")
Config = GeneratorConfig | PersonalConfig


@pytest.fixture(scope="module")
def reference(talking_head: np.ndarray, talking_head_track: FaceTrack) -> Reference:
    return make_reference([talking_head[0]], talking_head_track.points[:1])


def model_of(reference: Reference, config: Config, *, still: bool = True) -> PersonalModel:
    """Random weights; still: as the aligned generator starts, correcting nothing."""
    torch.manual_seed(0)
    network = AlignedGenerator(config) if isinstance(config, GeneratorConfig) else PersonalDeocclusion(config)
    if not still and config is ALIGNED:
        nn.init.constant_(network.tint.bias, 0.5)
    return PersonalModel(in_use(network), reference, None, {"trained": "2026-11-25"})


def run(filler: PersonalFiller | str, wearer: tuple, track: FaceTrack, reference: Reference, cuts: list[int]) -> list:
    frames, masks = wearer
    method = make_filler(filler, reference) if isinstance(filler, str) else filler
    engine, done = Deoccluder(method, reference), []
    for start, stop in zip(cuts, cuts[1:], strict=False):
        faces = [track[t].covered_by(masks[t]) for t in range(start, stop)]
        done += engine.process(list(frames[start:stop]), list(masks[start:stop]), faces)
    return done


def test_a_file_keeps_the_network_the_person_and_what_is_said_of_them(tmp_path: Path, reference: Reference) -> None:
    model = replace(model_of(reference, DRAWS), identity=np.eye(128, dtype=np.float32)[0])
    write_personal(tmp_path / "me.safetensors", model)
    found = read_personal(tmp_path / "me.safetensors")
    assert found.network.config == DRAWS and found.about["trained"] == "2026-11-25"
    assert not found.network.training and np.array_equal(found.identity, model.identity)
    for one, two in zip(model.network.state_dict().values(), found.network.state_dict().values(), strict=True):
        assert torch.allclose(one, two, rtol=1e-3, atol=1e-4)  # half precision
    # The pictures show the face and what is next to it, and the landmarks lie on the same pixels.
    (before,), (after,) = reference.images, found.reference.images
    (left, top), *_ = np.round((reference.points - found.reference.points)[0, :, :2]).astype(int)
    assert after.shape[0] <= before.shape[0]
    assert np.array_equal(after, before[top : top + after.shape[0], left : left + after.shape[1]])
    assert [p.name for p in tmp_path.iterdir()] == ["me.safetensors"]


def test_a_file_keeps_where_its_pictures_show_a_headset(tmp_path: Path, reference: Reference) -> None:
    probability = np.zeros((64, 64), np.float32)
    probability[:32] = 0.8
    to_patch = 32 / reference.points[0, 10, 1] * np.eye(2, 3)  # its edge is at the top of the face
    device = DevicePatch(probability, to_patch)
    shown = reference.with_more(replace(reference, devices={0: device}))
    write_personal(tmp_path / "me.safetensors", model_of(shown, DRAWS))
    found = read_personal(tmp_path / "me.safetensors").reference
    assert list(found.devices) == [1]
    before, after = device.hides(reference.points[0]), found.devices[1].hides(found.points[1])
    assert before.any() and not before.all() and np.array_equal(before, after)


def test_landmarks_that_were_learnt_with_another_landmarker_are_not_used(
    tmp_path: Path, reference: Reference, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "me.safetensors"
    own = replace(reference, landmarker=covered_landmarks.load())
    write_personal(file, PersonalModel(AlignedGenerator(), own, None, {}))
    assert read_personal(file).reference.landmarker is not None
    row = find_weight("covered_landmarks")
    monkeypatch.setattr("hmd_removal.restore.personal.find_weight", lambda name: replace(row, sha256="0" * 64))
    assert read_personal(file).reference.landmarker is None and "train it anew" in caplog.text


def test_a_model_that_corrects_nothing_gives_the_warp(
    wearer: tuple[np.ndarray, np.ndarray], talking_head_track: FaceTrack, reference: Reference
) -> None:
    filler = PersonalFiller(model_of(reference, ALIGNED))
    # With a picture of another size, as those in a model's file are, there is nothing to remember at first.
    reference = replace(reference, images=(np.pad(reference.images[0], ((0, 1), (0, 0), (0, 0))),))
    found = run(filler, wearer, talking_head_track, reference, [0, 3])
    warp = Deoccluder(make_filler("warp", reference), reference)
    frames, masks = wearer
    faces = [talking_head_track[t].covered_by(masks[t]) for t in range(3)]
    expected = warp.process(list(frames[:3]), list(masks[:3]), faces)
    assert np.abs(np.stack(found).astype(int) - np.stack(expected)).max() <= 2


def test_one_without_landmarks_of_its_own_is_evi_hrnet_with_its_pictures(
    wearer: tuple[np.ndarray, np.ndarray], talking_head_track: FaceTrack, reference: Reference
) -> None:
    model = PersonalModel(load(resolve(EVI_WEIGHTS)), reference, None, {})
    expected = run("evi-hrnet", wearer, talking_head_track, reference, [0, 2])
    found = run(PersonalFiller(model), wearer, talking_head_track, reference, [0, 2])
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_face_is_found_by_the_persons_own_landmarker(
    wearer: tuple[np.ndarray, np.ndarray], reference: Reference
) -> None:
    frames, masks = wearer[0][:2], wearer[1][:2]
    net = covered_landmarks.load()
    with torch.no_grad():
        net.pose_head.bias[7] += 0.05  # who places everything by so much of the crop to the right
    own = replace(reference, landmarker=net)
    assert reference.with_more(own).landmarker is net and own.with_more(reference).landmarker is net
    usual, moved = (track_clip(frames, frames.shape[1:3], masks=masks, reference=r) for r in (None, own))
    assert (moved.points[..., 0] - usual.points[..., 0]).mean() > 1


@pytest.mark.parametrize("config", [ALIGNED, DRAWS])
def test_a_clip_in_windows_equals_the_clip_at_once(
    config: Config, wearer: tuple[np.ndarray, np.ndarray], talking_head_track: FaceTrack, reference: Reference
) -> None:
    model = model_of(reference, config, still=False)
    whole = run(PersonalFiller(model), wearer, talking_head_track, reference, [0, 3])
    parts = run(PersonalFiller(model), wearer, talking_head_track, reference, [0, 1, 3])
    assert np.abs(np.stack(whole).astype(int) - np.stack(parts)).max() <= 1
    frames, masks = wearer
    assert any(not np.array_equal(a, b) for a, b in zip(whole, frames, strict=False))
    for result, frame, mask in zip(whole, frames, masks, strict=False):
        away = torch.nn.functional.max_pool2d(torch.from_numpy(mask).float()[None, None], 31, 1, 15)[0, 0] == 0
        assert np.array_equal(result[away.numpy()], frame[away.numpy()])


def test_the_models_own_pictures_serve_beside_those_of_a_reference(
    wearer: tuple[np.ndarray, np.ndarray], talking_head: np.ndarray, talking_head_track: FaceTrack, reference: Reference
) -> None:
    """The given picture is of somebody else: the model's own fit better and are shown, whether one is given or not."""
    frames, masks = (torch.from_numpy(x[:3]).float() for x in wearer)
    track = FaceTrack.stack([talking_head_track[t] for t in range(3)], talking_head_track.size)
    other = reference_from_frames([data.astronaut()], still=True)[0]
    filler = PersonalFiller(model_of(reference, ALIGNED))
    assert pictures_for(filler, None) is reference and len(pictures_for(filler, other)) == 2
    alone, beside = (deocclude_clip(frames / 255, masks, track, r, method=filler) for r in (None, other))
    stranger = deocclude_clip(frames / 255, masks, track, other, method=make_filler("warp", other))
    hole = masks > 0
    assert (alone - beside)[hole].abs().mean() < 0.1 * (alone - stranger)[hole].abs().mean()


@pytest.mark.parametrize("config", [ALIGNED, DRAWS], ids=["aligned", "paper, which has no state"])
def test_whose_face_it_is_is_asked_once_in_a_clip(
    config: Config,
    wearer: tuple[np.ndarray, np.ndarray],
    talking_head_track: FaceTrack,
    reference: Reference,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What comes in mid-clip, another view or somebody else after a cut, must not throw away all that was done."""
    frames, masks = wearer
    filler, asked = PersonalFiller(model_of(reference, config)), []
    monkeypatch.setattr(filler, "_refuse_others", lambda window, filling: asked.append(len(window.frames)))
    engine = Deoccluder(filler, reference)
    for start, scene in ((0, 0), (2, 0), (4, 1)):
        part = slice(start, start + 2)
        faces = [replace(talking_head_track[t].covered_by(masks[t]), scene=scene) for t in range(start, start + 2)]
        engine.process(list(frames[part]), list(masks[part]), faces)
    assert asked == [2]


def test_files_that_are_no_personal_model_are_refused(tmp_path: Path, reference: Reference) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_personal(tmp_path / "none.safetensors")
    generic = tmp_path / "generic.safetensors"
    save_file(AlignedGenerator().state_dict(), generic, metadata=ALIGNED.metadata())
    with pytest.raises(InputError, match="nobody's yet"):
        read_personal(generic)
    save_file({"x": torch.zeros(1)}, generic)
    with pytest.raises(InputError, match="Expected a personal model"):
        read_personal(generic)
    with pytest.raises(InputError, match="needs the model of a person"):
        make_filler("personal", reference)


@pytest.mark.slow
def test_the_command_needs_no_other_reference(tmp_path: Path, carphone: Path, reference: Reference) -> None:
    write_personal(tmp_path / "me.safetensors", model_of(reference, ALIGNED))
    arguments = ["deocclude", str(carphone), "--mask", "simulate", "--method", "personal"]
    arguments += ["--out", str(tmp_path / "out.mp4")]
    assert main([*arguments, "--personal", str(tmp_path / "me.safetensors"), "--landmarks", "oracle"]) == 0
    assert (tmp_path / "out.mp4").stat().st_size > 10_000
    assert main(arguments) == 1


@pytest.mark.slow
def test_a_personal_model_is_measured_like_any_method_with_its_own_pictures(
    tmp_path: Path, carphone: Path, reference: Reference
) -> None:
    write_personal(tmp_path / "me.safetensors", model_of(reference, ALIGNED))
    cv2.imwrite(str(tmp_path / "me.png"), reference.images[0][..., ::-1])
    protocol = Protocol(
        ("evi-hrnet", "personal"), ("oracle",), limit=3, networks=False, personal=tmp_path / "me.safetensors"
    )
    first_second, personal = evaluate([carphone], protocol).mean
    same_pictures, _ = evaluate([carphone], replace(protocol, reference=tmp_path / "me.png")).mean
    assert personal["method"] == "personal"
    # Not quite the same: what lies further from the face is cut off in the file. Of three frames one weighs much.
    assert personal["hole_psnr"] == pytest.approx(same_pictures["hole_psnr"], abs=0.8)
    assert first_second["hole_psnr"] > same_pictures["hole_psnr"] + 1


@pytest.mark.slow
def test_each_clip_is_measured_with_the_model_that_is_given_for_it(
    tmp_path: Path, carphone: Path, reference: Reference
) -> None:
    for name, config in (("first", ALIGNED), ("second", DRAWS)):
        write_personal(tmp_path / f"{name}.safetensors", model_of(reference, config))
        shutil.copy(carphone, tmp_path / f"{name}.mp4")
    clips = [tmp_path / "first.mp4", tmp_path / "second.mp4"]
    models = {clip: clip.with_suffix(".safetensors") for clip in clips}
    protocol = Protocol(("personal",), ("oracle",), size=96, limit=2, networks=False, anyone=True)
    each = [evaluate([clip], replace(protocol, personal=models[clip])).mean[0]["hole_psnr"] for clip in clips]
    together = evaluate(clips, replace(protocol, personal=models)).clips
    assert [clip["results"][0]["hole_psnr"] for clip in together] == pytest.approx(each) and each[0] > each[1] + 0.2
    with pytest.raises(InputError, match=r"needs the model of a person.*none for [^ ]*second.mp4\."):
        evaluate(clips, replace(protocol, personal={clips[0]: models[clips[0]]}))


def test_somebody_else_is_refused_unless_anyone_will_do(
    wearer: tuple[np.ndarray, np.ndarray], talking_head: np.ndarray, talking_head_track: FaceTrack, reference: Reference
) -> None:
    network = FaceEmbedding.pretrained()
    frame = torch.from_numpy(talking_head[:1]).permute(0, 3, 1, 2).float() / 255
    him = network.embed(frame, torch.from_numpy(talking_head_track.points[:1]))[0].numpy()
    photo = data.astronaut()
    her = reference_from_frames([photo], still=True)[0]
    other = network.embed(torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255, torch.from_numpy(her.points))[
        0
    ].numpy()
    for model, allowed, refused in (
        (replace(model_of(reference, ALIGNED), identity=him), False, False),
        (replace(model_of(her, ALIGNED), identity=other), False, True),
        (replace(model_of(her, ALIGNED), identity=other), True, False),
        (replace(model_of(her, ALIGNED), identity=None), False, False),
    ):
        filler = PersonalFiller(model, anyone=allowed)
        with pytest.raises(InputError, match="not seem to be the person") if refused else nullcontext():
            run(filler, wearer, talking_head_track, model.reference, [0, 2])


def test_its_landmarks_are_used_where_the_headset_is_detected_too(
    wearer: tuple[np.ndarray, np.ndarray], reference: Reference
) -> None:
    frames = wearer[0][:3]
    net = covered_landmarks.load()
    with torch.no_grad():
        net.pose_head.bias[7] += 0.05
    usual, moved = (
        np.stack([one.face.points for one in DetectedHeadset().cover(iter(frames), Wearer(), known)])
        for known in (None, replace(reference, landmarker=net))
    )
    assert (moved[..., 0] - usual[..., 0]).mean() > 1
