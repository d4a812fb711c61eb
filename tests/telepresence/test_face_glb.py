"""The file: clean by the Khronos validator, and its vertices where the landmarks were."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hmd_removal.telepresence.face_glb import write_animated, write_still
from hmd_removal.telepresence.face_surface import face_surface
from hmd_removal.tracking.track import FaceTrack

NUMBERS = [0, 12, 24, 36, 47]
VALIDATOR = "gltf-validator@2.0.0-dev.3.10"
VALIDATE = """
const fs = require("fs")
require("gltf-validator").validateBytes(new Uint8Array(fs.readFileSync(process.argv[2])))
    .then(report => console.log(JSON.stringify(report)))
"""


@pytest.fixture(scope="module")
def animated(talking_head: np.ndarray, talking_head_track: FaceTrack, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("glb") / "animated.glb"
    times = np.arange(len(talking_head)) / 25
    write_animated(path, [talking_head[t] for t in NUMBERS], NUMBERS, talking_head_track, times)
    return path


@pytest.fixture(scope="module")
def still(talking_head: np.ndarray, talking_head_track: FaceTrack, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("glb") / "still.glb"
    write_still(path, [talking_head[t] for t in NUMBERS], NUMBERS, talking_head_track, first=NUMBERS[2])
    return path


class Glb:
    """What a viewer makes of a file."""

    def __init__(self, path: Path) -> None:
        import pygltflib

        self.file = pygltflib.GLTF2.load_binary(str(path))
        self.mesh = self.file.meshes[0].primitives[0]

    def array(self, accessor: int) -> np.ndarray:
        one = self.file.accessors[accessor]
        view = self.file.bufferViews[one.bufferView]
        width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}[one.type]
        kind = {5126: np.float32, 5123: np.uint16}[one.componentType]
        blob = self.file.binary_blob()
        return np.frombuffer(blob, kind, one.count * width, view.byteOffset).reshape(one.count, width)

    def channel(self, path: str) -> np.ndarray:
        (animation,) = self.file.animations
        (channel,) = [one for one in animation.channels if one.target.path == path]
        return self.array(animation.samplers[channel.sampler].output)

    def vertices(self, t: int) -> np.ndarray:
        """(V, 3) metres in keyframe t."""
        targets = [self.array(target["POSITION"]) for target in self.mesh.targets]
        weights = self.channel("weights").reshape(-1, len(targets))[t]
        points = self.array(self.mesh.attributes.POSITION) + np.tensordot(weights, targets, 1)
        axis, w = self.channel("rotation")[t, :3], self.channel("rotation")[t, 3]
        turned = points + 2 * np.cross(axis, np.cross(axis, points) + w * points)
        return turned + self.channel("translation")[t]


def test_landmarks_come_back_to_within_a_pixel(animated: Path, talking_head_track: FaceTrack):
    glb = Glb(animated)
    landmarks = face_surface().points
    for t in range(0, 48, 5):
        seen = glb.vertices(t)[:, :2] * (1, -1)
        wanted = talking_head_track.points[t, landmarks, :2].astype(np.float64)
        seen, wanted = seen - seen.mean(0), wanted - wanted.mean(0)
        pixels = (seen * wanted).sum() / (seen**2).sum()  # a metre, by how near the camera is
        assert np.linalg.norm(pixels * seen - wanted, axis=1).max() < 1


def test_the_animation_lasts_as_long_as_the_clip(animated: Path):
    glb = Glb(animated)
    (clock,) = {sampler.input for sampler in glb.file.animations[0].samplers}
    times = glb.array(clock)[:, 0]
    assert times[0] == 0 and times[-1] == pytest.approx(47 / 25)
    assert np.abs(glb.channel("translation").mean(0)).max() < 1e-6


def test_a_still_is_the_frame_asked_for_looking_ahead(still: Path, talking_head_track: FaceTrack):
    glb = Glb(still)
    assert not glb.file.animations and not glb.mesh.targets
    points = glb.array(glb.mesh.attributes.POSITION)
    gap, width = (np.linalg.norm(points[a] - points[b]) for a, b in ((13, 14), (78, 308)))
    face = talking_head_track.points[NUMBERS[2]]
    wanted, across = (np.linalg.norm(face[a] - face[b]) for a, b in ((13, 14), (78, 308)))
    assert gap / width == pytest.approx(wanted / across, abs=1e-3)
    normals = glb.array(glb.mesh.attributes.NORMAL)
    assert normals[1, 2] > 0.8 and np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)


def test_files_are_small(animated: Path, still: Path):
    assert still.stat().st_size < 150e3 and animated.stat().st_size < 250e3


@pytest.fixture(scope="module")
def validator(tmp_path_factory) -> Path:
    """A folder with the Khronos validator and a script that runs it."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm")
    folder = tmp_path_factory.mktemp("validator")
    subprocess.run([npm, "install", "--silent", "--prefix", str(folder), VALIDATOR], check=True)
    (folder / "validate.js").write_text(VALIDATE)
    return folder


@pytest.mark.parametrize("kind", ["animated", "still"])
def test_the_khronos_validator_has_nothing_to_say(kind: str, validator: Path, request: pytest.FixtureRequest):
    path = request.getfixturevalue(kind)
    result = subprocess.run(["node", "validate.js", path], cwd=validator, capture_output=True, text=True, check=True)
    report = json.loads(result.stdout)
    assert report["issues"]["messages"] == []
    assert report["info"]["hasTextures"] and report["info"]["animationCount"] == (kind == "animated")
