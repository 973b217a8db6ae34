"""Data frames of pandas and polars, column by column, and images of PIL."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from ..exceptions import UnsavableError
from ._codec import Decoder, Encoder, Kinds
from ._times import decode_zone, encode_zone

KINDS = Kinds()


def _from(package: str, *kinds: str) -> Any:
    """Whether an object is of a class of an optional library, which is imported if it is."""

    def matches(value: Any) -> bool:
        kind = type(value)
        return kind.__name__ in kinds and kind.__module__.split(".")[0] == package

    return matches


# -- pandas -----------------------------------------------------------------------------------


def _encode_values(values: Any, encoder: Encoder) -> dict:
    """A column or an index: of numbers, dates, text, categories, or with missing values."""
    import pandas as pd

    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        return {"values": encoder.encode(values.to_numpy(), "values")}
    if isinstance(dtype, pd.CategoricalDtype):
        column = pd.Series(values)
        return {
            "codes": encoder.encode(column.cat.codes.to_numpy(), "codes"),
            "categories": _encode_index(dtype.categories, encoder),
            "ordered": bool(dtype.ordered),
        }
    if isinstance(dtype, pd.DatetimeTZDtype):
        column = pd.Series(values).dt.tz_convert("UTC").dt.tz_localize(None)
        zone = encode_zone(dtype.tz, encoder)
        return {"values": encoder.encode(column.to_numpy(), "values"), "zone": zone}
    if isinstance(dtype, pd.StringDtype) or str(dtype) in _MASKED:
        column = pd.Series(values)
        missing = column.isna().to_numpy()
        text = isinstance(dtype, pd.StringDtype)
        kind = np.dtype(object if text else str(dtype).lower().replace("boolean", "bool"))
        filled = column.to_numpy(dtype=object, copy=True)
        filled[missing] = "" if text else 0
        storage = getattr(dtype, "storage", None)
        nan = bool(getattr(dtype, "na_value", pd.NA) is not pd.NA)
        return {
            "values": encoder.encode(filled.astype(kind), "values"),
            "missing": encoder.encode(missing, "missing"),
            "dtype": str(dtype),
            **({"storage": storage, "nan": nan} if storage else {}),
        }
    raise UnsavableError(
        f"{encoder.where} is a column of {dtype}, which cannot be saved. Convert it to numbers, "
        "text, dates or categories."
    )


_MASKED = {
    "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64",
    "Float32", "Float64", "boolean",
}  # fmt: skip


def _decode_values(node: dict, decoder: Decoder) -> Any:
    import pandas as pd

    if "codes" in node:
        codes = decoder.decode(node["codes"])
        categories = _decode_index(node["categories"], decoder)
        return pd.Categorical.from_codes(codes, categories, ordered=bool(node["ordered"]))
    values = decoder.decode(node["values"])
    if "zone" in node:
        return pd.DatetimeIndex(values).tz_localize("UTC").tz_convert(_zone(node["zone"]))
    if "missing" not in node:
        return values
    missing = decoder.decode(node["missing"])
    if "storage" in node:
        nan = {"na_value": np.nan} if node["nan"] else {}
        dtype: Any = pd.StringDtype(node["storage"], **nan)
    else:
        dtype = node["dtype"]
        if dtype not in _MASKED:
            raise ValueError(f"{dtype!r} is no type of columns")
    column = pd.array(values, dtype=dtype)
    column[missing] = pd.NA
    return column


def _zone(node: Any) -> Any:
    """A zone; keys are read by pandas, some versions of which have zones of pytz for them."""
    return node if isinstance(node, str) else decode_zone(node)


def _encode_index(index: Any, encoder: Encoder) -> dict:
    import pandas as pd

    if isinstance(index, pd.MultiIndex):
        names = encoder.encode(list(index.names), "names")
        return {"tuples": encoder.encode(index.tolist(), "tuples"), "names": names}
    name = encoder.encode(index.name, "name")
    if type(index) is pd.RangeIndex:
        return {"range": [index.start, index.stop, index.step], "name": name}
    freq = getattr(index, "freqstr", None)
    return {**_encode_values(index, encoder), "name": name, **({"freq": freq} if freq else {})}


def _decode_index(node: dict, decoder: Decoder) -> Any:
    import pandas as pd

    if "tuples" in node:
        names = decoder.decode(node["names"])
        return pd.MultiIndex.from_tuples(decoder.decode(node["tuples"]), names=names)
    name = decoder.decode(node["name"])
    if "range" in node:
        return pd.RangeIndex(*node["range"], name=name)
    values = _decode_values(node, decoder)
    index = pd.Index(values, dtype=values.dtype, name=name)  # without it, text is no object
    if "freq" in node:
        index.freq = node["freq"]
    return index


def _encode_frame(frame: Any, encoder: Encoder) -> dict:
    node = {
        "index": _encode_index(frame.index, encoder),
        "columns": _encode_index(frame.columns, encoder),
    }
    dtypes = {str(dtype) for dtype in frame.dtypes}
    if len(dtypes) == 1 and isinstance(frame.dtypes.iloc[0], np.dtype) and "object" not in dtypes:
        return {**node, "block": encoder.encode(frame.to_numpy(), "block")}
    columns = [_encode_values(frame.iloc[:, i], encoder) for i in range(frame.shape[1])]
    return {**node, "of": columns}


def _decode_frame(node: dict, decoder: Decoder) -> Any:
    import pandas as pd

    index, columns = (_decode_index(node[name], decoder) for name in ("index", "columns"))
    if "block" in node:
        return pd.DataFrame(decoder.decode(node["block"]), index=index, columns=columns)
    parts = {i: _column(of, decoder, index) for i, of in enumerate(node["of"])}
    frame = pd.DataFrame(parts, index=index, copy=False)
    frame.columns = columns
    return frame


def _column(node: dict, decoder: Decoder, index: Any, name: Any = None) -> Any:
    """A column of the type it had: pandas would make text and dates of objects."""
    import pandas as pd

    values = _decode_values(node, decoder)
    return pd.Series(values, index=index, dtype=values.dtype, name=name, copy=False)


def _encode_series(series: Any, encoder: Encoder) -> dict:
    index, name = _encode_index(series.index, encoder), encoder.encode(series.name, "name")
    return {**_encode_values(series, encoder), "index": index, "name": name}


def _decode_series(node: dict, decoder: Decoder) -> Any:
    index, name = _decode_index(node["index"], decoder), decoder.decode(node["name"])
    return _column(node, decoder, index, name)


def _encode_pandas_scalar(value: Any, encoder: Encoder) -> dict:
    if type(value).__name__ == "Timestamp":
        node = {"class": "Timestamp", "unit": value.unit}
        if value.tzinfo is not None:
            node["zone"] = encode_zone(value.tzinfo, encoder)
            value = value.tz_convert("UTC").tz_localize(None)
        return {**node, "value": value.isoformat()}
    return {"class": type(value).__name__}


def _decode_pandas_scalar(node: dict, decoder: Decoder) -> Any:
    import pandas as pd

    if node["class"] == "Timestamp":
        stamp = pd.Timestamp(node["value"]).as_unit(node["unit"])
        if "zone" in node:
            stamp = stamp.tz_localize("UTC").tz_convert(_zone(node["zone"]))
        return stamp
    return {"NAType": pd.NA, "NaTType": pd.NaT}[node["class"]]


KINDS.add("pandas frame", _from("pandas", "DataFrame"), _encode_frame, _decode_frame)
KINDS.add("pandas series", _from("pandas", "Series"), _encode_series, _decode_series)
KINDS.add(
    "pandas index",
    lambda value: (
        any(kind.__name__ == "Index" for kind in type(value).__mro__)
        and type(value).__module__.split(".")[0] == "pandas"
    ),
    _encode_index,
    _decode_index,
)
KINDS.add(
    "pandas value",
    _from("pandas", "Timestamp", "NAType", "NaTType"),
    _encode_pandas_scalar,
    _decode_pandas_scalar,
)

# -- polars -------------------------------------------------------------------------------------


def _encode_polars(frame: Any, encoder: Encoder) -> dict:
    columns = []
    for name in frame.columns:
        column = frame[name]
        kind = str(column.dtype)
        missing = column.is_null().to_numpy()
        if kind in ("String", "Utf8"):
            values = np.array(column.fill_null("").to_list(), dtype=object)
        elif kind in _POLARS:
            values = (
                column.fill_null(strategy="zero").to_numpy()
                if missing.any()
                else (column.to_numpy())
            )
        else:
            raise UnsavableError(
                f"{encoder.where} has a column {name!r} of {kind}, which cannot be saved. Convert "
                "it to numbers or text."
            )
        node = {"name": name, "dtype": kind, "values": encoder.encode(values, name)}
        columns.append(
            {**node, "missing": encoder.encode(missing, name)} if missing.any() else node
        )
    return {"of": columns}


_POLARS = {
    "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32",
    "Float64", "Boolean",
}  # fmt: skip


def _decode_polars(node: dict, decoder: Decoder) -> Any:
    pl = importlib.import_module("polars")
    columns = []
    for column in node["of"]:
        if column["dtype"] not in {*_POLARS, "String", "Utf8"}:
            raise ValueError(f"{column['dtype']!r} is no type of columns")
        values = decoder.decode(column["values"])
        if values.dtype == object:
            values = values.tolist()
        made = pl.Series(column["name"], values, dtype=getattr(pl, column["dtype"]))
        if "missing" in column:
            missing = pl.Series(decoder.decode(column["missing"]))
            made = pl.select(
                pl.when(missing).then(None).otherwise(made).alias(made.name)
            ).to_series()
        columns.append(made)
    return pl.DataFrame(columns)


KINDS.add("polars frame", _from("polars", "DataFrame"), _encode_polars, _decode_polars)

# -- images ---------------------------------------------------------------------------------------

_MODES = {"1", "L", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "HSV", "LAB", "I", "F", "I;16"}


def _is_image(value: Any) -> bool:
    return type(value).__module__.startswith("PIL.") and hasattr(value, "getbands")


def _encode_image(image: Any, encoder: Encoder) -> dict:
    if image.mode not in _MODES:
        raise UnsavableError(
            f"{encoder.where} is an image of mode {image.mode}, which cannot be saved. Convert "
            "it: image.convert('RGB')."
        )
    return {"mode": image.mode, "pixels": encoder.encode(np.array(image), "pixels")}


def _decode_image(node: dict, decoder: Decoder) -> Any:
    image = importlib.import_module("PIL.Image")
    if node["mode"] not in _MODES:
        raise ValueError(f"{node['mode']!r} is no mode of images")
    pixels = decoder.decode(node["pixels"])
    if node["mode"] == "1":
        return image.fromarray(pixels.astype(np.uint8) * 255).convert("1")
    shape = (pixels.shape[1], pixels.shape[0])
    return image.frombytes(node["mode"], shape, np.ascontiguousarray(pixels).tobytes())


KINDS.add("image", _is_image, _encode_image, _decode_image)
