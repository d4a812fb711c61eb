"""Identity: the alignment by hand, and real faces told apart."""

import numpy as np
import pytest
import torch
from skimage import data

from hmd_removal.errors import InputError
from hmd_removal.models.face_embedding import MESH_POINTS, FaceEmbedding, align_faces
from hmd_removal.weights import WeightsMissing, resolve

# Where dlib's five points lie in a 150-pixel chip with a padding of 0.25: (0.25 + template) / 1.5 * 150.
CHIP_POINTS = [[110.957, 46.350], [89.606, 47.897], [37.058, 46.373], [58.409, 47.906], [74.011, 87.780]]


def mesh(points: np.ndarray) -> torch.Tensor:
    """A mesh (1, 478, 2) with the five points that alignment uses, and nothing else."""
    full = torch.full((1, 478, 2), torch.nan)
    full[0, list(MESH_POINTS)] = torch.as_tensor(points, dtype=torch.float32)
    return full


@pytest.fixture(scope="module")
def network() -> FaceEmbedding:
    try:
        return FaceEmbedding.pretrained()
    except WeightsMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def faces(carphone) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Frames (T, 3, H, W) and MediaPipe's points (T, 478, 3) of two people; the man turns his head."""
    try:
        model = resolve("face_landmarker")
    except WeightsMissing as missing:
        pytest.skip(str(missing))
    import av
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    with av.open(str(carphone)) as clip:
        frames = [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]
    pictures = {"woman": [data.astronaut()], "man": frames[::30]}
    options = vision.FaceLandmarkerOptions(base_options=BaseOptions(model_asset_path=str(model)))
    found = {}
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for name, images in pictures.items():
            height, width = images[0].shape[:2]
            points = []
            for image in images:
                image = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(image))
                landmarks = landmarker.detect(image).face_landmarks[0]
                points.append([[p.x * width, p.y * height, p.z * width] for p in landmarks])
            found[name] = torch.tensor(np.stack(images)).permute(0, 3, 1, 2) / 255, torch.tensor(points)
    return found


def test_a_face_already_in_place_is_not_moved():
    frames = torch.rand(1, 3, 150, 150, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(align_faces(frames, mesh(CHIP_POINTS)), frames, atol=1e-3, rtol=0)


def test_a_turned_shifted_face_is_cut_upright():
    frames = torch.rand(1, 3, 150, 150, generator=torch.Generator().manual_seed(0))
    x, y = np.array(CHIP_POINTS).T
    # A quarter turn clockwise about the picture's centre takes (x, y) to (149 - y, x).
    turned = torch.rot90(frames, -1, (2, 3))
    chip = align_faces(turned, mesh(np.stack([149 - y, x], 1)))
    torch.testing.assert_close(chip, frames, atol=1e-3, rtol=0)

    shifted = torch.zeros(1, 3, 400, 400)
    shifted[..., 200:350, 100:250] = frames
    chip = align_faces(shifted, mesh(np.array(CHIP_POINTS) + [100, 200]))
    torch.testing.assert_close(chip[..., 2:-2, 2:-2], frames[..., 2:-2, 2:-2], atol=1e-3, rtol=0)


def test_a_large_face_is_averaged_not_subsampled():
    # One-pixel stripes, four times finer than the chip's pixels, are grey there.
    stripes = (torch.arange(600) % 2).float().expand(1, 3, 600, 600)
    chip = align_faces(stripes, mesh(4 * np.array(CHIP_POINTS)))
    assert chip[..., 5:-5, 5:-5].sub(0.5).abs().max() < 0.05


def test_outside_the_frame_is_black():
    chip = align_faces(torch.ones(1, 3, 150, 150), mesh(np.array(CHIP_POINTS) + [75, 0]))
    assert chip[..., 76:].max() == 0
    assert chip[..., 1:-1, 1:74].min() == pytest.approx(1, abs=1e-3)


def test_embeddings_have_length_one(network, faces):
    embedding = network.embed(*faces["man"])
    assert embedding.shape == (4, 128)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(4))


def test_one_person_is_closer_than_two(network, faces):
    man, woman = (network.embed(*faces[name]) for name in ("man", "woman"))
    same = (man @ man.T)[~torch.eye(4, dtype=bool)]
    different = man @ woman.T
    assert same.min() > 0.92
    assert different.max() < 0.87


def test_descriptors_keep_dlibs_threshold(network, faces):
    """dlib: two faces are one person when their descriptors are less than 0.6 apart."""
    man, woman = (network(align_faces(*faces[name])) for name in ("man", "woman"))
    assert torch.cdist(man, man).max() < 0.6
    assert torch.cdist(man, woman).min() > 0.6


def test_the_descriptor_of_a_grey_chip_is_dlibs(network):
    """Values from dlib 20.0.1 with its own float weights; ours were stored in 8 bits."""
    descriptor = network(torch.full((1, 3, 150, 150), 128 / 255))[0]
    assert descriptor.norm().item() == pytest.approx(1.3428, abs=0.005)
    dlibs = [-0.0391, 0.1228, 0.0530, -0.0078, -0.0911, -0.0362]
    assert descriptor[:6].tolist() == pytest.approx(dlibs, abs=0.02)


def test_long_clips_are_embedded_in_parts_with_the_same_result(network, faces):
    frames, points = faces["man"]
    clip = network.embed(frames.repeat(5, 1, 1, 1), points.repeat(5, 1, 1))
    torch.testing.assert_close(clip, network.embed(frames, points).repeat(5, 1), atol=1e-4, rtol=0)


def test_points_must_belong_to_the_frames_and_be_numbers():
    frames = torch.zeros(2, 3, 64, 64)
    with pytest.raises(InputError, match=r"got \(1, 478, 2\) points for 2 frames"):
        FaceEmbedding().embed(frames, mesh(CHIP_POINTS))
    with pytest.raises(InputError, match="finite face points"):
        FaceEmbedding().embed(frames, torch.full((2, 478, 2), torch.nan))
