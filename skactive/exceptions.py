"""Errors that skactive raises beside scikit-learn's own."""


class CapabilityError(TypeError):
    """The estimator cannot do what a query strategy or a metric asks of it.

    The message names who asked, the missing capability, the estimator that
    lacks it and what would have it.
    """


class DataLeakageError(ValueError):
    """A sample the model was trained on is among those that are to measure it."""


class UnsupportedOperationError(NotImplementedError):
    """A module does something for which there is no bound.

    Parameters
    ----------
    operation : str
        What it does, as torch names it.
    """

    def __init__(self, operation: str) -> None:
        super().__init__(
            f"No bounds are known for {operation}. Certificates need modules made of linear and "
            "convolutional layers, BatchNorm, ReLU, leaky ReLU, sigmoid, tanh, pooling, padding, "
            "dropout, reshaping, and sums; replace this operation, or attack the net instead."
        )
        self.operation = operation

    def __reduce__(self) -> tuple:
        return type(self), (self.operation,)
