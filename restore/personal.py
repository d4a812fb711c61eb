"""The method "personal": a network of one person, and their pictures."""

import logging
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from ..files import written_whole
from ..models import covered_landmarks
from ..models.aligned_generator import AlignedGenerator, load
from ..models.device import Precision, check_precision, mixed_precision
from ..models.face_embedding import FaceEmbedding
from ..models.personal_deocclusion import SIDE, VARIANT, PersonalConfig, PersonalDeocclusion
from ..tracking.reference import Reference, make_reference
from ..tracking.track import DevicePatch
from ..weights import WeightsMissing, resolve
from ..weights.header import read_weights
from ..weights.manifest import find_weight
from .evi import EVIFiller
from .filler import Filling, Window, fill_in_parts
from .grid import GRID
from .paste import shown_on_grid
from .registry import EVI_WEIGHTS

NETWORK, PICTURE, POINTS, IDENTITY = "network.", "reference.", "reference_points", "identity"
DEVICE, TO_DEVICE = "device.", "to_device."  # of a picture that shows a headset: DevicePatch, times 255, and its matrix
LANDMARKER, LANDMARKER_OF = "landmarker.", "landmarker_of"  # layers, and the sha256 of what they belong to
ALIGNED = "aligned"  # what the header calls the variant that is not the paper's
LANDMARKS = "covered_landmarks"  # the manifest's name
Network = AlignedGenerator | PersonalDeocclusion
AROUND = 1.0  # how much of a picture is kept on each side of the face, in sizes of the face


@dataclass(frozen=True)
class PersonalModel:
    """network: in evaluation mode; the aligned generator that is for everybody, or the paper's, which draws this person
    alone. reference: pictures of the enrolment, and with the former the person's own landmarker, None where learning
    brought nothing. identity: (128,) of length 1, the mean of the person's face descriptors (models.face_embedding),
    None where that network was not at hand. about: what the file says of itself: when and on what it was trained, and
    how good it is."""

    network: Network
    reference: Reference
    identity: np.ndarray | None
    about: dict[str, str]

    @property
    def draws(self) -> bool:
        """Whether it is of the variant "paper"."""
        return isinstance(self.network, PersonalDeocclusion)


def write_personal(path: Path, model: PersonalModel) -> None:
    """Write a safetensors file, its layers in half precision; it appears whole or not at all.

    Of the aligned generator nothing is written, as it comes with the pack; of the person's landmarker the layers that
    are theirs.
    """
    from safetensors.torch import save_file

    if model.draws:
        own, about = {NETWORK: model.network}, model.network.config.metadata()
    else:
        landmarker = model.reference.landmarker
        own = {} if landmarker is None else {LANDMARKER: landmarker.shaping()}
        about = {"variant": ALIGNED, LANDMARKER_OF: find_weight(LANDMARKS).sha256}
    tensors = {
        prefix + name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for prefix, layers in own.items()
        for name, value in layers.state_dict().items()
    }
    person = _around_faces(model.reference)
    tensors |= {f"{PICTURE}{i}": torch.from_numpy(picture) for i, picture in enumerate(person.images)}
    tensors[POINTS] = torch.from_numpy(person.points)
    for i, device in person.devices.items():
        tensors[f"{DEVICE}{i}"] = torch.from_numpy(np.round(255 * device.probability).astype(np.uint8))
        tensors[f"{TO_DEVICE}{i}"] = torch.from_numpy(device.matrix)
    if model.identity is not None:
        tensors[IDENTITY] = torch.from_numpy(np.asarray(model.identity, np.float32))
    with written_whole(path) as unfinished:
        save_file(tensors, unfinished, metadata={**model.about, **about})


def read_personal(path: Path) -> PersonalModel:
    """What `write_personal` wrote. Raises InputError when there is no such file, or it holds something else."""
    about, tensors = _opened(path)
    if about["variant"] == VARIANT:
        network = PersonalDeocclusion(PersonalConfig.from_metadata(about))
        network.load_state_dict(_starting_with(NETWORK, tensors))
    else:
        network = load(resolve(EVI_WEIGHTS))
    identity = tensors[IDENTITY].numpy() if IDENTITY in tensors else None
    return PersonalModel(in_use(network), _reference(path, about, tensors), identity, about)


def read_reference(path: Path) -> Reference:
    """The person of a model alone: their pictures and their landmarker. Raises InputError as `read_personal`."""
    return _reference(path, *_opened(path))


def _opened(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    about, tensors = read_weights(path, "a personal model")
    if about.get("variant") not in (ALIGNED, VARIANT):
        raise InputError(f"Expected a personal model in {path}, got something else.")
    if POINTS not in tensors:
        raise InputError(
            f"{path} holds a network that is nobody's yet, without pictures of a person; "
            "train one with hmd-removal train personal."
        )
    if about["variant"] == ALIGNED and _starting_with(NETWORK, tensors):
        raise InputError(f"The personal model {path} is of an earlier version: train it anew, which takes a minute.")
    return about, tensors


def _reference(path: Path, about: dict[str, str], tensors: dict[str, torch.Tensor]) -> Reference:
    points = tensors[POINTS].numpy()
    numbers = range(len(points))
    devices = [_device(tensors, i) for i in numbers]
    reference = make_reference([tensors[f"{PICTURE}{i}"].numpy() for i in numbers], points, devices)
    return replace(reference, landmarker=_landmarker(path, about, _starting_with(LANDMARKER, tensors)))


def _device(tensors: dict[str, torch.Tensor], number: int) -> DevicePatch | None:
    """Where the picture of that number shows a headset; None also in files of earlier versions, which say nothing."""
    if f"{DEVICE}{number}" not in tensors:
        return None
    return DevicePatch(tensors[f"{DEVICE}{number}"].float().numpy() / 255, tensors[f"{TO_DEVICE}{number}"].numpy())


def _starting_with(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value.float() for name, value in tensors.items() if name.startswith(prefix)}


def _landmarker(
    path: Path, about: dict[str, str], layers: dict[str, torch.Tensor]
) -> covered_landmarks.CoveredLandmarkNet | None:
    """The landmarker with a person's own layers, None where there are none, or they belong to another landmarker."""
    if not layers:
        return None
    if about[LANDMARKER_OF] != find_weight(LANDMARKS).sha256:
        log.warning("The landmarks in %s were learnt with an earlier landmarker and are not used: train it anew.", path)
        return None
    net = covered_landmarks.load()
    net.shaping().load_state_dict(layers)
    return net.requires_grad_(False)


def in_use(network: Network) -> Network:
    """The network ready to be asked and not to learn."""
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def _around_faces(reference: Reference) -> Reference:
    """The parts of the pictures that show the face and what is next to it: no more of a person's home than is needed
    goes into a file that may be passed on."""
    images, moved, devices = [], reference.points.astype(np.float32), []
    for number, (image, points) in enumerate(zip(reference.images, moved, strict=True)):
        low, high = points[:, :2].min(0), points[:, :2].max(0)
        reach = AROUND * float((high - low).max())
        left, top = np.floor(np.maximum(low - reach, 0)).astype(int)
        right, bottom = np.ceil(high + reach).astype(int)
        images.append(image[top:bottom, left:right])
        points[:, :2] -= (left, top)
        device = reference.devices.get(number)
        devices.append(device and device.moved([[1, 0, -left], [0, 1, -top]]))
    return make_reference(images, moved, devices)


log = logging.getLogger(__name__)

# Cosine of the descriptors of the restored face and of the person. With one person's pictures in another's frames: of
# 9 people at most 0.967, most below 0.93; of the same person 0.981 and more, but 0.966 with the head far down.
LIKENESS = 0.96
WINDOW = 4  # frames of the variant "paper" that share one pass; the result does not depend on it


class PersonalFiller:
    """Fills holes with a personal model, whose pictures of the person serve beside those of a reference.

    precision: "auto" is bfloat16 where the device calculates faster in it. anyone: whether the model may be used on
    somebody else. Raises InputError for an unknown precision.
    """

    name = "personal"

    def __init__(self, model: PersonalModel, precision: Precision = "auto", *, anyone: bool = False):
        self.model, self.own_reference, self._anyone = model, model.reference, anyone
        if model.draws:
            self._method = _DrawingFiller(model.network, precision)
        else:
            self._method = EVIFiller(model.network, precision)
        self.needs_alignment = self.needs_memory = not model.draws
        self.window = self._method.window

    @property
    def device(self) -> torch.device:
        return next(self.model.network.parameters()).device

    def fill(self, window: Window, state: Any) -> tuple[Filling, Any]:
        filling, state = self._method.fill(window, state)
        if window.begins and not self._anyone:
            self._refuse_others(window, filling)
        return filling, state

    def _refuse_others(self, window: Window, filling: Filling) -> None:
        """Raise InputError where what is in sight does not belong to the face that was filled in."""
        if self.model.identity is None or (network := _face_embedding()) is None:
            return
        frames, holes = window.at(SIDE)
        filled = shown_on_grid(replace(filling, recall=None), window.sources, window.bank, SIDE)
        restored = torch.lerp(frames, filled, (holes > 0).float()).cpu()
        with torch.inference_mode():
            faces = network.embed(restored, torch.from_numpy(window.points * (SIDE / GRID)).float())
        likeness = float((faces @ torch.from_numpy(self.model.identity)).median())
        if likeness < LIKENESS:
            little = ", or train it longer if it is theirs, as it draws somebody else" if self.model.draws else ""
            raise InputError(
                f"The face in the video does not seem to be the person whose model this is (likeness {likeness:.3f}, "
                f"at least {LIKENESS} of one person): choose that person's model{little}, or allow anyone."
            )


class _DrawingFiller:
    """The variant "paper", which draws each frame anew."""

    window = WINDOW

    def __init__(self, network: PersonalDeocclusion, precision: Precision):
        check_precision(precision)
        self._net, self._precision = network, precision

    def fill(self, window: Window, state: None) -> tuple[Filling, None]:
        return fill_in_parts(self._fill, window, state)

    def _fill(self, window: Window, state: None) -> tuple[Filling, None]:
        frames, holes = window.at(SIDE)
        device = next(self._net.parameters()).device
        with torch.inference_mode(), mixed_precision(device, self._precision):
            drawn = self._net(*(x.to(device) for x in (frames, (holes > 0).float())))
        return Filling(drawn.float().clamp(0, 1).to(frames.device)), None


@lru_cache(maxsize=1)
def _face_embedding() -> FaceEmbedding | None:
    try:
        return FaceEmbedding.pretrained()
    except WeightsMissing as missing:
        log.warning("Whose face it is was not looked at: %s", missing)
        return None
