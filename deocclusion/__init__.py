"""The engine: window by window, detect, mask, fill, composite. Runs without ComfyUI."""
