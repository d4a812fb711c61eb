"""Many clips in one run, on this machine or on many: which there are, who does them, and what became of them."""
