"""Networks in plain PyTorch, and the verified local files of their weights."""
