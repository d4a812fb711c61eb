"""Conversion of weights that public packages carry in other formats to safetensors.

Each converter takes the source's files and returns arrays, which are written in one way. The result is pinned
by its sha256 in the manifest, so a converter uses only copies and IEEE float64 arithmetic rounded once to
float32: the bytes must not depend on the machine or on the version of a library.
"""

import functools
import io
import json
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from safetensors.numpy import save

# Positions of AlexNet's five convolutions in torchvision's `features`.
ALEXNET_CONVOLUTIONS = (0, 3, 6, 8, 10)
# Positions of the first ten of VGG16's thirteen, up to conv4_3.
VGG16_CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21)
# Of the heads of MTCNN's networks, those that are used; and the side of the map that its dense layers read.
MTCNN_HEADS = {"1": "face", "2": "box"}
MTCNN_SIDE = 3


def convert(kind: str, files: Mapping[str, bytes]) -> bytes:
    """Convert a source's files (by member path) with the converter called `kind` in the manifest."""
    tensors = CONVERTERS[kind](files)
    return save({name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)})


def lpips_alex(files: Mapping[str, bytes]) -> dict[str, np.ndarray]:
    """LPIPS v0.1 AlexNet from a Flax checkpoint: a numpy pickle with kernels as (height, width, in, out).

    Returns float32 arrays as stored, under torchvision's names (`features.0.weight`) and as `heads.0.weight`.
    """
    (data,) = files.values()
    tree = load_arrays(data)
    tensors = {}
    for i, layer in enumerate(ALEXNET_CONVOLUTIONS):
        convolution = tree["AlexNet_0"][f"Conv_{i}"]
        tensors[f"features.{layer}.weight"] = convolution["kernel"].transpose(3, 2, 0, 1)
        tensors[f"features.{layer}.bias"] = convolution["bias"]
        head = tree[f"NetLinLayer_{i}"]["Conv_0"]["kernel"]
        tensors[f"heads.{i}.weight"] = head.transpose(3, 2, 0, 1)
    return tensors


def vgg16(files: Mapping[str, bytes]) -> dict[str, np.ndarray]:
    """VGG16 up to conv4_3 from a Flax checkpoint, float32 as stored, under torchvision's names."""
    (data,) = files.values()
    tree = load_arrays(data)["VGG16_0"]
    tensors = {}
    for i, layer in enumerate(VGG16_CONVOLUTIONS):
        tensors[f"features.{layer}.weight"] = tree[f"Conv_{i}"]["kernel"].transpose(3, 2, 0, 1)
        tensors[f"features.{layer}.bias"] = tree[f"Conv_{i}"]["bias"]
    return tensors


def face_expression(files: Mapping[str, bytes]) -> dict[str, np.ndarray]:
    """face-api's expression classifier from uint8 codes and a JSON list of their ranges, as float32.

    A separable convolution is a depthwise one, (height, width, channels, 1), and a pointwise one.
    """
    layout = next(data for path, data in files.items() if path.endswith(".json"))
    codes = next(data for path, data in files.items() if path.endswith(".bin"))
    tensors = {}
    for name, values in _dequantise(json.loads(layout)[0]["weights"], codes).items():
        layer, kind = name.rsplit("/", 1)
        key = layer.replace("/", ".")
        if kind == "depthwise_filter":
            tensors[f"{key}.depthwise.weight"] = values.transpose(2, 3, 0, 1)
        elif kind == "pointwise_filter":
            tensors[f"{key}.pointwise.weight"] = values.transpose(3, 2, 0, 1)
        elif kind == "filters":
            tensors[f"{key}.weight"] = values.transpose(3, 2, 0, 1)
        elif kind == "weights":
            tensors[f"{key}.weight"] = values.T
        else:
            separable = f"{key}.pointwise.weight" in tensors
            tensors[f"{key}.pointwise.bias" if separable else f"{key}.bias"] = values
    return {name: values.astype(np.float32) for name, values in tensors.items()}


def i3d(files: Mapping[str, bytes]) -> dict[str, np.ndarray]:
    """I3D from a Flax checkpoint, float32 as stored, layers under their published names.

    Its batch norms only shift; the scale that PyTorch's have beside is 1.
    """
    (data,) = files.values()
    tree = load_arrays(data)
    tensors = {}
    for path, unit in _units(tree["params"]):
        kernel = unit["Conv_0"]["kernel"].transpose(4, 3, 0, 1, 2)
        if "BatchNorm_0" not in unit:
            tensors |= {"logits.weight": kernel, "logits.bias": unit["Conv_0"]["bias"]}
            continue
        stats = functools.reduce(dict.__getitem__, path, tree["batch_stats"])["BatchNorm_0"]
        key = ".".join(("trunk", *path)).replace("/", ".")
        tensors[f"{key}.conv.weight"] = kernel
        tensors[f"{key}.norm.bias"] = unit["BatchNorm_0"]["bias"]
        tensors[f"{key}.norm.weight"] = np.ones_like(unit["BatchNorm_0"]["bias"])
        tensors[f"{key}.norm.running_mean"] = stats["mean"].ravel()
        tensors[f"{key}.norm.running_var"] = stats["var"].ravel()
    return tensors


def dlib_face_embedding(files: Mapping[str, bytes]) -> dict[str, np.ndarray]:
    """dlib's face recognition ResNet from face-api's weights: uint8 codes and a JSON list of their ranges.

    Every convolution is followed by a per-channel scale and shift, which are folded into it. Kept as float32
    although float16 would do (the codes have 8 bits): the file is made on the user's machine, so its 22 MB
    cost no download, and one rounding fewer stands between it and dlib.
    """
    layout = next(data for path, data in files.items() if path.endswith(".json"))
    codes = next(data for path, data in files.items() if path.endswith(".bin"))
    values = _dequantise(json.loads(layout)[0]["weights"], codes)
    tensors = {}
    for name in values:
        if not name.endswith("/conv/filters"):
            continue
        layer = name.removesuffix("/conv/filters")
        scale = values[f"{layer}/scale/weights"]
        weight = values[name].transpose(3, 2, 0, 1) * scale[:, None, None, None]
        bias = values[f"{layer}/conv/bias"] * scale + values[f"{layer}/scale/biases"]
        key = layer.replace("/", ".")
        tensors[f"{key}.weight"] = weight.astype(np.float32)
        tensors[f"{key}.bias"] = bias.astype(np.float32)
    tensors["fc.weight"] = values["fc"].T.astype(np.float32)
    return tensors


def mtcnn(files: Mapping[str, bytes]) -> dict[str, np.ndarray]:
    """MTCNN's three networks from PyTorch checkpoints, float32 as stored, under the names of `lab.networks.mtcnn`.

    What is flattened between convolutions and dense layer was numbered by column, row, channel; PyTorch's own order is
    channel, row, column. The third network's guess of eyes, nose and mouth is left out.
    """
    import torch

    tensors = {}
    for path, data in files.items():
        network = path.rpartition("/")[2].removesuffix(".pt")
        for name, values in torch.load(io.BytesIO(data), weights_only=True).items():
            layer, number, head, kind = re.fullmatch(r"([a-z]+)(\d)(?:_(\d))?\.(\w+)", name).groups()
            array = values.numpy()
            if head:
                if head in MTCNN_HEADS:
                    tensors[f"{network}.{MTCNN_HEADS[head]}.{kind}"] = array
                continue
            if layer == "dense" and kind == "weight":
                by_column = array.reshape(len(array), MTCNN_SIDE, MTCNN_SIDE, -1)
                array = by_column.transpose(0, 3, 2, 1).reshape(len(array), -1)
            tensors[f"{network}.layers.{int(number) - 1}.{int(layer == 'prelu')}.{kind}"] = array
    return tensors


CONVERTERS: dict[str, Callable[[Mapping[str, bytes]], dict[str, np.ndarray]]] = {
    "lpips_alex": lpips_alex,
    "dlib_face_embedding": dlib_face_embedding,
    "vgg16": vgg16,
    "face_expression": face_expression,
    "i3d": i3d,
    "mtcnn": mtcnn,
}


def _units(tree: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """The parts of a Flax tree that hold a convolution, each with the names that lead to it."""
    for name, branch in tree.items():
        if "Conv_0" in branch:
            yield (*path, name), branch
        else:
            yield from _units(branch, (*path, name))


def _dequantise(layout: list[dict[str, Any]], codes: bytes) -> dict[str, np.ndarray]:
    """float64 arrays by name. `codes` holds the arrays one after another, float32 where no range is given."""
    values, offset = {}, 0
    for entry in layout:
        count = int(np.prod(entry["shape"]))
        quantised = entry.get("quantization")
        stored = np.dtype(np.uint8) if quantised else np.dtype("<f4")
        array = np.frombuffer(codes, stored, count, offset).astype(np.float64)
        offset += count * stored.itemsize
        if quantised:
            array = array * quantised["scale"] + quantised["min"]
        values[entry["name"]] = array.reshape(entry["shape"])
    if offset != len(codes):
        raise ValueError(f"the layout describes {offset} bytes, the weights have {len(codes)}")
    return values


def load_arrays(data: bytes) -> Any:
    """Unpickle dicts, lists and numbers with numpy arrays among them, and nothing else.

    Raises:
        pickle.UnpicklingError: the pickle names anything but numpy's array constructors.
    """
    return _ArrayUnpickler(io.BytesIO(data)).load()


def _reconstruct(array_type: type, shape: tuple[int, ...], code: bytes) -> np.ndarray:
    """What pickled arrays call; numpy keeps its own under a name that moved between versions 1 and 2."""
    return np.ndarray.__new__(array_type, shape, code)


class _ArrayUnpickler(pickle.Unpickler):
    _ALLOWED = {
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} in a weight file: only numpy arrays are allowed")
        return self._ALLOWED[module, name]
