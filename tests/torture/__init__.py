"""Damage on purpose: bytes, interrupts, kills, threads; see ``python -m tests.torture``."""
