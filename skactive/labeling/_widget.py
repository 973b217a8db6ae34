"""The page as a widget of a notebook, through anywidget."""

from __future__ import annotations

import base64
import logging
import re
from functools import cache
from importlib.resources import files
from typing import Any

from ..utils.optional import optional_import
from ._errors import StoreError
from .page import PageOptions
from .page._service import Refused, Service

log = logging.getLogger("skactive.labeling")

# A widget is one module: those of the page, in the order in which they need each other.
_MODULES = ("dom", "content", "saves", "dialogs", "keys", "labeler", "widget")


def make_widget(session: Any, options: PageOptions) -> Any:
    """A widget of a session.

    Parameters
    ----------
    session : LabelingSession
    options : PageOptions

    Returns
    -------
    widget : anywidget.AnyWidget
    """
    return _widget_class()(session, options)


@cache
def _widget_class() -> type:
    base: Any = optional_import("anywidget", what="A widget", extra="widget").AnyWidget

    class LabelingWidget(base):
        """The labeler in a notebook; `service` has the session."""

        _esm = widget_module()
        _css = _static("labeler.css")

        def __init__(self, session: Any, options: PageOptions) -> None:
            super().__init__()
            self.service = Service(session, options, self._address)
            self.service.worker.start()
            self.on_msg(lambda _, message, __: self.send(self._answer(message)))

        def close(self) -> None:
            """Take the widget away; every label is in the store."""
            self.service.worker.stop()
            super().close()

        def _address(self, position: int) -> dict[str, str]:
            content, media_type = self.service.rendering.data(position)
            if media_type.startswith("text/html"):
                return {"srcdoc": content.decode()}
            return {"src": f"data:{media_type};base64,{base64.b64encode(content).decode()}"}

        def _answer(self, message: Any) -> dict[str, Any]:
            to = message.get("number")
            try:
                return {
                    "to": to,
                    "answer": self.service.call(message["action"], message["payload"]),
                }
            except Refused as refused:
                return {"to": to, "error": str(refused), "item": refused.item}
            except StoreError as error:
                return {"to": to, "error": str(error), "failed": True}
            except Exception as error:
                log.exception("%s failed", message.get("action"))
                return {"to": to, "error": f"This failed: {error}. Nothing was saved."}

    return LabelingWidget


def widget_module() -> str:
    """The page's modules as one: imports and exports between them are names of one file."""
    parts = []
    for name in _MODULES:
        text = re.sub(r"^import .*;\n", "", _static(f"{name}.js"), flags=re.MULTILINE)
        parts.append(re.sub(r"^export (?!default)", "", text, flags=re.MULTILINE))
    return "\n".join(parts)


def _static(name: str) -> str:
    return files(f"{__package__}.page").joinpath("static", name).read_text(encoding="utf-8")
