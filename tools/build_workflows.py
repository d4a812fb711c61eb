"""Lay out the example workflows and the blueprints, for ComfyUI's front end, from their twins in api/.

    python tools/build_workflows.py .comfyui

The twins say what is connected to what; LAYOUTS and BLUEPRINTS below say how it is shown; a running ComfyUI says what
the nodes look like. Run it after a change to any of the three.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from layout import Blueprint, Layout, build, build_blueprint

from hmd_removal.comfyui.client import ComfyClient
from hmd_removal.comfyui.server import PACK, ComfyServer

EXAMPLES = PACK / "example_workflows"
SUBGRAPHS = PACK / "subgraphs"

LAYOUTS = {
    "simulate_and_restore": Layout(
        note="""# Put a headset on, take it off again

Shows what the pack can do with any video of an **uncovered** face, and measures it.

1. Upload a clip in *A face without a headset* and run.
2. The first second serves as the reference. A headset is drawn on every frame; from there on, the face under it
is not looked at any more.
3. *How close is it?* compares the result with the original, and shows the numbers. The frames of the first second are
counted too.

A *quest* hides half the face and some of what is beside it. Choose *glasses*, which hide little more than the eyes, or
another *headset* in *Put a headset on*. To see how much of the error comes from not knowing what the hidden part of the
face does, set *landmarks* of *Take it off again* to *oracle*, and connect *The true face* to it.
""",
        columns=[
            {"Load": [1]},
            {"Reference": [2, 3]},
            {"Put a headset on": [4, 5], "Save the input": [9, 10]},
            {"Take it off": [6, 7], "Save the result": [11, 12]},
            {"Compare": [8]},
        ],
    ),
    "compare_methods": Layout(
        note="""# Four methods next to the truth

Draws a headset on a clip of an **uncovered** face and takes it off again in four ways. *Save: side by side* shows them
in one video:

| | | |
|---|---|---|
| the truth | with the headset | telea |
| static | warp | evi-hrnet |

1. Upload a clip in *A face without a headset* and run.
2. The first second serves as the reference. *telea* gets none: it is OpenCV's inpainting, and knows nothing of faces.
*static* pastes the reference as it is.
3. *How close is ...?* compares each with the truth, and shows the numbers. The frames of the first second are counted
too, which flatters all but *telea*.

All of them see the same headset and the same landmarks. Choose another *headset* in *Put a headset on*. For what true
landmarks would give, connect *The true face* to all four and set their *landmarks* to *oracle*.

Everything is held in memory, the side-by-side pictures too: take a clip of some seconds.
""",
        columns=[
            {"Load": [1]},
            {"Reference": [2, 3]},
            {"Put a headset on": [4, 5]},
            {"Take it off, in four ways": [6, 7, 8, 9, 10]},
            {"Side by side": [11, 12, 13, 14, 15]},
            {"Save": [16, 17]},
            {"Compare": [18, 19]},
            {"Compare too": [20, 21]},
        ],
    ),
    "remove_headset_with_mask": Layout(
        note="""# Remove a headset from footage

1. Upload the footage.
2. Upload its mask: a video of the same length that is white where the headset is. Any node that gives a MASK can take
its place: a segmentation node, *Draw HMD Mask*, or *Load Image (as Mask)* if the head keeps still.
3. Upload a photo of the same person without the headset: eyes open, facing the camera, in similar light.
4. Run.

All frames are held in memory. For more than a minute of video use *Video to video*.
""",
        columns=[{"Load": [1, 2]}, {"Reference": [4, 5]}, {"Remove": [3, 6, 7]}, {"Save": [8, 9]}],
    ),
    "remove_real_headset": Layout(
        note="""# Remove a headset, without a mask

1. Upload the footage; the headset may be on from its first frame to its last.
2. Upload a few seconds, or a minute, of the same person without the headset: eyes open, head turning a little, in
similar light.
3. Run, and look at the mask in *Find the headset*: it should cover the headset in every frame, and little else.

Where it does not, correct it there: *grow (cm)* widens it, *shift right (cm)* and *shift down (cm)* move it along with
the head, and a *headset* near to your device steadies it. Where the wrong head is found, or none, write a box around
the right one in the first frame into *head box* of *Find the face behind the headset*: x, y, width, height.

All frames are held in memory. For more than a minute of video use *Video to video*.
""",
        columns=[
            {"Load": [1, 2]},
            {"Reference": [3]},
            {"Find": [4, 5]},
            {"Remove": [6], "Save": [7, 8]},
        ],
    ),
    "train_personal_model": Layout(
        note="""# Train a model of one person

1. Upload a minute or two of the person **without** the headset: alone, in good light, talking, blinking, looking
slowly to both sides, up and down.
2. Run. It takes a minute or two.

It is written into ComfyUI's folder models/hmd_removal/personal, as me.safetensors, and serves for every later video of
that person: see *Use personal model*. When it has ended, *Train Personal* says how near this person's features are
found behind a headset on footage that was held back, and what is missing in the video. The pictures show such footage:
eyes and brows as they are in white, as they would be placed for anybody in red, as for this person in green.

*minutes* are for the *recipe* paper alone, which draws the face anew and needs hours with a GPU.
""",
        columns=[{"Load": [1]}, {"Train": [2]}, {"Look at it": [3, 4]}],
    ),
    "use_personal_model": Layout(
        note="""# Remove a headset from a person with a model

1. Train the model once, with *Train personal model*.
2. Upload footage of the same person with the headset on, and choose the model's file in
*Find the face behind the headset* and in *Fill the mask*.
3. Run.

The model brings its own pictures of the person. If light or hair have changed since, connect newer ones, from *Pick
Reference Frame*, to *reference*; both are used then.
""",
        columns=[{"Load": [1]}, {"Find": [2, 3]}, {"Remove": [4]}, {"Save": [5, 6]}],
    ),
    "animate_reference": Layout(
        note="""# Move a photo as somebody moves

What is seen of the driver becomes a few kilobytes a second: how the head is turned, what the face does, where the eyes
look. They move one photo. *Move the photo* says how many bytes they are.

1. Upload a clip of the driver, with a headset on or without one. In its first second the driver should look as the
photo does.
2. Upload a photo of the same person without the headset: head and shoulders, facing the camera, the mouth closed.
3. Run.

Behind a headset the eyes stay as in the photo. Connect *Load Tracking* to *tracking* for what the headset recorded of
them, or set *eyes* to *natural*. On the command line `hmd-removal animate` writes the motion to a file, or sends it
while the person talks.
""",
        columns=[{"Load": [1, 2]}, {"Follow": [3, 4]}, {"Move": [5]}, {"Save": [6, 7]}],
    ),
    "face_mesh": Layout(
        note="""# A 3-D face

Makes a textured face that moves as the one in the clip, for VR rooms and 3-D programs.

1. Upload a clip of an **uncovered** face and run. To make one of footage with a headset, restore it first, with
*Video to video*, and upload the result.
2. *Look at it from all sides* shows it: drag to turn it, and press play. The file lies in ComfyUI's output folder, as
3d/face_00001_.glb.

Its texture comes from several frames. What none of them shows, such as a side that is always turned away, is taken from
the other side. Connect *Pick Reference Frame* to *reference* for pictures that show more.

Turn *animated* off for one frame alone: the best one, or the one that *frame* says.
""",
        columns=[{"Load": [1]}, {"Find": [2]}, {"Make": [3]}, {"Look at it": [4]}],
    ),
    "video_to_video": Layout(
        note="""# Remove a headset from a long video

One node does it all, piece by piece: memory does not grow with the length. Frames, timestamps and sound are kept, and
*Save Video* stores the result without encoding it again.

1. Upload the video and a photo of the person without the headset. Files over 100 MB are copied into ComfyUI's input
folder instead.
2. Run. *Take the headset off* shows the result, and says in how many frames it found the face.

The headset is found by itself. To use a mask of your own, white on the headset, connect it to *mask*, or a video of
masks to *mask video*, and set *mask from* to *given mask*.
""",
        columns=[{"Load": [1]}, {"Reference": [2, 3]}, {"Remove": [4]}, {"Save": [5]}],
    ),
    "drive_eyes": Layout(
        note="""# Remove a headset, with eyes that live

Lids, gaze and brows move as a headset, a phone or a VR program recorded them while you filmed.

1. Upload the video and a photo of the person without the headset: eyes open, looking straight ahead.
2. Copy the recording into ComfyUI's input folder, reload the page, and choose it in *What the headset recorded*. It
shows lids and gaze over time, and says what the file holds. VRCFaceTracking is recorded with
`hmd-removal record-tracking`; Live Link Face, Vive, Pico, Varjo, Tobii, Quest, ARKit, MediaPipe and a plain CSV are
read as they are.
3. Run.

If the recording did not begin with the video, set *offset* to the second of the video at which it did. Or set *timing*
to *automatic*: timecodes tell it, or the mouth, where somebody speaks for five seconds or more. If the report of *Take
the headset off* says that the data seem to be mirrored, switch *mirror*.

Without a recording, leave *What the headset recorded* out and set *eyes* of *Take the headset off* to *natural*.
""",
        columns=[{"Load": [1, 6]}, {"Reference": [2, 3]}, {"Remove": [4]}, {"Save": [5]}],
    ),
}


BLUEPRINTS = {
    "3-D face": Blueprint(
        description=(
            "Makes a textured 3-D face that moves as the uncovered or restored one in a video, and saves it as GLB."
        ),
        inputs={
            "video": (1, "video"),
            "face (0 = largest)": (2, "face"),
            "animated": (3, "animated"),
            "file name": (3, "filename_prefix"),
        },
        outputs={"model file": (3, 0), "report": (3, 1)},
        columns=[[1], [2], [3]],
    ),
    "Remove headset": Blueprint(
        description=(
            "Takes the headset off a video of any length, in one node: the video, and a photo or some frames of the "
            "same person without the headset. The headset is found by itself."
        ),
        inputs={
            "video": (2, "video"),
            "photo": (1, "image"),
            "kind": (1, "kind"),
            "head box (x, y, width, height)": (2, "face_box"),
            "quality": (2, "quality"),
        },
        outputs={"video": (2, 0), "report": (2, 1)},
        columns=[[1], [2]],
    ),
    "Remove headset with my model": Blueprint(
        description=(
            "Takes the headset off a video of any length by the model of its wearer, which Train Personal makes once."
        ),
        inputs={
            "video": (1, "video"),
            "my model": (1, "personal_model"),
            "head box (x, y, width, height)": (1, "face_box"),
            "quality": (1, "quality"),
        },
        outputs={"video": (1, 0), "report": (1, 1)},
        columns=[[1]],
    ),
    "Animate a picture": Blueprint(
        description=(
            "Moves a photo of a person, head and shoulders, as they move in a video, with a headset or without. In the "
            "first second they should look as in the photo."
        ),
        inputs={
            "video": (1, "video"),
            "photo": (2, "image"),
            "eyes": (4, "eyes"),
            "head box (x, y, width, height)": (3, "face_box"),
        },
        outputs={"video": (5, 0), "report": (4, 1)},
        columns=[[1], [2, 3], [4], [5]],
    ),
    "Simulate and measure": Blueprint(
        description=(
            "Draws a headset on a video of an uncovered face, takes it off again, and says how near the result is to "
            "the original. The first second serves as the reference."
        ),
        inputs={"video": (1, "video"), "headset": (5, "preset"), "LPIPS and identity": (8, "networks")},
        outputs={
            "with headset": (9, 0),
            "without it again": (10, 0),
            "table": (8, 0),
            "plot": (8, 2),
            "PSNR of the hole": (8, 4),
        },
        columns=[[1], [2, 3], [4, 5], [6, 7], [8], [9, 10]],
        shown=[8],
    ),
}


def main(comfyui: Path) -> None:
    with tempfile.TemporaryDirectory() as base, ComfyServer(comfyui, base) as server:
        schemas = asyncio.run(_object_info(server.url))
    for name, layout in LAYOUTS.items():
        write(EXAMPLES, title(name), build(twin(EXAMPLES, name), layout, schemas))
    for name, blueprint in BLUEPRINTS.items():
        write(SUBGRAPHS, name, build_blueprint(name, twin(SUBGRAPHS, name), blueprint, schemas))


def title(name: str) -> str:
    """The template browser shows the name of an example's file as its title, and has no other."""
    return name.replace("_", " ").capitalize()


def twin(folder: Path, name: str) -> dict[str, Any]:
    return json.loads((folder / "api" / f"{name}.json").read_text())


def write(folder: Path, name: str, graph: dict[str, Any]) -> None:
    (folder / f"{name}.json").write_text(json.dumps(graph, indent=2) + "\n")


async def _object_info(url: str) -> dict[str, Any]:
    async with ComfyClient(url) as client:
        return await client.object_info()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
