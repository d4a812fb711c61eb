"""The repository root as a Python package and as ComfyUI sees it before it loads the nodes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hmd_removal

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = (ROOT / "pyproject.toml").read_text()
HEAVY = "{'torch', 'numpy', 'cv2', 'av', 'mediapipe', 'matplotlib', 'huggingface_hub'}"
MOST_PUBLISHED = 20e6  # bytes, unpacked

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


def test_wheel_lists_every_package_folder_but_the_laboratory():
    found = {file.parent.name for file in ROOT.glob("[a-z]*/__init__.py")} - {"tests", "build", "lab"}
    listed = re.findall(r'^    "hmd_removal\.([\w.]+)",$', PYPROJECT, flags=re.MULTILINE)
    assert listed == sorted(found)


# Else what is missing in another folder would be taken from the repository, of which an installation knows.
FORGET_THE_REPOSITORY = "import sys; sys.meta_path[:] = [f for f in sys.meta_path if 'Editable' not in repr(f)]\n"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack as the registry ships it: the repository's files but for those that .comfyignore names."""
    kept = _listed("--cached", "--others", "--exclude-standard") - _listed(
        "--cached", "--others", "--ignored", "--exclude-from=.comfyignore"
    )
    folder = tmp_path_factory.mktemp("published") / "hmd_removal"
    for name in kept:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def _listed(*which: str) -> set[str]:
    listed = subprocess.run(["git", "ls-files", "-z", *which], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("needs a clone of the repository")
    return set(filter(None, listed.stdout.split("\0")))


def test_the_registry_ships_what_a_user_of_comfyui_needs_and_no_more(published: Path):
    assert {path.name for path in published.iterdir() if path.is_dir()} == {
        *("batch", "comfyui", "driving", "example_workflows", "headset", "learning", "locales", "metrics", "models"),
        *("nodes", "personal", "restore", "subgraphs", "telepresence", "tracking", "video", "web", "weights"),
    }
    for name in ("__init__.py", "pyproject.toml", "requirements.txt", "LICENSE", "README.md", "web/docs"):
        assert (published / name).exists(), name
    size = sum(path.stat().st_size for path in published.rglob("*"))
    assert size < MOST_PUBLISHED, f"{size / 1e6:.1f} MB"


def test_what_the_registry_ships_runs_without_the_laboratory(published: Path):
    """The nodes themselves need ComfyUI; test_rooms says that they do not import the laboratory."""
    names = [path.relative_to(published.parent).with_suffix("") for path in published.rglob("*.py")]
    modules = [".".join(n.parts).removesuffix(".__init__") for n in names if "nodes" not in n.parts]
    assert len(modules) > 80
    script = FORGET_THE_REPOSITORY + (
        "import importlib\n"
        "for name in sys.argv[1:]:\n"
        "    file = importlib.import_module(name).__file__\n"
        f"    assert file.startswith({str(published)!r}), file\n"
        "print('all')"
    )
    result = python(script, *modules, path=published.parent)
    assert (result.stdout, result.returncode) == ("all\n", 0), result.stderr


def test_the_registrys_pictures_are_in_the_repository():
    """Named by their addresses there: the registry shows them, its archive does not have them."""
    addresses = re.findall(
        r'^(?:Icon|Banner) = "https://raw.githubusercontent.com/[\w-]+/[\w-]+/main/(.+)"$', PYPROJECT, re.M
    )
    assert len(addresses) == 2
    for address in addresses:
        assert (ROOT / address).is_file(), address


def test_the_command_of_what_the_registry_ships(published: Path):
    script = FORGET_THE_REPOSITORY + "from hmd_removal.cli import main; sys.exit(main(sys.argv[1:]))"
    shown = python(script, "deocclude", "--help", path=published.parent)
    assert shown.returncode == 0 and "--mask" in shown.stdout
    refused = python(script, "lab", "evaluate", "clip.mp4", path=published.parent)
    assert refused.returncode == 1 and refused.stderr.startswith(
        "hmd-removal: The command lab is only in the repository"
    )
    assert refused.stderr.count("\n") == 1


def test_the_command_imports_nothing_heavy_before_it_is_chosen():
    script = (
        "import sys\n"
        "from hmd_removal.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        f"print({HEAVY} & sys.modules.keys(), file=sys.stderr)"
    )
    assert python(script).stderr == "set()\n"


def test_requirements_are_lower_bounds():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    requirements = [line for line in lines if line and not line.startswith("#")]
    assert requirements
    assert all(re.fullmatch(r"[\w-]+>=[\d.]+", line) for line in requirements)


def test_entry_point_imports_nothing_heavy():
    script = LOAD_AS_COMFYUI_DOES + f"print({HEAVY} & sys.modules.keys())"
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
