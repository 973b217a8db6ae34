"""Samples of learners: labelled sets and pools, kept as rows or as positions."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from torch.utils.data import ConcatDataset, Subset, TensorDataset

from ..exceptions import UnsavableError
from ..learners._labeled_set import LabeledSet, positions_in_dataset
from ..learners._pending import PendingExtras
from ..utils.indexing import Rows, n_rows, take_rows
from ..utils.inputs import is_dataset
from ..utils.row_keys import row_keys
from ._codec import Decoder, Encoder, Kinds, part_of
from ._objects import decode_object, encode_object

KINDS = Kinds()


class Pool:
    """The pool of a file that keeps no samples.

    Parameters
    ----------
    X : container of rows
    """

    def __init__(self, X: Any) -> None:
        self.X = X
        self.n = n_rows(X)
        digest = hashlib.blake2b(digest_size=32)
        self._keys: list[bytes] = []
        if not is_dataset(X):
            self._keys = list(row_keys(X))
        for key in self._keys:
            digest.update(key)
        # The items of a Dataset may be random, or cost much to read: only their number is told.
        self.digest = f"{self.n} rows, {digest.hexdigest() if self._keys else 'a Dataset'}"

    def positions(self, rows: Any) -> np.ndarray:
        """Where rows stand in the pool.

        Raises
        ------
        ValueError
            If some are not in it.
        """
        if is_dataset(self.X):
            own = is_dataset(rows)
            at = positions_in_dataset(rows, self.X) if own else np.full(n_rows(rows), -1)
        else:
            first: dict[bytes, int] = {}
            for i, key in enumerate(self._keys):
                first.setdefault(key, i)
            at = np.array([first.get(key, -1) for key in row_keys(rows)], dtype=np.intp)
        if (at < 0).any():
            raise ValueError(
                f"data='ids' keeps the positions of labelled samples in the pool, but "
                f"{int((at < 0).sum())} of {len(at)} are not in it. Pass the pool that they are "
                "all from, save(path, data='ids', pool=…), or data='labels'."
            )
        return at.astype(np.intp)


def _encode_labeled(value: LabeledSet, encoder: Encoder) -> dict:
    if encoder.data != "ids":
        return encode_object(value, encoder)
    if encoder.pool is None:
        raise ValueError(
            "data='ids' keeps the positions of labelled samples in a pool, but there is none: "
            "nothing was queried yet. Pass it, save(path, data='ids', pool=…)."
        )
    at = encoder.pool.positions(value.X)
    again = take_rows(encoder.pool.X, at)
    kept = {"type": type(value.X).__name__, "dtype": _dtype(value.X)}
    if kept != {"type": type(again).__name__, "dtype": _dtype(again)} and not is_dataset(value.X):
        raise ValueError(
            f"data='ids' takes the labelled samples from the pool again, which gives "
            f"{type(again).__name__} of {_dtype(again)}, but they are {kept['type']} of "
            f"{kept['dtype']}. Use data='labels', or a pool of their kind."
        )
    state = {name: part for name, part in vars(value).items() if name != "X"}
    return {**encode_object(value, encoder, state), "at": encoder.encode(at, "positions")}


def _dtype(X: Any) -> str:
    return str(getattr(X, "dtype", None))


def _decode_labeled(node: dict, decoder: Decoder) -> LabeledSet:
    labeled = decode_object(node, decoder)
    if "at" in node:
        object.__setattr__(labeled, "X", take_rows(decoder.pool.X, decoder.decode(node["at"])))
    return labeled


def _encode_pending(value: PendingExtras, encoder: Encoder) -> dict:
    if encoder.data == "all":
        return encode_object(value, encoder, dict(vars(value)))
    if encoder.data == "labels":
        return encode_object(value, encoder, value.__getstate__())
    state: dict[str, Any] = dict(vars(value))
    node: dict[str, Any] = {}
    own = encoder.pool.X if encoder.pool is not None else None
    if value.pool is not None and value.pool.X is own:
        node["pool"] = encoder.encode(value.pool.indices, "pool")
        state["pool"] = None
    if value.pseudo is not None and value.pseudo[0] is own:
        node["pseudo"] = encoder.encode(list(value.pseudo[1:]), "pseudo")
        state["pseudo"] = None
    elif value.pool is not None and "pool" not in node:
        state = value.__getstate__()
    return {**encode_object(value, encoder, state), **node}


def _decode_pending(node: dict, decoder: Decoder) -> PendingExtras:
    own: dict[str, Any] = {}
    if "pool" in node:
        own["pool"] = Rows(decoder.pool.X, decoder.decode(node["pool"]))
    if "pseudo" in node:
        own["pseudo"] = (decoder.pool.X, *decoder.decode(node["pseudo"]))
    pending = decode_object(node, decoder)
    for name, part in own.items():
        object.__setattr__(pending, name, part)
    return pending


KINDS.exact("labelled set", LabeledSet, _encode_labeled, _decode_labeled)
KINDS.exact("pending", PendingExtras, _encode_pending, _decode_pending)

# -- Datasets -----------------------------------------------------------------------------------


def _encode_tensors(value: TensorDataset, encoder: Encoder) -> dict:
    return {"tensors": [encoder.encode(t, str(i)) for i, t in enumerate(value.tensors)]}


def _encode_subset(value: Subset, encoder: Encoder) -> dict:
    """The items alone, not the whole of what they are from."""
    inner, at = value.dataset, np.asarray(value.indices, dtype=np.intp)
    if type(inner) is TensorDataset:
        part = TensorDataset(*(tensor[torch.as_tensor(at)] for tensor in inner.tensors))
        return {"part": encoder.encode(part, "part")}
    if type(inner) is Subset:
        chain = Subset(inner.dataset, np.asarray(inner.indices)[at].tolist())
        return _encode_subset(chain, encoder)
    if type(inner) is ConcatDataset:
        ends = np.cumsum([n_rows(part) for part in inner.datasets])
        of = np.searchsorted(ends, at, side="right")
        if (np.diff(of) < 0).any():
            _refuse(value, encoder)
        starts = np.concatenate([[0], ends[:-1]])
        parts = [
            Subset(part, (at[of == i] - starts[i]).tolist())
            for i, part in enumerate(inner.datasets)
            if (of == i).any()
        ]
        return {"part": encoder.encode(ConcatDataset(parts), "part")}
    _refuse(value, encoder)
    return {}


def _refuse(value: Any, encoder: Encoder) -> None:
    raise UnsavableError(
        f"{encoder.where} is a {type(value).__name__}, part of a Dataset whose items cannot be "
        "told from it. Save with data='ids' and the Dataset as the pool, or teach arrays."
    )


def _encode_concat(value: ConcatDataset, encoder: Encoder) -> dict:
    with part_of(encoder, "datasets"):
        return {"parts": [encoder.encode(part, str(i)) for i, part in enumerate(value.datasets)]}


KINDS.exact(
    "tensor dataset",
    TensorDataset,
    _encode_tensors,
    lambda node, decoder: TensorDataset(*decoder.decode(node["tensors"])),
)
KINDS.exact("subset", Subset, _encode_subset, lambda n, decoder: decoder.decode(n["part"]))
KINDS.exact(
    "joined datasets",
    ConcatDataset,
    _encode_concat,
    lambda node, decoder: ConcatDataset(decoder.decode(node["parts"])),
)
