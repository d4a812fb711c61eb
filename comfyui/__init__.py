"""Driving real ComfyUIs from outside: fetch one, run it headless, talk to it, send many clips to many of them.

Nothing here imports ComfyUI; it runs in a process of its own.
"""
