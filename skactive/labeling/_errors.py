"""What can go wrong in a labelling session; nothing is changed then."""


class LabelingError(ValueError):
    """Something a session cannot do; its store is as it was before."""


class UnknownItemError(LabelingError):
    """There is no item of that id in the pool."""


class UnknownClassError(LabelingError):
    """A label that is none of the declared classes."""


class AnnotatorError(LabelingError):
    """No name of an annotator, or none that may label here."""


class NotClaimedError(LabelingError):
    """An item that this annotator was never given, or whose lease ran out to somebody else."""


class ConflictError(LabelingError):
    """The item has another answer of this annotator already."""


class PoolChangedError(LabelingError):
    """The pool, its ids or the session's settings are not those that the store was made with."""


class StoreError(RuntimeError):
    """The store cannot be read or written."""


class StoreVersionError(StoreError):
    """The store was written by a newer version, or is none."""


class StoreBusyError(StoreError):
    """Another process holds what only one may have."""
