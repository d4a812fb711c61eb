"""The verified local files of the networks: the manifest's rows, where they are looked for, the Hub."""

from .resolver import BUNDLED, WeightsMissing, fetch, find_offline, load_state, register_folder, resolve

__all__ = ["BUNDLED", "WeightsMissing", "fetch", "find_offline", "load_state", "register_folder", "resolve"]
