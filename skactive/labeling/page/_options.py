"""What the page and the widget can be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ...utils.names import no_such
from ...utils.validation import check_constraints
from .._texts import list_of_texts

REASONS = ("unclear", "broken", "none of these")


@dataclass(frozen=True)
class PageOptions:
    """How items are shown and answered.

    Parameters
    ----------
    title : str, default="Labelling"
        Heading of the page.
    render : {"auto", "image", "text", "table"} or callable, default="auto"
        How a row is shown; ``"auto"`` looks at the first one. A callable takes a row and returns
        HTML, a str or an object with ``_repr_html_``. It is shown in a frame where no script runs
        and nothing is loaded from elsewhere: write images into it as ``data:`` addresses, and
        escape what you take from the row (`html.escape`).
    show : container of rows or None, default=None
        What people see in place of the pool's rows, as many of them: paths of the images whose
        features the learner reads, a table with more columns.
    image_shape : tuple of int or None, default=None
        Shape of images whose pixels lie in one line, such as ``(8, 8)``.
    keys : mapping from classes to letters or digits, or None, default=None
        Keys of the keyboard; those that are not given are chosen.
    reasons : sequence of str, default=("unclear", "broken", "none of these")
        Reasons for skipping that are offered; none asks for none.
    show_confidence : bool, default=False
        Whether people see what the model thinks before they answer. It biases them towards the
        model's own mistakes.
    annotator : str or None, default=None
        The one who labels; ``None`` asks each person for a name.

    Raises
    ------
    ValueError
        If a parameter is of the wrong kind; a `LabelingError` if `reasons` is a single text.

    Examples
    --------
    `LabelingSession.serve` and `LabelingSession.widget` take them by name:

    >>> from skactive.labeling import PageOptions
    >>> options = PageOptions.of({"title": "Leaves", "image_shape": (8, 8), "reasons": ["blurred"]})
    >>> options.title, options.reasons, options.show_confidence
    ('Leaves', ['blurred'], False)
    >>> PageOptions.of({"titel": "Leaves"})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    TypeError: There is no option of the page ... Did you mean 'title'? ...
    """

    title: str = "Labelling"
    render: str | Callable[[Any], Any] = "auto"
    show: Any = None
    image_shape: tuple[int, ...] | None = None
    keys: Mapping[Any, str] | None = None
    reasons: Sequence[str] = REASONS
    show_confidence: bool = False
    annotator: str | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> PageOptions:
        """From options by name.

        Raises
        ------
        TypeError
            If there is none of that name.
        """
        names = [field.name for field in fields(cls)]
        for name in options:
            if name not in names:
                raise TypeError(no_such("option of the page", name, names))
        return cls(**options)

    def __post_init__(self) -> None:
        check_constraints(
            {
                "title": [str],
                "render": [str, callable],
                "image_shape": ["array-like", None],
                "keys": [Mapping, None],
                "reasons": ["array-like"],
                "show_confidence": ["boolean"],
                "annotator": [str, None],
            },
            vars(self),
            "the labelling page",
        )
        list_of_texts("reasons", self.reasons)
