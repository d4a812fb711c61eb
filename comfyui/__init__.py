"""Driving a real ComfyUI from outside: fetch one, run it headless, talk to it over HTTP and its websocket.

Nothing here imports ComfyUI; it runs in a process of its own.
"""
