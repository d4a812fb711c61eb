"""The repository root as a Python package and as ComfyUI sees it before it loads the nodes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import hmd_removal

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = (ROOT / "pyproject.toml").read_text()

LOAD_AS_COMFYUI_DOES = """
import asyncio, importlib.util, sys
name = "/somewhere/custom_nodes/hmd-removal"
spec = importlib.util.spec_from_file_location(name, sys.argv[1] + "/__init__.py")
pack = importlib.util.module_from_spec(spec)
sys.modules[name] = pack
spec.loader.exec_module(pack)
"""


def python(script: str, *arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a script in a fresh interpreter, away from the repository."""
    environment = {"PYTHONPATH": str(path)} if path else {}
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True)


def core_of_version(version: str, folder: Path) -> Path:
    """A folder that looks like the start of a ComfyUI of that version."""
    (folder / "comfy_api" / "latest").mkdir(parents=True)
    (folder / "comfy_api" / "latest" / "__init__.py").touch()
    (folder / "comfyui_version.py").write_text(f'__version__ = "{version}"\n')
    return folder


def test_version_is_the_same_for_pip_and_comfyui():
    assert f'\nversion = "{hmd_removal.__version__}"\n' in PYPROJECT


def test_wheel_lists_every_package_folder():
    found = {file.parent.name for file in ROOT.glob("[a-z]*/__init__.py")} - {"tests", "benchmarks", "build"}
    listed = re.findall(r'^    "hmd_removal\.(\w+)",$', PYPROJECT, flags=re.MULTILINE)
    assert listed == sorted(found)


def test_requirements_are_lower_bounds():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    requirements = [line for line in lines if line and not line.startswith("#")]
    assert requirements
    assert all(re.fullmatch(r"[\w-]+>=[\d.]+", line) for line in requirements)


def test_entry_point_imports_nothing_heavy():
    heavy = "{'torch', 'numpy', 'cv2', 'av', 'mediapipe', 'matplotlib', 'huggingface_hub'}"
    script = LOAD_AS_COMFYUI_DOES + f"print({heavy} & sys.modules.keys())"
    assert python(script, str(ROOT)).stdout == "set()\n"


def test_nodes_are_registered_in_one_way_only():
    """With NODE_CLASS_MAPPINGS there, ComfyUI would not call the entry point."""
    assert not hasattr(hmd_removal, "NODE_CLASS_MAPPINGS")


def test_too_old_comfyui_is_refused_in_one_sentence(tmp_path: Path):
    core = core_of_version("0.3.43", tmp_path)
    result = python(LOAD_AS_COMFYUI_DOES + "asyncio.run(pack.comfy_entrypoint())", str(ROOT), path=core)
    assert result.stderr.endswith(
        "RuntimeError: HMD Removal needs ComfyUI 0.3.75 or newer, this is 0.3.43; please update ComfyUI.\n"
    )


def test_missing_comfyui_is_refused_in_one_sentence():
    result = python(LOAD_AS_COMFYUI_DOES + "asyncio.run(pack.comfy_entrypoint())", str(ROOT))
    assert "RuntimeError: HMD Removal needs ComfyUI 0.3.75 or newer (No module named" in result.stderr


def test_load_error_is_logged_with_its_traceback(tmp_path: Path):
    """ComfyUI itself would print one line; this core has no folder_paths, so that the nodes cannot load."""
    core = core_of_version("0.3.75", tmp_path)
    script = LOAD_AS_COMFYUI_DOES + (
        "\ntry: asyncio.run(pack.comfy_entrypoint())\nexcept ModuleNotFoundError as error: print('raised', error.name)"
    )
    result = python(script, str(ROOT), path=core)
    assert result.stdout == "raised folder_paths\n"
    assert "HMD Removal could not load its nodes.\nTraceback" in result.stderr
    assert "import folder_paths" in result.stderr
