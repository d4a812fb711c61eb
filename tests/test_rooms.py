"""Who may import whom: the rooms of the package, from top to bottom."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NO_ROOMS = {"tests", "tools", "docs", "build", "out"}  # folders of the repository that are no part of the package

# A room imports from those below it. Rooms of one line are equals, which do not import each other, but for a demo,
# which drives a ComfyUI.
ORDER = (
    ("nodes", "cli"),
    ("lab",),
    ("telepresence", "comfyui", "demo"),
    ("personal",),
    ("learning",),
    ("restore",),
    ("headset",),
    ("driving",),
    ("tracking",),
    ("metrics",),
    ("models",),
    ("weights",),
    ("video",),
    ("batch",),
    ("files", "terminal"),
    ("errors",),
    ("",),  # the package itself, of which only the version is wanted
)
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}
COMFYUI = {"comfy", "comfy_api", "comfy_extras", "comfy_execution", "folder_paths", "nodes", "server", "execution"}
MOST_MODULES = 14  # of a room, beside the one with its command


@dataclass(frozen=True)
class Import:
    """of: dotted names of what may be meant, of which the first that exists is; within the package where it is inside.
    at_once: whether it happens when the module is imported."""

    of: tuple[str, ...]
    inside: bool
    at_once: bool
    line: int


def modules() -> dict[str, Path]:
    """The package's modules by dotted name within it; "" is the package itself."""
    files = [*ROOT.glob("*.py"), *(f for room in ROOT.iterdir() if _is_room(room) for f in room.rglob("*.py"))]
    return {_name(file): file for file in files}


def _is_room(folder: Path) -> bool:
    return folder.is_dir() and folder.name not in NO_ROOMS and (folder / "__init__.py").is_file()


def _name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(name: str, file: Path) -> Iterator[Import]:
    """What the module imports, wherever in it."""
    tree = ast.parse(file.read_text())
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    parts = package.split(".") if package else []
    late = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _for_types_alone(node)
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import((alias.name,), False, id(node) not in late, node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield Import((node.module,), False, id(node) not in late, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*parts[: len(parts) - node.level + 1], *(node.module or "").split(".")]).strip(".")
            for alias in node.names:
                yield Import((f"{base}.{alias.name}".strip("."), base), True, id(node) not in late, node.lineno)


def _for_types_alone(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


MODULES = modules()
EVERY = [(name, one) for name, file in MODULES.items() for one in imports_of(name, file)]


def _imported(one: Import) -> str:
    """The module that an import from inside means: the name may be one of its submodules, or something in it."""
    return next(name for name in one.of if name in MODULES)


def _room(module: str) -> str:
    return module.partition(".")[0]


def test_every_module_has_its_place_in_the_order() -> None:
    assert len(MODULES) > 100 and {_room(name) for name in MODULES} <= LEVEL.keys()


def test_a_room_imports_from_those_below_it() -> None:
    wrong = []
    for name, one in EVERY:
        if not one.inside:
            continue
        here, there = _room(name), _room(_imported(one))
        if here != there and LEVEL[there] <= LEVEL[here] and (here, there) != ("demo", "comfyui"):
            wrong.append(f"{MODULES[name].relative_to(ROOT)}:{one.line} imports {_imported(one)}")
    # The package's entry point is what ComfyUI calls for the nodes; and only on demand.
    assert wrong == [line for line in wrong if line.startswith("__init__.py:") and line.endswith("imports nodes")]


def test_the_laboratory_is_imported_by_itself_alone() -> None:
    assert {_room(name) for name, one in EVERY if one.inside and _room(_imported(one)) == "lab"} == {"lab"}


def test_imports_within_the_package_are_relative() -> None:
    assert not [f"{name}:{one.line}" for name, one in EVERY if one.of[0].startswith("hmd_removal")]


def test_only_nodes_import_comfyui() -> None:
    """And the package's entry point, which asks for its version before."""
    users = {_room(name) for name, one in EVERY if not one.inside and one.of[0].partition(".")[0] in COMFYUI}
    assert users <= {"nodes", ""}


def test_no_modules_import_each_other_in_a_circle() -> None:
    wanted: dict[str, set[str]] = {name: set() for name in MODULES}
    for name, one in EVERY:
        if one.inside and one.at_once:
            wanted[name] |= {_imported(one)} - {name}
    while free := {name for name, others in wanted.items() if not others & wanted.keys()}:
        wanted = {name: others for name, others in wanted.items() if name not in free}
    assert not wanted, f"in circles, or above one: {', '.join(sorted(wanted))}"


@pytest.mark.parametrize("room", sorted({_room(name) for name in MODULES if "." in name} - {"nodes", "lab"}))
def test_a_room_can_be_taken_in_at_a_glance(room: str) -> None:
    inside = [name for name in MODULES if _room(name) == room and name not in (room, f"{room}.command")]
    assert len(inside) <= MOST_MODULES, sorted(inside)


def test_so_can_the_laboratorys_own_rooms() -> None:
    counts = Counter(name.split(".")[1] for name in MODULES if name.startswith("lab.") and name.count(".") == 2)
    assert counts and max(counts.values()) <= MOST_MODULES
