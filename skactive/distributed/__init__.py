"""Pools beyond one machine: of Dask, Ray, Arrow, Hugging Face and xarray, read in partitions."""

from ._pool import Part, PartitionedPool
from ._recognise import in_memory, is_partitioned, partitioned

__all__ = ["Part", "PartitionedPool", "in_memory", "is_partitioned", "partitioned"]
