"""Damage on purpose: flipped bytes, interrupts, kills and threads. See ``python -m tests.torture``."""
