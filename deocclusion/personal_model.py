"""The file of a personal model: its network, the pictures of the person that it corrects, and who that is."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..errors import InputError
from ..faces.reference import Reference, make_reference
from ..files import written_whole
from ..models.personal_deocclusion import PersonalConfig, PersonalDeocclusion
from ..models.weights_file import read_weights

NETWORK, PICTURE, POINTS, IDENTITY = "network.", "reference.", "reference_points", "identity"
AROUND = 1.0  # how much of a picture is kept on each side of the face, in sizes of the face


@dataclass(frozen=True)
class PersonalModel:
    """network: in evaluation mode. reference: pictures of the enrolment. identity: (128,) of length 1, the mean of the
    person's face descriptors (models.face_embedding), None where that network was not at hand. about: what the file
    says of itself: when and on what it was trained, and how good it is."""

    network: PersonalDeocclusion
    reference: Reference
    identity: np.ndarray | None
    about: dict[str, str]


def write_personal(path: Path, model: PersonalModel) -> None:
    """Write a safetensors file, its network in half precision; it appears whole or not at all."""
    from safetensors.torch import save_file

    tensors = {
        NETWORK + name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in model.network.state_dict().items()
    }
    pictures, points = zip(
        *(_around_face(i, p) for i, p in zip(model.reference.images, model.reference.points, strict=True)), strict=True
    )
    tensors |= {f"{PICTURE}{i}": torch.from_numpy(picture) for i, picture in enumerate(pictures)}
    tensors[POINTS] = torch.from_numpy(np.stack(points))
    if model.identity is not None:
        tensors[IDENTITY] = torch.from_numpy(np.asarray(model.identity, np.float32))
    with written_whole(path) as unfinished:
        save_file(tensors, unfinished, metadata={**model.about, **model.network.config.metadata()})


def read_personal(path: Path) -> PersonalModel:
    """What `write_personal` wrote. Raises InputError when there is no such file, or it holds something else."""
    about, tensors = read_weights(path, "a personal model")
    network = PersonalDeocclusion(PersonalConfig.from_metadata(about))
    if POINTS not in tensors:
        raise InputError(
            f"{path} holds a network that is nobody's yet, without pictures of a person; "
            "train one with hmd-removal train personal."
        )
    network.load_state_dict({n[len(NETWORK) :]: t.float() for n, t in tensors.items() if n.startswith(NETWORK)})
    points = tensors[POINTS].numpy()
    reference = make_reference([tensors[f"{PICTURE}{i}"].numpy() for i in range(len(points))], points)
    identity = tensors[IDENTITY].numpy() if IDENTITY in tensors else None
    return PersonalModel(in_use(network), reference, identity, about)


def in_use(network: PersonalDeocclusion) -> PersonalDeocclusion:
    """The network ready to be asked and not to learn."""
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def on_best_device(model: PersonalModel) -> PersonalModel:
    """The model with its network on the GPU, if there is one."""
    model.network.to("cuda" if torch.cuda.is_available() else "cpu")
    return model


def _around_face(picture: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of a picture that shows the face and what is next to it, and the landmarks in it: no more of a person's
    home than is needed goes into a file that may be passed on."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    reach = AROUND * float((high - low).max())
    left, top = np.floor(np.maximum(low - reach, 0)).astype(int)
    right, bottom = np.ceil(high + reach).astype(int)
    moved = points.astype(np.float32).copy()
    moved[:, :2] -= (left, top)
    return np.ascontiguousarray(picture[top:bottom, left:right]), moved
