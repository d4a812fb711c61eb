"""Networks in plain PyTorch; `weights/` beside them holds the files that come with the pack."""
