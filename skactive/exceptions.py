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


class BrokenCertificateError(RuntimeError):
    """An attack turned a sample that was certified: a bound of the net's layers is wrong.

    Parameters
    ----------
    attack : str
        The part of the attack that did it.
    rows : list of int
        Positions of the samples.
    method : str
        Which bounds certified them.
    """

    def __init__(self, attack: str, rows: list[int], method: str) -> None:
        super().__init__(
            f"{attack} turned {len(rows)} certified sample{'s' * (len(rows) > 1)}, at "
            f"{rows[:10]}: method={method!r} proved what is not so, and no certificate of this net "
            "can be trusted. Either a bound of one of its layers is wrong, which please report "
            "with the module, or the module does not always return the same for the same input. "
            "certify=False attacks all samples."
        )
        self.attack = attack
        self.rows = rows
        self.method = method

    def __reduce__(self) -> tuple:
        return type(self), (self.attack, self.rows, self.method)


class PartitionError(RuntimeError):
    """A partition of a pool could not be read, or is not like the others.

    Parameters
    ----------
    message : str
    partition : int or None, default=None
        Its number, from 0; ``None`` where it is not known.
    """

    def __init__(self, message: str, partition: int | None = None) -> None:
        super().__init__(message)
        self.partition = partition

    def __reduce__(self) -> tuple:
        return type(self), (self.args[0], self.partition)


class UnsavableError(TypeError):
    """An object holds something that a file without code cannot hold, such as a lambda."""


class UntrustedError(ValueError):
    """A file names classes that are not skactive's own and were neither passed in nor trusted.

    Parameters
    ----------
    message : str
    names : list of str
        Their import paths.
    """

    def __init__(self, message: str, names: list[str]) -> None:
        super().__init__(message)
        self.names = names

    def __reduce__(self) -> tuple:
        return type(self), (self.args[0], self.names)


class NewerFormatError(ValueError):
    """A file was written by a later version of skactive, in a format this one does not know."""
