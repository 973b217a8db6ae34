"""Errors that skactive raises beside scikit-learn's own."""


class CapabilityError(TypeError):
    """The estimator cannot do what a query strategy or a metric asks of it.

    The message names who asked, the missing capability, the estimator that
    lacks it and what would have it.

    Examples
    --------
    >>> from sklearn.calibration import CalibratedClassifierCV
    >>> from sklearn.svm import LinearSVC
    >>> from skactive import ActiveLearner
    >>> from skactive.exceptions import CapabilityError
    >>> X, y = [[0.0], [0.1], [0.9], [1.0]], [0, 0, 1, 1]
    >>> try:
    ...     ActiveLearner(LinearSVC(), "margin").fit(X, y)
    ... except CapabilityError as error:
    ...     print(str(error).partition(".")[0])
    Margin needs 'predict_proba', which LinearSVC does not have
    >>> able = CalibratedClassifierCV(LinearSVC(), cv=2)
    >>> learner = ActiveLearner(able, "margin").fit(X, y)
    >>> learner.query([[0.0], [0.51], [1.0]])[0].tolist()
    [1]
    """


class DataLeakageError(ValueError):
    """A sample the model was trained on is among those that are to measure it.

    A test that the model has seen says nothing of those that it will see; see `EvaluationSplit`.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.exceptions import DataLeakageError
    >>> from skactive.retraining import EvaluationSplit
    >>> X, y = np.arange(8.0)[:, None], [0, 0, 0, 0, 1, 1, 1, 1]
    >>> split = EvaluationSplit(X, y, random_state=0)
    >>> split.check(split.X_candidates)  # taught candidates only: nothing to complain of
    >>> try:
    ...     split.check(X)
    ... except DataLeakageError as error:
    ...     print(str(error).partition(".")[0])
    4 of the 4 samples that are to measure the model are among those it was trained on
    """


class UnsupportedOperationError(NotImplementedError):
    """A module does something for which there is no bound.

    Parameters
    ----------
    operation : str
        What it does, as torch names it.

    Attributes
    ----------
    operation : str

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from skactive.bounds import certified_margins
    >>> from skactive.exceptions import UnsupportedOperationError
    >>> linear = nn.Linear(2, 2, bias=False)
    >>> _ = linear.weight.data.copy_(torch.eye(2))
    >>> X, y = torch.tensor([[0.9, 0.1]]), torch.tensor([0])
    >>> try:
    ...     certified_margins(nn.Sequential(linear, nn.SiLU()), X, y, eps=0.1)
    ... except UnsupportedOperationError as error:
    ...     print(error.operation)
    torch.nn.functional.silu
    >>> certified_margins(nn.Sequential(linear, nn.ReLU()), X, y, eps=0.1).numpy().round(3).tolist()
    [0.6]
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

    Attributes
    ----------
    attack : str
    rows : list of int
    method : str

    Examples
    --------
    A layer that bounds itself, and forgets that its inputs may move:

    >>> import numpy as np
    >>> import torch
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.bounds import Box
    >>> from skactive.exceptions import BrokenCertificateError
    >>> from skactive.metrics import robustness_report
    >>> class Careless(torch.nn.Linear):
    ...     def forward(self, X):
    ...         if isinstance(X, Box):
    ...             X = Box(X.nominal, X.nominal, X.nominal)
    ...         return super().forward(X)
    >>> X, y = np.array([[0.9, 0.1], [0.6, 0.4], [0.1, 0.9]], dtype="float32"), [0, 0, 1]
    >>> net = AdversarialNetClassifier(
    ...     Careless, module__in_features=2, module__out_features=2, attack=None, max_epochs=1
    ... ).fit(X, y)
    >>> net.module_.weight.data = 4 * torch.eye(2)
    >>> net.module_.bias.data = torch.zeros(2)
    >>> try:
    ...     robustness_report(net, X, y, "fgsm", eps=0.2, certify=True, audit=1)
    ... except BrokenCertificateError as error:  # a step of 0.2 swaps 0.6 and 0.4
    ...     error.attack, error.rows, error.method
    ('fgsm', [1], 'ibp')
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

    Attributes
    ----------
    partition : int or None

    Examples
    --------
    A Dask array whose second part is shorter than it was said to be:

    >>> import dask
    >>> import dask.array as da
    >>> import numpy as np
    >>> from skactive.distributed import partitioned
    >>> from skactive.exceptions import PartitionError
    >>> parts = [da.from_delayed(dask.delayed(np.zeros)((n, 1)), (3, 1), float) for n in (3, 2)]
    >>> try:
    ...     partitioned(da.concatenate(parts)).take([5])
    ... except PartitionError as error:
    ...     print(error.partition, str(error).partition(",")[0])
    1 Partition 1 of the pool has 2 rows
    """

    def __init__(self, message: str, partition: int | None = None) -> None:
        super().__init__(message)
        self.partition = partition

    def __reduce__(self) -> tuple:
        return type(self), (self.args[0], self.partition)


class UnsavableError(TypeError):
    """An object holds something that a file without code cannot hold, such as a lambda.

    Examples
    --------
    >>> import pathlib
    >>> import tempfile
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from skactive import persistence
    >>> from skactive.exceptions import UnsavableError
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "doubling.skactive"
    >>> try:
    ...     persistence.save(FunctionTransformer(lambda X: 2 * X), path)
    ... except UnsavableError as error:
    ...     print(str(error).partition(".")[0])
    func is a lambda, which a file that runs no code cannot hold

    >>> def double(X):
    ...     return 2 * X
    >>> persistence.save(FunctionTransformer(double), path)
    >>> persistence.load(path, modules={"double": double}).transform(3)
    6
    """


class DamagedFileError(ValueError):
    """A file is not what was written: bytes of it are lost or changed.

    Examples
    --------
    >>> import pathlib
    >>> import tempfile
    >>> import skactive
    >>> from skactive.exceptions import DamagedFileError
    >>> from skactive.strategies import DRE
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "dre.skactive"
    >>> DRE(n_bins=20).save(path)
    >>> _ = path.write_bytes(path.read_bytes()[:-1])  # a copy that broke off
    >>> try:
    ...     skactive.load(path)
    ... except DamagedFileError as error:
    ...     print(str(error).partition(": ")[0].replace(str(path), path.name))
    dre.skactive cannot be read
    """


class UntrustedError(ValueError):
    """A file names classes that are not skactive's own and were neither passed in nor trusted.

    Parameters
    ----------
    message : str
    names : list of str
        Their import paths.

    Attributes
    ----------
    names : list of str

    Examples
    --------
    >>> import html
    >>> import pathlib
    >>> import tempfile
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> import skactive
    >>> from skactive.exceptions import UntrustedError
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "cleaning.skactive"
    >>> skactive.persistence.save(FunctionTransformer(html.unescape), path)
    >>> try:
    ...     skactive.load(path)
    ... except UntrustedError as error:
    ...     error.names
    ['html.unescape']
    >>> skactive.load(path, trusted=["html.unescape"]).transform("Q &amp; A")
    'Q & A'
    """

    def __init__(self, message: str, names: list[str]) -> None:
        super().__init__(message)
        self.names = names

    def __reduce__(self) -> tuple:
        return type(self), (self.args[0], self.names)


class NewerFormatError(ValueError):
    """A file was written by a later version of skactive, in a format this one does not know.

    Examples
    --------
    >>> import pathlib
    >>> import tempfile
    >>> from unittest import mock
    >>> import skactive
    >>> from skactive.exceptions import NewerFormatError
    >>> from skactive.strategies import DRE
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "dre.skactive"
    >>> with mock.patch("skactive.persistence._files.FORMAT", 2):  # as a later version would
    ...     skactive.persistence.save(DRE(), path)
    >>> try:
    ...     skactive.load(path)
    ... except NewerFormatError as error:
    ...     print(str(error).rpartition(", ")[2])
    which reads formats up to 1. Update skactive.
    """
