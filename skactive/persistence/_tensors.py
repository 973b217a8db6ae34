"""Tensors by name as one safetensors member, which other programs read too."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..nets._weights import unshared
from ..utils.optional import optional_import
from ._codec import Decoder, Encoder


def write_tensors(tensors: Mapping[str, Tensor], encoder: Encoder, folder: str) -> str | None:
    """Write tensors as a member; its name, or None if there are none."""
    if not tensors:
        return None
    encoder.packages.add("safetensors")
    save = optional_import("safetensors.torch", what="Saving a net", extra="files").save
    name = encoder.member(folder, ".safetensors")
    content = save(unshared(tensors))
    encoder.writer.write(name, content, len(content))
    return name


def read_tensors(name: str | None, decoder: Decoder) -> dict[str, Tensor]:
    """The tensors of a member."""
    if name is None:
        return {}
    load = optional_import("safetensors.torch", what="Loading a net", extra="files").load
    content = decoder.archive.read(name)
    with decoder.archive.explained():
        try:
            return load(content)
        except Exception as error:  # its own error class is private
            raise ValueError(f"{name} is no safetensors file: {error}") from error


def named_tensors(module: torch.nn.Module) -> dict[str, Tensor]:
    """All parameters and buffers, also those that a state dict leaves out."""
    return {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }
