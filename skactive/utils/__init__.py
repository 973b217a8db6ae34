"""Helpers shared by every room: pools and their rows, random states, validation."""
