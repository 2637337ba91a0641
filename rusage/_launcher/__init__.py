"""The launcher: a small program that starts a child with a peak of its own (Linux only)."""
