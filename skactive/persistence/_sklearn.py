"""Fitted parts of scikit-learn: through skops, whose files hold no code but what is trusted."""

from __future__ import annotations

import functools
import io
import zipfile
from types import FunctionType
from typing import Any

from sklearn.base import BaseEstimator

from ..exceptions import UnsavableError
from ..utils.compat import has_learned
from ..utils.optional import optional_import
from ._codec import Decoder, Encoder, Kinds
from ._sklearn_types import check_trees, objects_inside, trusted_types

KINDS = Kinds()

# Whose objects and functions a fitted estimator may hold; of scikit-learn's compiled losses, some
# versions say that they are of "_loss".
_PACKAGES = ("sklearn", "numpy", "scipy", "builtins", "_loss")


def _is_pure(value: Any) -> bool:
    """Whether nothing but scikit-learn, arrays and plain values is inside."""
    return all(_package(each) in _PACKAGES for each in objects_inside(value))


def _package(value: Any) -> str:
    if isinstance(value, (FunctionType, type, functools.partial)):
        value = getattr(value, "func", value)
        return str(getattr(value, "__module__", "")).split(".")[0]
    return type(value).__module__.split(".")[0]


def _is_fitted_part(value: Any) -> bool:
    """Whether it is of scikit-learn, more than an estimator's parameters, and pure."""
    if isinstance(value, type) or type(value).__module__.split(".")[0] != "sklearn":
        return False
    if isinstance(value, BaseEstimator) and not has_learned(value):
        return False
    return _is_pure(value)


def _encode_part(value: Any, encoder: Encoder) -> dict:
    encoder.packages.add("skops")
    skops = optional_import(
        "skops.io", what="Saving a fitted estimator of scikit-learn", extra="files"
    )
    try:
        content = skops.dumps(value)
    except Exception as error:
        raise UnsavableError(
            f"{encoder.where}, a {type(value).__name__}, cannot be saved without code: skops says "
            f"{error!r}."
        ) from error
    unknown = sorted(set(skops.get_untrusted_types(data=content)) - trusted_types())
    for name in unknown:
        encoder.needs[name] = None
    name = encoder.member("sklearn", ".skops")
    encoder.writer.write(name, content, len(content))
    return {"class": type(value).__qualname__, "member": name, "needs": unknown}


def _decode_part(node: dict, decoder: Decoder) -> Any:
    what = "Loading a fitted estimator of scikit-learn"
    skops = optional_import("skops.io", what=what, extra="files")
    content = decoder.archive.read(node["member"])
    _check_inner(content, node["member"])
    with decoder.archive.explained():
        try:
            there = set(skops.get_untrusted_types(data=content))
            named = [name for name in node["needs"] if decoder.resolver.allows(name)]
            part = skops.loads(content, trusted=sorted(there & {*trusted_types(), *named}))
            check_trees(part)
            return part
        except ImportError:
            raise
        except Exception as error:  # whatever is malformed in it, skops' own errors included
            raise ValueError(f"{node['member']}: {error}") from error


def _check_inner(content: bytes, name: str) -> None:
    """A skops file is an archive, too: nothing in it may unpack to more than it holds."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            stored = info.compress_type == zipfile.ZIP_STORED
            if not stored or info.file_size > len(content):
                raise ValueError(f"{info.filename!r} in {name} is compressed, which none is")


KINDS.add("scikit-learn", _is_fitted_part, _encode_part, _decode_part)
