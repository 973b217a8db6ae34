"""What notebooks show of an object: a few facts above scikit-learn's diagram."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any


def facts_table(facts: Mapping[str, Any]) -> str:
    """A table of two columns in the colours of the page around it.

    Examples
    --------
    >>> "&lt;LeNet5&gt;</td>" in facts_table({"net": "<LeNet5>"})
    True
    """
    cell = '<{0} style="text-align:left">{1}</{0}>'.format
    lines = (
        f"<tr>{cell('th', escape(str(name)))}{cell('td', escape(str(value)))}</tr>"
        for name, value in facts.items()
    )
    return f"<table><tbody>{''.join(lines)}</tbody></table>"


def folded(summary: str, content: str) -> str:
    """HTML that opens on a click."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


class ShowsFacts:
    """Mixin of an estimator: what matters stands above scikit-learn's diagram of it.

    A subclass says what by ``_facts``, and may add a fold by ``_more``; both are asked as the
    object is, fitted or not. ``set_config(display="text")`` turns all of it off.
    """

    def _facts(self) -> dict[str, Any]:
        raise NotImplementedError(f"{type(self).__name__} must implement _facts.")

    def _more(self) -> str:
        return ""

    def _repr_html_inner(self) -> str:
        diagram = super()._repr_html_inner()  # type: ignore[misc]
        try:
            return facts_table(self._facts()) + self._more() + diagram
        except Exception:  # parameters that are out of range are shown as they are
            return diagram

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        bundle = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        if "text/html" in bundle:
            bundle["text/html"] = self._repr_html_inner()
        return bundle
