"""Networks that the product does not run: compared systems, critics, and those that measure."""
