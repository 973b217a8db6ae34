"""Faster layers for a CPU, each here because a row of the benchmarks needs it."""
