"""Data sets as arrays of images in [0, 1], ready for a pool."""

from __future__ import annotations

import difflib
import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from .utils.random_state import derive_seed, numpy_generator

_BATCH = 4096
_CIFAR_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
_FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
    "Ankle boot",
)  # fmt: skip
_DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class ImageDataset:
    """Images and labels, split into training and test data.

    Attributes
    ----------
    name : str
    X_train, X_test : ndarray of shape (n, channels, height, width), float32 in [0, 1] (or uint8)
    y_train, y_test : ndarray of shape (n,), int64
    class_names : tuple of str
    X_val, y_val : ndarrays like `X_test`, `y_test`, or None
        Only with ``validation=True``.
    """

    name: str
    X_train: NDArray
    y_train: NDArray
    X_test: NDArray
    y_test: NDArray
    class_names: tuple[str, ...]
    X_val: NDArray | None = None
    y_val: NDArray | None = None


def load_digits(*, test_size: float = 0.25, random_state: Any = 0) -> ImageDataset:
    """Load scikit-learn's 1,797 digits, 8×8 pixels: embedded, nothing is downloaded.

    Parameters
    ----------
    test_size : float, default=0.25
        Share of the test data, drawn stratified.
    random_state : None, int, RandomState or Generator, default=0

    Returns
    -------
    data : ImageDataset

    Examples
    --------
    >>> from skactive.datasets import load_digits
    >>> load_digits().X_train.shape
    (1347, 1, 8, 8)
    """
    from sklearn.datasets import load_digits as load

    X, y = load(return_X_y=True)
    images = (X.reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    X_train, X_test, y_train, y_test = train_test_split(
        images,
        y.astype(np.int64),
        test_size=test_size,
        stratify=y,
        random_state=derive_seed(random_state),
    )
    return ImageDataset("digits", X_train, y_train, X_test, y_test, _DIGITS)


def load_mnist(**options: Any) -> ImageDataset:
    """Load MNIST: 60,000 + 10,000 grey digits, 28×28.

    Parameters
    ----------
    **options
        See `load_dataset`.

    Returns
    -------
    data : ImageDataset
    """
    return _load("mnist", **options)


def load_fashion_mnist(**options: Any) -> ImageDataset:
    """Load Fashion-MNIST: 60,000 + 10,000 grey pictures of clothes, 28×28.

    Parameters
    ----------
    **options
        See `load_dataset`.

    Returns
    -------
    data : ImageDataset
    """
    return _load("fashion_mnist", **options)


def load_cifar10(**options: Any) -> ImageDataset:
    """Load CIFAR-10: 50,000 + 10,000 colour pictures of ten classes, 32×32.

    Besides torchvision's files, packed JPEGs (``cifar10/cifar10_jpeg.npz``) are read: these are
    a lossy copy in another order, whose accuracies are not comparable to the last digit.

    Parameters
    ----------
    **options
        See `load_dataset`.

    Returns
    -------
    data : ImageDataset
    """
    return _load("cifar10", **options)


def load_svhn(**options: Any) -> ImageDataset:
    """Load SVHN as the DRE paper does: the first 50,000 and 10,000 house numbers, 32×32 colour.

    Parameters
    ----------
    **options
        See `load_dataset`.

    Returns
    -------
    data : ImageDataset
    """
    return _load("svhn", **options)


def load_quickdraw(**options: Any) -> ImageDataset:
    """Load 6,000 Quick, Draw! sketches of four classes, 28×28 grey (``quickdraw4.npz``).

    A fixed fifth of each class is the test data.

    Parameters
    ----------
    **options
        See `load_dataset`; there is nothing to download.

    Returns
    -------
    data : ImageDataset
    """
    return _load("quickdraw", **options)


def load_dataset(name: str, **options: Any) -> ImageDataset:
    """Load a data set by name.

    Parameters
    ----------
    name : {"digits", "mnist", "fashion_mnist", "cifar10", "svhn", "quickdraw"}
    root : path or None, default=None
        Folder of the files, in torchvision's layout; ``None`` is the environment variable
        ``SKACTIVE_DATA``, or ``~/.cache/skactive``. It may be read-only.
    download : bool, default=False
        Let torchvision download what is missing into `root`.
    size : int or None, default=None
        Resize images to that many pixels a side, bilinearly. The papers use 32 for MNIST and
        Fashion-MNIST.
    n_train, n_test : int or None, default=None
        Keep that many images, drawn at random.
    random_state : None, int, RandomState or Generator, default=0
        Draws them.
    validation : bool, default=False
        The first half of the test images becomes validation data, as in the DRE study, which
        chooses its best epochs by 5,000 of the 10,000 test images.
    dtype : {"float32", "uint8"}, default="float32"
        ``"uint8"`` keeps bytes, a quarter of the memory: nets divide them by 255 batch by
        batch.

    Returns
    -------
    data : ImageDataset

    Raises
    ------
    ValueError
        If there is no such data set, or an option is out of range.
    FileNotFoundError
        If files are missing; the message says how to get them.

    Examples
    --------
    >>> from skactive.datasets import load_dataset
    >>> load_dataset("digits").name
    'digits'
    """
    if name == "digits":
        return load_digits(**options)
    if name not in _READERS:
        near = difflib.get_close_matches(name, ["digits", *_READERS], n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"There is no data set {name!r}.{hint} Names: digits, {', '.join(_READERS)}."
        )
    return _load(name, **options)


def _load(
    name: str,
    *,
    root: Any = None,
    download: bool = False,
    size: int | None = None,
    n_train: int | None = None,
    n_test: int | None = None,
    random_state: Any = 0,
    validation: bool = False,
    dtype: str = "float32",
) -> ImageDataset:
    if dtype not in ("float32", "uint8"):
        raise ValueError(f"dtype must be 'float32' or 'uint8', got {dtype!r}.")
    if size is not None and (not isinstance(size, int) or size < 1):
        raise ValueError(f"size must be a positive number of pixels, got {size!r}.")
    read, class_names = _READERS[name]
    folder = Path(root or os.environ.get("SKACTIVE_DATA") or Path.home() / ".cache" / "skactive")
    parts = []
    for split, n in (("train", n_train), ("test", n_test)):
        images, labels = read(folder, split, download)
        if n is not None:
            if not 1 <= n <= len(labels):
                raise ValueError(f"n_{split} must be in [1, {len(labels)}], got {n}.")
            rng = numpy_generator(random_state, split == "test")
            kept = np.sort(rng.choice(len(labels), size=n, replace=False))
            images, labels = images[kept], labels[kept]
        parts += [_finished(images, size, dtype), labels.astype(np.int64)]
    X_train, y_train, X_test, y_test = parts
    if not validation:
        return ImageDataset(name, X_train, y_train, X_test, y_test, class_names)
    half = len(y_test) // 2
    return ImageDataset(
        name,
        X_train,
        y_train,
        X_test[half:],
        y_test[half:],
        class_names,
        X_test[:half],
        y_test[:half],
    )


def _finished(images: NDArray, size: int | None, dtype: str) -> NDArray:
    """Bytes (n, channels, height, width) as asked: resized, and divided by 255 or not."""
    import torch
    from torch.nn.functional import interpolate

    side = size or images.shape[-1]
    done = np.empty((*images.shape[:2], side, side), dtype)
    for start in range(0, len(images), _BATCH):
        batch = torch.from_numpy(np.array(images[start : start + _BATCH])).float()
        if side != images.shape[-1] or side != images.shape[-2]:
            batch = interpolate(batch, (side, side), mode="bilinear", antialias=True)
        if dtype == "uint8":
            done[start : start + _BATCH] = batch.round().clamp(0, 255).byte().numpy()
        else:
            done[start : start + _BATCH] = (batch / 255).numpy()
    return done


# -- readers: (folder, split, download) -> bytes (n, channels, height, width) and labels ---------


def _read_idx_pair(
    folder: Path, split: str, download: bool, dataset: str
) -> tuple[NDArray, NDArray]:
    """MNIST's files, straight from the .gz: torchvision would unpack them into the folder."""
    stem = "train" if split == "train" else "t10k"
    names = [f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte"]
    raw = folder / dataset / "raw"
    paths = [_existing(raw / name, raw / f"{name}.gz") for name in names]
    if None in paths and download:
        import torchvision

        getattr(torchvision.datasets, dataset)(folder, download=True)
        paths = [_existing(raw / name, raw / f"{name}.gz") for name in names]
    if None in paths:
        raise _missing(dataset, raw, names)
    images, labels = (_read_idx(path) for path in paths if path is not None)
    return images[:, None], labels


def _read_idx(path: Path) -> NDArray:
    opened = gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
    try:
        with opened as file:
            content = file.read()
    except (EOFError, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is damaged ({error}). Delete it and get it again.") from error
    n_dims = content[3] if len(content) > 3 else 0
    shape = np.frombuffer(content, ">u4", n_dims, 4) if len(content) >= 4 + 4 * n_dims else ()
    start = 4 + 4 * n_dims
    if content[:3] != b"\x00\x00\x08" or len(content) - start != np.prod(shape, dtype=np.int64):
        raise ValueError(f"{path} is damaged: its size or header is wrong. Get it again.")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _read_cifar10(folder: Path, split: str, download: bool) -> tuple[NDArray, NDArray]:
    pickled = folder / "cifar-10-batches-py"
    packed = folder / "cifar10" / "cifar10_jpeg.npz"
    if not pickled.is_dir() and packed.is_file():
        return _read_packed_jpegs(packed, split)
    if not pickled.is_dir() and not download:
        raise _missing("CIFAR10", folder, [pickled.name, "cifar10/cifar10_jpeg.npz"])
    import torchvision

    data = torchvision.datasets.CIFAR10(folder, train=split == "train", download=download)
    return data.data.transpose(0, 3, 1, 2), np.asarray(data.targets)


def _read_packed_jpegs(path: Path, split: str) -> tuple[NDArray, NDArray]:
    """JPEGs that share one header, stored once."""
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg

    with np.load(path) as archive:
        header = archive["jpeg_header"].tobytes()
        scans, offsets = archive[f"{split}_scan"], archive[f"{split}_offsets"]
        labels = archive[f"{split}_labels"]
    images = np.empty((len(labels), 3, 32, 32), np.uint8)
    for i in range(len(labels)):
        scan = scans[offsets[i] : offsets[i + 1]].tobytes()
        content = torch.frombuffer(bytearray(header + scan + b"\xff\xd9"), dtype=torch.uint8)
        images[i] = decode_jpeg(content, ImageReadMode.RGB).numpy()
    return images, labels


def _read_svhn(folder: Path, split: str, download: bool) -> tuple[NDArray, NDArray]:
    path = folder / f"{split}_32x32.mat"
    if not path.is_file() and not download:
        raise _missing("SVHN", folder, [path.name])
    import torchvision

    data = torchvision.datasets.SVHN(folder, split=split, download=download)
    first = 50_000 if split == "train" else 10_000
    return data.data[:first], data.labels[:first]


def _read_quickdraw(folder: Path, split: str, download: bool) -> tuple[NDArray, NDArray]:
    path = folder / "quickdraw" / "quickdraw4.npz"
    if not path.is_file():
        raise _missing("Quick, Draw!", path.parent, [path.name], downloadable=False)
    with np.load(path) as archive:
        images, labels = archive["images"], archive["labels"]
    rows = train_test_split(np.arange(len(labels)), test_size=0.2, stratify=labels, random_state=0)
    kept = rows[0 if split == "train" else 1]
    return images[kept][:, None], labels[kept]


def _existing(*paths: Path) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


def _missing(
    name: str, folder: Path, files: list[str], downloadable: bool = True
) -> FileNotFoundError:
    how = ", pass root=…" + (", or let it be downloaded with download=True" if downloadable else "")
    return FileNotFoundError(
        f"{name} is not there: looked for {', '.join(files)} in {folder}. Set the environment "
        f"variable SKACTIVE_DATA to the folder of the data sets{how}."
    )


_Reader = Callable[[Path, str, bool], tuple[NDArray, NDArray]]
_READERS: dict[str, tuple[_Reader, tuple[str, ...]]] = {
    "mnist": (lambda f, s, d: _read_idx_pair(f, s, d, "MNIST"), _DIGITS),
    "fashion_mnist": (lambda f, s, d: _read_idx_pair(f, s, d, "FashionMNIST"), _FASHION_CLASSES),
    "cifar10": (_read_cifar10, _CIFAR_CLASSES),
    "svhn": (_read_svhn, _DIGITS),
    "quickdraw": (_read_quickdraw, ("cat", "fish", "eye", "apple")),
}
