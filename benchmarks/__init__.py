"""Benchmarks: every kernel against its peers. ``python -m benchmarks`` runs them all."""
