"""Arrays, tensors and sparse matrices: ``.npy`` members that hold no objects, read in one go."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from ..exceptions import UnsavableError
from ..utils.npy import read_array, write_array
from ._codec import Decoder, Encoder, Kinds

KINDS = Kinds()


def _write(array: np.ndarray, encoder: Encoder) -> str:
    """Write an array as a member; the member's name."""
    name = encoder.member("arrays", ".npy")
    write_array(encoder.writer, name, array)
    return name


# -- arrays -----------------------------------------------------------------------------------


def _encode_array(value: np.ndarray, encoder: Encoder) -> dict:
    array = np.asarray(value)
    node: dict[str, Any]
    if array.dtype.hasobject:
        if array.dtype.names is not None:
            _refuse(value, encoder)
        items = [encoder.encode(item, str(i)) for i, item in enumerate(array.ravel().tolist())]
        node = {"shape": list(array.shape), "objects": items}
        return {**node, "text": _encode_text(array, encoder)} if array.dtype.kind == "T" else node
    node = {"member": _write(array, encoder)}
    if np.lib.format.descr_to_dtype(np.lib.format.dtype_to_descr(array.dtype)) != array.dtype:
        _refuse(value, encoder)
    if not array.flags.writeable and array.base is None:
        node["writeable"] = False
    return node


def _encode_text(array: Any, encoder: Encoder) -> dict:
    """Of NumPy's texts of any length: whether others become text, and what is a missing one."""
    dtype = array.dtype
    missing = {"missing": encoder.encode(dtype.na_object)} if hasattr(dtype, "na_object") else {}
    return {"coerce": dtype.coerce, **missing}


def _text_type(node: dict, decoder: Decoder) -> Any:
    missing = {"na_object": decoder.decode(node["missing"])} if "missing" in node else {}
    kind: Any = np.dtypes
    return kind.StringDType(coerce=bool(node["coerce"]), **missing)


def _refuse(value: Any, encoder: Encoder) -> None:
    raise UnsavableError(f"{encoder.where} is an array of {value.dtype}, which cannot be saved.")


def _decode_array(node: dict, decoder: Decoder) -> np.ndarray:
    if "objects" in node:
        items = [decoder.decode(item) for item in node["objects"]]
        array = np.empty(len(items), dtype=object)
        for i, item in enumerate(items):  # an assignment of all at once would unpack lists
            array[i] = item
        if "text" in node:
            array = array.astype(_text_type(node["text"], decoder))
        return array.reshape([int(n) for n in node["shape"]])
    array = read_array(decoder.archive, node["member"])
    if node.get("writeable") is False:
        array.flags.writeable = False
    return array


def _encode_masked(value: np.ma.MaskedArray, encoder: Encoder) -> dict:
    return {
        "values": encoder.encode(np.asarray(value.data), "data"),
        "mask": encoder.encode(np.ma.getmaskarray(value), "mask"),
        "fill": encoder.encode(value.fill_value, "fill"),
        **({"hard": True} if value.hardmask else {}),
    }


def _decode_masked(node: dict, decoder: Decoder) -> np.ma.MaskedArray:
    values, mask = decoder.decode(node["values"]), decoder.decode(node["mask"])
    fill, hard = decoder.decode(node["fill"]), bool(node.get("hard"))
    return np.ma.MaskedArray(values, mask, fill_value=fill, hard_mask=hard)


KINDS.add(
    "masked",
    lambda value: value is np.ma.masked,
    lambda value, encoder: {},
    lambda node, decoder: np.ma.masked,
)
KINDS.add("masked array", np.ma.MaskedArray, _encode_masked, _decode_masked)
KINDS.add(
    "array",
    lambda value: type(value) in (np.ndarray, np.memmap),
    _encode_array,
    _decode_array,
)

# -- tensors ------------------------------------------------------------------------------------

# What NumPy has no type for is kept as the integers of its size.
_AS_INTEGERS = {torch.bfloat16: torch.int16}


def _encode_tensor(value: torch.Tensor, encoder: Encoder) -> dict:
    if value.layout != torch.strided or value.is_quantized:
        raise UnsavableError(
            f"{encoder.where} is a tensor of layout {value.layout}, which cannot be saved. Make it "
            "dense: .to_dense()."
        )
    plain = value.detach().cpu()
    plain = plain.resolve_conj().resolve_neg()
    if value.dtype in _AS_INTEGERS:
        plain = plain.view(_AS_INTEGERS[value.dtype])
    node: dict[str, Any] = {
        "dtype": str(value.dtype).partition(".")[2],
        "member": _write(plain.numpy(), encoder),
    }
    if value.device.type != "cpu":
        node["device"] = str(value.device)
    if isinstance(value, torch.nn.Parameter):
        node["parameter"] = True
    if value.requires_grad:
        node["trained"] = True
    return node


def _decode_tensor(node: dict, decoder: Decoder) -> torch.Tensor:
    array, dtype = read_array(decoder.archive, node["member"]), getattr(torch, node["dtype"])
    tensor = torch.from_numpy(array)
    if dtype in _AS_INTEGERS:
        tensor = tensor.view(dtype)
    if tensor.dtype != dtype:
        raise ValueError(f"{node['member']} is of {tensor.dtype}, not {dtype}")
    if "device" in node and (device := there(node["device"])) != "cpu":
        tensor = tensor.to(device)
    trained = bool(node.get("trained"))
    if node.get("parameter"):
        return torch.nn.Parameter(tensor, requires_grad=trained)
    return tensor.requires_grad_() if trained else tensor


def there(device: Any) -> Any:
    """The device itself, or the CPU if this machine does not have it."""
    kind = torch.device(device).type
    missing = (kind == "cuda" and not torch.cuda.is_available()) or (
        kind == "mps" and not torch.backends.mps.is_available()
    )
    return "cpu" if missing else device


KINDS.add(
    "tensor",
    lambda value: type(value) in (torch.Tensor, torch.nn.Parameter),
    _encode_tensor,
    _decode_tensor,
)

# -- sparse matrices ------------------------------------------------------------------------------

_PARTS = {
    "csr": ("data", "indices", "indptr"),
    "csc": ("data", "indices", "indptr"),
    "bsr": ("data", "indices", "indptr"),
    "dia": ("data", "offsets"),
}
_SPARSE = {
    f"{format}_{kind}": getattr(sp, f"{format}_{kind}")
    for format in ("csr", "csc", "bsr", "dia", "coo", "lil", "dok")
    for kind in ("matrix", "array")
}


def _encode_sparse(value: Any, encoder: Encoder) -> dict:
    kind = type(value).__name__
    if _SPARSE.get(kind) is not type(value):
        raise UnsavableError(f"{encoder.where} is a {kind}, no sparse matrix of SciPy's own.")
    node: dict[str, Any] = {"class": kind, "shape": [int(n) for n in value.shape]}
    names = _PARTS.get(value.format)
    if names is None:
        coo = value.tocoo()
        axes = ("row", "col") if coo.ndim == 2 else map(str, range(coo.ndim))
        parts = {"data": coo.data, **dict(zip(axes, coo.coords, strict=True))}
    else:
        parts = {name: getattr(value, name) for name in names}
    return {**node, "parts": {name: encoder.encode(part, name) for name, part in parts.items()}}


def _decode_sparse(node: dict, decoder: Decoder) -> Any:
    kind: Any = _SPARSE[node["class"]]
    shape = tuple(int(n) for n in node["shape"])
    parts = {name: decoder.decode(part) for name, part in node["parts"].items()}
    if node["class"].partition("_")[0] not in _PARTS:
        data, *coordinates = parts.values()
        coo = sp.coo_matrix if node["class"].endswith("matrix") else sp.coo_array
        made = coo((data, tuple(coordinates)), shape=shape)
        return made if type(made) is kind else kind(made)
    made = kind(tuple(parts.values()), shape=shape)
    if hasattr(made, "check_format"):
        made.check_format(full_check=True)  # indices out of range would be read as memory
    return made


KINDS.add("sparse", sp.issparse, _encode_sparse, _decode_sparse)
