"""Items as Label Studio's tasks, and its annotations as answers."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import quoteattr

from ..page._rendering import Rendering

ID = "skactive_id"  # of the item, in a task's data
_FROM, _TO = "label", "item"
_TAGS = {"image": "Image", "text": "Text", "table": "Table", "html": "HyperText"}


class Answer(NamedTuple):
    """What an annotator said of an item.

    Attributes
    ----------
    id : str
    annotator : str
    label : str or None
        None for a skip.
    seconds : float or None
    source : str
        Where it comes from: ``"label-studio annotation 17"``.
    """

    id: str
    annotator: str
    label: str | None
    seconds: float | None
    source: str


def label_config(kind: str, classes: Sequence[Any], keys: Sequence[str | None]) -> str:
    """The labelling interface of a project: one choice for what is shown."""
    choices = "".join(
        f"<Choice value={quoteattr(str(label))}"
        + (f" hotkey={quoteattr(key)}" if key else "")
        + "/>"
        for label, key in zip(classes, keys, strict=True)
    )
    return (
        f'<View><{_TAGS[kind]} name="{_TO}" value="${kind}"/>'
        f'<Choices name="{_FROM}" toName="{_TO}" choice="single" showInLine="true">{choices}'
        "</Choices></View>"
    )


def task_data(
    rendering: Rendering, position: int, id: str, address: Callable[[str], str] | None
) -> dict[str, Any]:
    """What a task shows of an item.

    Parameters
    ----------
    rendering : Rendering
    position : int
    id : str
    address : callable or None
        From an id to the address of its image; ``None`` writes images into the tasks.
    """
    kind = rendering.kind
    if kind == "text":
        shown: Any = rendering.content(position)["text"]
    elif kind == "table":
        shown = dict(rendering.content(position)["rows"])
    elif kind == "image" and address is not None:
        shown = address(id)
    else:
        content, media_type = rendering.data(position)
        encoded = base64.b64encode(content).decode()
        shown = content.decode() if kind == "html" else f"data:{media_type};base64,{encoded}"
    return {ID: id, kind: shown}


def prediction(score: float, version: str, label: Any = None) -> dict[str, Any]:
    """A score for the order of tasks, and the model's label where it is to be seen."""
    result = [] if label is None else [_choice(label)]
    return {"model_version": version, "score": score, "result": result}


def _choice(label: Any) -> dict[str, Any]:
    value = {"choices": [str(label)]}
    return {"from_name": _FROM, "to_name": _TO, "type": "choices", "value": value}


def answers_of(task: Mapping[str, Any], names: Mapping[int, str]) -> list[Answer]:
    """The last answer of each annotator of a task; empty for tasks of others.

    Parameters
    ----------
    task : mapping
        With ``annotations``.
    names : mapping of int to str
        Annotators by Label Studio's numbers.
    """
    id = task.get("data", {}).get(ID)
    if id is None:
        return []
    found: dict[str, tuple[str, Answer]] = {}
    for annotation in task.get("annotations", ()):
        who = _annotator(annotation.get("completed_by"), names)
        label = _label(annotation)
        if label is None and not annotation.get("was_cancelled"):
            continue  # submitted without a choice
        answer = Answer(
            str(id), who, label, annotation.get("lead_time"),
            f"label-studio annotation {annotation.get('id')}",
        )  # fmt: skip
        at = str(annotation.get("updated_at") or annotation.get("created_at") or "")
        if who not in found or found[who][0] <= at:
            found[who] = (at, answer)
    return [answer for _, answer in found.values()]


def _label(annotation: Mapping[str, Any]) -> str | None:
    if annotation.get("was_cancelled"):
        return None
    for part in annotation.get("result", ()):
        if part.get("from_name") == _FROM and part.get("value", {}).get("choices"):
            return str(part["value"]["choices"][0])
    return None


def _annotator(who: Any, names: Mapping[int, str]) -> str:
    if isinstance(who, Mapping):
        return str(who.get("email") or who.get("username") or f"user {who.get('id')}")
    return names.get(who, f"user {who}")
