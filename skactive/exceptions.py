"""Errors that skactive raises beside scikit-learn's own."""


class CapabilityError(TypeError):
    """The estimator cannot do what a query strategy or a metric asks of it.

    The message names who asked, the missing capability, the estimator that
    lacks it and what would have it.
    """


class DataLeakageError(ValueError):
    """A sample the model was trained on is among those that are to measure it."""
