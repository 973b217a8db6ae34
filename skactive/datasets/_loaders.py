"""The loaders: one for each data set, and one for all by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Unpack

from ..utils.names import by_name
from ._assemble import assemble
from ._cifar10 import read_cifar10
from ._digits import read_digits
from ._idx import read_idx_dataset
from ._image_dataset import ImageDataset
from ._options import LoadOptions, Options
from ._quickdraw import read_quickdraw
from ._source import Source, data_root, download
from ._svhn import read_svhn

_FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
    "Ankle boot",
)  # fmt: skip
# name -> (reader of the files below a root, torchvision's name for the download)
_ON_DISK: dict[str, tuple[Callable[[Path], Source], str | None]] = {
    "mnist": (
        partial(read_idx_dataset, folder="MNIST", class_names=tuple("0123456789")),
        "MNIST",
    ),
    "fashion_mnist": (
        partial(read_idx_dataset, folder="FashionMNIST", class_names=_FASHION_CLASSES),
        "FashionMNIST",
    ),
    "cifar10": (read_cifar10, "CIFAR10"),
    "svhn": (read_svhn, "SVHN"),
    "quickdraw": (read_quickdraw, None),
}
_NAMES = ("digits", *_ON_DISK)


def load_dataset(name: str, **options: Unpack[LoadOptions]) -> ImageDataset:
    """Load a data set by name.

    Parameters
    ----------
    name : {"digits", "mnist", "fashion_mnist", "cifar10", "svhn", "quickdraw"}
        Case, hyphens and underscores do not matter: ``"CIFAR-10"`` is ``"cifar10"``.
    root : path or None, default=None
        Folder of the files, in torchvision's layout; ``None`` is the environment variable
        ``SKACTIVE_DATA``, or ``~/.cache/skactive``. It may be read-only.
    download : bool, default=False
        Let torchvision download into `root` what is not there.
    size : int or None, default=None
        Height and width to resize to, bilinearly, with antialiasing when that shrinks; ``None``
        keeps them. The papers use 32 for MNIST and Fashion-MNIST.
    n_train, n_test : int or None, default=None
        Keep that many images, drawn at random and left in their stored order. Images that
        are not kept are neither decoded nor resized.
    stratify : bool, default=False
        Draw them in class proportions, to within one image of each class.
    random_state : None, int, RandomState or Generator, default=0
        Draws them; the default gives the same images each time.
    validation : bool, default=False
        The first half of the test images becomes validation data, as in the DRE study, which
        chooses its best epochs by the first 5,000 of 10,000 test images and tests on the
        rest. `n_test` then counts for each half. These labels are spent: count them.
    dtype : {"float32", "uint8"}, default="float32"
        ``"uint8"`` gives bytes in [0, 255], a quarter of the memory: divide them by 255 batch
        by batch. Resized images are rounded to bytes then, while floats keep the fractions.

    Returns
    -------
    data : ImageDataset

    Raises
    ------
    ValueError
        If there is no such data set, or an option is out of range.
    TypeError
        If there is no such option.
    FileNotFoundError
        If files are missing; the message says where they were looked for and how to get them.
    OSError
        If a file is damaged, or the download fails.

    Notes
    -----
    The papers' splits: all of MNIST and Fashion-MNIST with ``size=32``, CIFAR-10 as it is, the
    first 50,000 and 10,000 images of SVHN (which `load_svhn` always takes), each with
    ``validation=True``.

    References
    ----------
    Guo et al., "Robust Active Learning", arXiv 2112.02542, section 5.

    Examples
    --------
    >>> from skactive.datasets import load_dataset
    >>> load_dataset("digits", n_train=200, stratify=True)
    ImageDataset('digits', 200 train, 450 test, images (1, 8, 8) float32, 10 classes)
    """
    key = _canonical(name)
    if key == "digits":
        return load_digits(**options)
    read, downloadable = _ON_DISK[key]
    checked = Options(**options)
    root = data_root(checked.root)
    try:
        source = read(root)
    except FileNotFoundError:
        if not (checked.download and downloadable):
            raise
        download(downloadable, root)
        source = read(root)
    return assemble(key, source, checked)


def _canonical(name: str) -> str:
    """Name as in `_NAMES`, whatever its case and punctuation."""
    return by_name("data set", name, {known: known for known in _NAMES})


def load_digits(*, test_size: float = 0.25, **options: Unpack[LoadOptions]) -> ImageDataset:
    """Load scikit-learn's 1,797 digits, 8×8 gray: embedded, so that nothing is downloaded.

    Parameters
    ----------
    test_size : float, default=0.25
        Share of the test data, drawn stratified by `random_state`.
    **options
        See `load_dataset`; `root` and `download` have nothing to do here.

    Returns
    -------
    data : ImageDataset

    Examples
    --------
    >>> from skactive.datasets import load_digits
    >>> load_digits().X_train.shape
    (1347, 1, 8, 8)
    """
    checked = Options(**options)
    return assemble("digits", read_digits(test_size, checked.random_state), checked)


def load_mnist(**options: Unpack[LoadOptions]) -> ImageDataset:
    """Load MNIST: 60,000 + 10,000 gray digits, 28×28.

    Parameters
    ----------
    **options
        See `load_dataset`. Read from ``MNIST/raw`` below the root, packed (.gz) or not.

    Returns
    -------
    data : ImageDataset

    Raises
    ------
    FileNotFoundError
        If files are missing. For the other errors see `load_dataset`.

    References
    ----------
    LeCun et al., "Gradient-based learning applied to document recognition", 1998.

    Examples
    --------
    The message says where files were looked for, and what to do:

    >>> from skactive.datasets import load_mnist
    >>> try:
    ...     data = load_mnist(root="no/such/folder", size=32, validation=True)
    ... except FileNotFoundError as error:
    ...     print(error)  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
    MNIST was not found. Looked for ...train-images-idx3-ubyte. Set the environment
    variable SKACTIVE_DATA (or pass root=) to the folder of the data sets, or call the loader with
    download=True to fetch it there through torchvision.
    """
    return load_dataset("mnist", **options)


def load_fashion_mnist(**options: Unpack[LoadOptions]) -> ImageDataset:
    """Load Fashion-MNIST: 60,000 + 10,000 gray pictures of clothes, 28×28.

    Parameters
    ----------
    **options
        See `load_dataset`. Read from ``FashionMNIST/raw`` below the root, packed (.gz) or not.

    Returns
    -------
    data : ImageDataset

    Raises
    ------
    FileNotFoundError
        If files are missing. For the other errors see `load_dataset`.

    References
    ----------
    Xiao et al., "Fashion-MNIST: a novel image dataset for benchmarking machine learning
    algorithms", arXiv 1708.07747.

    Examples
    --------
    The message says where files were looked for, and what to do:

    >>> from skactive.datasets import load_fashion_mnist
    >>> try:
    ...     data = load_fashion_mnist(root="no/such/folder", size=32, validation=True)
    ... except FileNotFoundError as error:
    ...     print(error)  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
    FashionMNIST was not found. Looked for ...train-images-idx3-ubyte. Set the environment
    variable SKACTIVE_DATA (or pass root=) to the folder of the data sets, or call the loader with
    download=True to fetch it there through torchvision.
    """
    return load_dataset("fashion_mnist", **options)


def load_cifar10(**options: Unpack[LoadOptions]) -> ImageDataset:
    """Load CIFAR-10: 50,000 + 10,000 color pictures of ten classes, 32×32.

    Parameters
    ----------
    **options
        See `load_dataset`. Read from ``cifar-10-batches-py`` below the root, else from
        ``cifar10/cifar10_jpeg.npz``.

    Returns
    -------
    data : ImageDataset

    Raises
    ------
    FileNotFoundError
        If files are missing. For the other errors see `load_dataset`.

    Warnings
    --------
    ``cifar10_jpeg.npz`` is a **lossy** copy, recompressed as JPEG of quality 75, in another
    order: accuracies on it are not comparable with published ones to the last digit. Decoding
    all of it takes seconds; with `n_train` and `n_test` only what is kept is decoded.

    References
    ----------
    Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

    Examples
    --------
    The message says where files were looked for, and what to do:

    >>> from skactive.datasets import load_cifar10
    >>> try:
    ...     data = load_cifar10(root="no/such/folder", validation=True)
    ... except FileNotFoundError as error:
    ...     print(error)  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
    CIFAR-10 was not found. Looked for ...cifar-10-batches-py and ...cifar10_jpeg.npz. Set the
    environment variable SKACTIVE_DATA (or pass root=) to the folder of the data sets, or call the
    loader with download=True to fetch it there through torchvision.
    """
    return load_dataset("cifar10", **options)


def load_svhn(**options: Unpack[LoadOptions]) -> ImageDataset:
    """Load SVHN as the DRE study does: the first 50,000 + 10,000 house numbers, 32×32 color.

    Parameters
    ----------
    **options
        See `load_dataset`. Read from ``train_32x32.mat`` and ``test_32x32.mat`` in the root.

    Returns
    -------
    data : ImageDataset

    Raises
    ------
    FileNotFoundError
        If files are missing. For the other errors see `load_dataset`.

    References
    ----------
    Netzer et al., "Reading digits in natural images with unsupervised feature learning", 2011.

    Examples
    --------
    The message says where files were looked for, and what to do:

    >>> from skactive.datasets import load_svhn
    >>> try:
    ...     data = load_svhn(root="no/such/folder", validation=True)
    ... except FileNotFoundError as error:
    ...     print(error)  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
    SVHN was not found. Looked for ...train_32x32.mat. Set the environment
    variable SKACTIVE_DATA (or pass root=) to the folder of the data sets, or call the loader with
    download=True to fetch it there through torchvision.
    """
    return load_dataset("svhn", **options)


def load_quickdraw(**options: Unpack[LoadOptions]) -> ImageDataset:
    """Load Quick, Draw! sketches of four classes, 28×28 gray; a fixed fifth is the test data.

    Parameters
    ----------
    **options
        See `load_dataset`. Read from ``quickdraw/quickdraw4.npz`` below the root, a file with
        ``images`` (n, 28, 28) uint8, ``labels`` (n,) and ``class_names``; there is nothing to
        download.

    Returns
    -------
    data : ImageDataset

    Raises
    ------
    FileNotFoundError
        If files are missing. For the other errors see `load_dataset`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skactive.datasets import load_quickdraw
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "quickdraw").mkdir()
    >>> np.savez(root / "quickdraw" / "quickdraw4.npz", images=np.zeros((40, 28, 28), np.uint8),
    ...          labels=np.repeat([0, 1, 2, 3], 10), class_names=["cat", "house", "star", "tree"])
    >>> load_quickdraw(root=root)
    ImageDataset('quickdraw', 32 train, 8 test, images (1, 28, 28) float32, 4 classes)
    """
    return load_dataset("quickdraw", **options)
