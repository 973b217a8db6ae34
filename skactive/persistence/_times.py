"""Dates and times, and their zones: by the key of the zone database, or as a fixed offset."""

from __future__ import annotations

import datetime as dt
import pickle
import zoneinfo
from typing import Any

from ..exceptions import UnsavableError
from ._codec import Decoder, Encoder, Kinds

KINDS = Kinds()

# -- zones ------------------------------------------------------------------------------------

# Zones of the same offset at all times, whoever made them.
_FIXED = {"datetime.timezone", "dateutil.tzutc", "dateutil.tzoffset", "pytz._FixedOffset"}


def encode_zone(zone: dt.tzinfo, encoder: Encoder) -> Any:
    """A zone's key in the database, or its offset: printed names, such as CET, may be either.

    Raises
    ------
    UnsavableError
        If it has no key and no fixed offset.
    """
    key = _key(zone)
    if key is not None:
        return key
    offset = zone.utcoffset(None)
    if _kind(zone) not in _FIXED or offset is None:
        raise UnsavableError(
            f"{encoder.where} has times in the zone {zone!r}, which has neither a key in the "
            "database of zones nor a fixed offset. Convert them to a zone of zoneinfo, such as "
            "ZoneInfo('Europe/Paris'), to datetime.UTC or to a datetime.timezone."
        )
    name = zone.tzname(None)
    usual = name in (None, dt.timezone(offset).tzname(None))
    return {"seconds": offset.total_seconds(), **({} if usual else {"name": name})}


def decode_zone(node: Any) -> dt.tzinfo:
    """The zone of a node."""
    if isinstance(node, str):
        return zoneinfo.ZoneInfo(node)
    name = [node["name"]] if "name" in node else []
    return dt.timezone(dt.timedelta(seconds=node["seconds"]), *name)


def _kind(zone: dt.tzinfo) -> str:
    return f"{type(zone).__module__.split('.')[0]}.{type(zone).__name__}"


def _key(zone: dt.tzinfo) -> str | None:
    if type(zone) is zoneinfo.ZoneInfo:
        try:
            zone.__reduce__()
        except pickle.PicklingError:  # it was read from a file of its own, whatever its key says
            return None
        return zone.key
    return getattr(zone, "zone", None) if _kind(zone).startswith("pytz.") else None


# -- dates and times --------------------------------------------------------------------------


def _encode_date(value: Any, encoder: Encoder) -> dict:
    return {"value": value.isoformat()}


def _encode_time(value: Any, encoder: Encoder) -> dict:
    node = {"value": value.replace(tzinfo=None).isoformat()}
    if value.fold:
        node["fold"] = value.fold
    return node if value.tzinfo is None else {**node, "zone": encode_zone(value.tzinfo, encoder)}


def _encode_datetime(value: dt.datetime, encoder: Encoder) -> dict:
    if value.tzinfo is not None:
        zone = decode_zone(encode_zone(value.tzinfo, encoder))
        if value.replace(tzinfo=zone).utcoffset() != value.utcoffset():
            value = value.astimezone(zone)  # pytz tells summer by another object, not by fold
    return _encode_time(value, encoder)


def _decode(kind: Any) -> Any:
    def decode(node: dict, decoder: Decoder) -> Any:
        value = kind.fromisoformat(node["value"])  # with its offset in files of before
        if "zone" in node:
            value = value.replace(tzinfo=decode_zone(node["zone"]))
        return value.replace(fold=node["fold"]) if "fold" in node else value

    return decode


KINDS.exact("datetime", dt.datetime, _encode_datetime, _decode(dt.datetime))
KINDS.exact("date", dt.date, _encode_date, _decode(dt.date))
KINDS.exact("time", dt.time, _encode_time, _decode(dt.time))
KINDS.exact(
    "timedelta",
    dt.timedelta,
    lambda value, encoder: {"value": [value.days, value.seconds, value.microseconds]},
    lambda node, decoder: dt.timedelta(*node["value"]),
)
