"""What goes into the hole: the engine, its scene and memory, and the methods, one module each. Runs without ComfyUI."""
