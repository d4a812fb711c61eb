"""HMD Removal: gives back the face under a VR headset, in ComfyUI and as the Python package `hmd_removal`.

This folder is at once the ComfyUI custom node folder and the package. Nothing is imported until ComfyUI asks
for the nodes, so that the command line and the tests run without ComfyUI.
"""

import re

__version__ = "0.1.0"

WEB_DIRECTORY = "./web"

MINIMUM_COMFYUI = (0, 3, 75)


async def comfy_entrypoint():
    """Return the extension with this pack's nodes.

    Raises:
        RuntimeError: ComfyUI is older than `MINIMUM_COMFYUI`.
    """
    _require_comfyui()
    try:
        from .nodes import HMDRemovalExtension

        extension = HMDRemovalExtension()
        for node in await extension.get_node_list():
            node.GET_SCHEMA()
    except Exception:
        # ComfyUI reports a failed entry point in one line without a traceback.
        import logging

        logging.getLogger(__name__).exception("HMD Removal could not load its nodes.")
        raise
    return extension


def _require_comfyui() -> None:
    needed = f"HMD Removal needs ComfyUI {'.'.join(map(str, MINIMUM_COMFYUI))} or newer"
    try:
        import comfy_api.latest  # noqa: F401
        from comfyui_version import __version__ as found
    except ImportError as error:
        raise RuntimeError(f"{needed} ({error}); please update ComfyUI.") from error
    if tuple(map(int, re.findall(r"\d+", found)[:3])) < MINIMUM_COMFYUI:
        raise RuntimeError(f"{needed}, this is {found}; please update ComfyUI.")
