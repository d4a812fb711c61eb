"""Training the aligned generator on the product's own path, in batches, on one device."""
