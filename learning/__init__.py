"""What networks learn from and how, as far as the model of one person and those for everybody have it in common."""
