"""A face as a GLB file, that is, binary glTF 2.0: its shapes as morph targets, the way of the head as a node's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from .. import __version__
from ..files import written_whole
from ..tracking.geometry import mesh_triangles
from ..tracking.reference import Reference
from ..tracking.track import FaceTrack
from .face_surface import Shapes, face_surface, morphs
from .face_texture import face_texture, pictures_of, seen_uncovered

JPEG = 92  # quality of the texture
UNLIT = "KHR_materials_unlit"  # the light of the footage is in the texture already


def write_still(
    path: Path,
    frames: Sequence[np.ndarray],
    numbers: Sequence[int],
    track: FaceTrack,
    reference: Reference | None = None,
    first: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Write the face of one frame, see `write_face`, and give what there is to say of it.

    frames, numbers, track: see `write_animated`. first: the number of the frame; None for the best. Raises InputError
    where it does not show the uncovered face, or none does.
    """
    place = None if first is None else numbers.index(first)
    pictures = pictures_of(frames, _part(track, numbers), reference, place)
    write_face(path, face_texture(pictures, progress), Shapes.of(pictures.points[:1]), np.zeros(1))
    return f"A face as it is in one frame, pictures in its texture: {len(pictures)}."


def write_animated(
    path: Path,
    frames: Sequence[np.ndarray],
    numbers: Sequence[int],
    track: FaceTrack,
    times: np.ndarray,
    reference: Reference | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Write the face of a whole clip, see `write_face`, and give what there is to say of it.

    frames: those of `numbers`, (H, W, 3) uint8 each, which make the texture. track: of all T frames; times: (T,)
    seconds. Raises InputError where the uncovered face is nowhere to be seen.
    """
    seen = seen_uncovered(track)
    pictures = pictures_of(frames, _part(track, numbers), reference)
    write_face(path, face_texture(pictures, progress), Shapes.of(track.points[seen]), times[seen] - times[seen[0]])
    return f"A face that moves in {len(seen)} of {len(track)} frames, pictures in its texture: {len(pictures)}."


def _part(track: FaceTrack, numbers: Sequence[int]) -> FaceTrack:
    return FaceTrack.stack([track[t] for t in numbers], track.size)


def write_face(path: Path, texture: np.ndarray, shapes: Shapes, times: np.ndarray) -> None:
    """Write a face; the file appears whole or not at all. Units are metres, y is up, and the face looks along +z.

    texture: (S, S, 3) uint8 in the layout of `face_surface`. shapes: of T frames; one alone looks ahead and does not
    move. times: (T,) seconds, from 0 on, rising.
    """
    import pygltflib as gltf

    surface, face, data = face_surface(), morphs(shapes), _Data()
    corner = gltf.ARRAY_BUFFER
    attributes = gltf.Attributes(
        POSITION=data.add(face.base[surface.points], corner),
        NORMAL=data.add(_normals(face.base)[surface.points], corner),
        TEXCOORD_0=data.add(surface.places, corner),
    )
    targets = [gltf.Attributes(POSITION=data.add(target[surface.points], corner)) for target in face.targets]
    primitive = gltf.Primitive(
        attributes=attributes,
        indices=data.add(surface.triangles.astype(np.uint16).ravel(), gltf.ELEMENT_ARRAY_BUFFER),
        material=0,
        targets=targets,
    )
    image = data.add_bytes(cv2.imencode(".jpg", texture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG])[1].tobytes())
    look = gltf.Material(
        name="face",
        pbrMetallicRoughness=gltf.PbrMetallicRoughness(
            baseColorTexture=gltf.TextureInfo(index=0), metallicFactor=0.0, roughnessFactor=1.0
        ),
        alphaCutoff=None,  # older releases of pygltflib write one, which an opaque material may not have
        extensions={UNLIT: {}},
    )
    file = gltf.GLTF2(
        asset=gltf.Asset(generator=f"HMD Removal {__version__}"),
        scene=0,
        scenes=[gltf.Scene(nodes=[0])],
        nodes=[gltf.Node(name="face", mesh=0)],
        meshes=[gltf.Mesh(name="face", primitives=[primitive], weights=[0.0] * len(targets))],
        materials=[look],
        textures=[gltf.Texture(source=0, sampler=0)],
        samplers=[gltf.Sampler(wrapS=gltf.CLAMP_TO_EDGE, wrapT=gltf.CLAMP_TO_EDGE)],
        images=[gltf.Image(bufferView=image, mimeType="image/jpeg")],
        extensionsUsed=[UNLIT],
    )
    if len(times) > 1:
        ways = {"rotation": shapes.rotation, "translation": shapes.translation}
        if targets:
            ways["weights"] = face.weights.ravel()
        clock = data.add(times[:, None])
        file.animations = [
            gltf.Animation(
                name="clip",
                samplers=[gltf.AnimationSampler(input=clock, output=data.add(values)) for values in ways.values()],
                channels=[
                    gltf.AnimationChannel(sampler=number, target=gltf.AnimationChannelTarget(node=0, path=name))
                    for number, name in enumerate(ways)
                ],
            )
        ]
    file.accessors, file.bufferViews = data.accessors, data.views
    file.buffers = [gltf.Buffer(byteLength=len(data.content))]
    file.set_binary_blob(bytes(data.content))
    with written_whole(path) as unfinished:
        unfinished.write_bytes(b"".join(file.save_to_bytes()))


def _normals(points: np.ndarray) -> np.ndarray:
    """(468, 3) outwards, of length 1: means of the triangles around each point, by their area."""
    a, b, c = (points[corner] for corner in mesh_triangles().T)
    sums = np.zeros_like(points)
    for corner in mesh_triangles().T:
        np.add.at(sums, corner, np.cross(b - a, c - a))
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)


@dataclass
class _Data:
    """The numbers of a file, and where each array lies among them."""

    content: bytearray = field(default_factory=bytearray)
    views: list = field(default_factory=list)
    accessors: list = field(default_factory=list)

    def add_bytes(self, content: bytes, target: int | None = None) -> int:
        """The number of the view of what was added."""
        import pygltflib as gltf

        self.views.append(
            gltf.BufferView(buffer=0, byteOffset=len(self.content), byteLength=len(content), target=target)
        )
        self.content += content + b"\0" * (-len(content) % 4)  # everything begins at a multiple of four bytes
        return len(self.views) - 1

    def add(self, values: np.ndarray, target: int | None = None) -> int:
        """The number of the accessor of an array: (N,) or (N, 1 to 4) float32, or (N,) uint16."""
        import pygltflib as gltf

        whole = values.dtype == np.uint16
        values = values if whole else values.astype(np.float32)
        rows = values.reshape(len(values), -1)
        self.accessors.append(
            gltf.Accessor(
                bufferView=self.add_bytes(values.tobytes(), target),
                componentType=gltf.UNSIGNED_SHORT if whole else gltf.FLOAT,
                count=len(rows),
                type=gltf.SCALAR if rows.shape[1] == 1 else f"VEC{rows.shape[1]}",
                min=rows.min(0).tolist(),
                max=rows.max(0).tolist(),
            )
        )
        return len(self.accessors) - 1
