"""Kernels: plain functions on arrays or tensors, each with a slow twin in the tests."""
