"""Data sets: tiny files in the published formats, damaged ones, and the real ones if there."""

import gzip
import io
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.io import savemat
from torch.nn.functional import interpolate

from skactive import datasets
from skactive.datasets import (
    load_cifar10,
    load_dataset,
    load_digits,
    load_fashion_mnist,
    load_mnist,
    load_quickdraw,
    load_svhn,
)
from skactive.datasets._idx import read_idx

N_TRAIN, N_TEST = 60, 40
STEMS = {"train": N_TRAIN, "t10k": N_TEST}


@pytest.fixture(autouse=True)
def no_default_root(monkeypatch, tmp_path, request):
    """Generated files only, except for the tests on real data."""
    if "data_root" not in request.fixturenames:
        monkeypatch.setenv("SKACTIVE_DATA", str(tmp_path))


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def idx_bytes(array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.tobytes()


def write_idx(root, folder="MNIST", packed=True):
    raw = root / folder / "raw"
    raw.mkdir(parents=True)
    for seed, (stem, n) in enumerate(STEMS.items()):
        images, labels = pixels(n, 28, 28, seed=seed), (np.arange(n) % 10).astype(np.uint8)
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            content = idx_bytes(array)
            path = raw / f"{stem}-{name}-ubyte"
            if packed:
                path.with_name(path.name + ".gz").write_bytes(gzip.compress(content))
            else:
                path.write_bytes(content)
    return raw


def write_cifar_batches(root):
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    for i, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        batch = {"data": pixels(20, 3072, seed=i), "labels": [i] * 20}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))  # as the published files
    return folder


def write_cifar_jpegs(root, n=20):
    """Smooth images, so that JPEG keeps them; headers of one size and quality are alike."""
    from PIL import Image

    content, images = {}, {}
    for split in ("train", "test"):
        ramp = np.linspace(0, 200, 32)
        images[split] = np.stack([np.full((32, 32, 3), i) + ramp[:, None, None] for i in range(n)])
        scans = []
        for image in images[split].astype(np.uint8):
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "JPEG", quality=95)
            header, scan = buffer.getvalue()[:300], buffer.getvalue()[300:-2]
            scans.append(np.frombuffer(scan, np.uint8))
            assert content.setdefault("jpeg_header", header) == header
        content[f"{split}_scan"] = np.concatenate(scans)
        content[f"{split}_offsets"] = np.cumsum([0, *map(len, scans)]).astype(np.int32)
        content[f"{split}_labels"] = np.arange(n) % 10
    content["jpeg_header"] = np.frombuffer(content["jpeg_header"], np.uint8)
    (root / "cifar10").mkdir()
    np.savez(root / "cifar10" / "cifar10_jpeg.npz", **content)
    return {split: array.transpose(0, 3, 1, 2) for split, array in images.items()}


def write_svhn(root):
    for split, n in (("train", 30), ("test", 20)):
        labels = np.arange(1, n + 1) % 10
        labels[labels == 0] = 10
        savemat(
            root / f"{split}_32x32.mat",
            {"X": pixels(32, 32, 3, n), "y": labels[:, None].astype(np.uint8)},
        )


def write_quickdraw(root):
    (root / "quickdraw").mkdir()
    path = root / "quickdraw" / "quickdraw4.npz"
    names = np.array(["cat", "fish", "eye", "apple"])
    np.savez(path, images=pixels(80, 28, 28), labels=np.repeat(range(4), 20), class_names=names)


# -- formats -------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    ("folder", "load"), [("MNIST", load_mnist), ("FashionMNIST", load_fashion_mnist)]
)
def test_idx_files_packed_or_not(tmp_path, folder, load, packed):
    write_idx(tmp_path, folder, packed)
    before = sorted(tmp_path.rglob("*"))
    data = load(root=tmp_path)
    assert data.X_train.shape == (N_TRAIN, 1, 28, 28)
    assert data.X_train.dtype == np.float32
    assert data.y_train.dtype == np.int64
    expected = pixels(N_TEST, 28, 28, seed=1)[:, None].astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(data.X_test, expected)
    np.testing.assert_array_equal(data.y_test, np.arange(N_TEST) % 10)
    assert len(data.class_names) == 10
    assert sorted(tmp_path.rglob("*")) == before  # nothing is unpacked


def test_cifar10_batches(tmp_path):
    write_cifar_batches(tmp_path)
    data = load_cifar10(dtype="uint8")
    assert data.X_train.shape == (100, 3, 32, 32)
    np.testing.assert_array_equal(data.X_train[20:40].reshape(20, -1), pixels(20, 3072, seed=1))
    np.testing.assert_array_equal(data.y_train, np.repeat(range(5), 20))
    np.testing.assert_array_equal(data.y_test, np.full(20, 5))
    assert data.class_names[5] == "dog"


def test_cifar10_jpegs(tmp_path):
    images = write_cifar_jpegs(tmp_path)
    data = load_cifar10(dtype="uint8")
    assert data.X_train.shape == (20, 3, 32, 32)
    assert np.abs(data.X_train - images["train"]).max() < 5
    np.testing.assert_array_equal(data.y_test, np.arange(20) % 10)


def test_cifar10_jpegs_that_are_not_kept_are_not_decoded(tmp_path, monkeypatch):
    from PIL import Image

    write_cifar_jpegs(tmp_path)
    whole = load_cifar10()
    decoded = []
    decode = Image.open
    monkeypatch.setattr(Image, "open", lambda file: (decoded.append(1), decode(file))[1])
    data = load_cifar10(n_train=7, n_test=3)
    assert len(decoded) == 10
    assert all((image == whole.X_train).all((1, 2, 3)).any() for image in data.X_train)


def test_cifar10_prefers_the_lossless_files(tmp_path):
    write_cifar_jpegs(tmp_path)
    write_cifar_batches(tmp_path)
    assert len(load_cifar10().X_train) == 100


def test_svhn_calls_ten_zero(tmp_path):
    write_svhn(tmp_path)
    data = load_svhn(dtype="uint8")
    assert data.X_train.shape == (30, 3, 32, 32)
    np.testing.assert_array_equal(data.X_train[4], pixels(32, 32, 3, 30)[..., 4].transpose(2, 0, 1))
    np.testing.assert_array_equal(data.y_train, np.arange(1, 31) % 10)


def test_svhn_keeps_the_first_images(tmp_path, monkeypatch):
    from skactive.datasets import _svhn

    write_svhn(tmp_path)
    whole = load_svhn()
    monkeypatch.setitem(_svhn._N_KEPT, "train", 25)
    monkeypatch.setitem(_svhn._N_KEPT, "test", 10)
    data = load_svhn()
    np.testing.assert_array_equal(data.X_train, whole.X_train[:25])
    np.testing.assert_array_equal(data.y_test, whole.y_test[:10])


def test_quickdraw_has_the_same_test_data_for_every_seed(tmp_path):
    write_quickdraw(tmp_path)
    data, other = load_quickdraw(), load_quickdraw(random_state=7)
    assert data.X_train.shape == (64, 1, 28, 28)
    assert data.class_names == ("cat", "fish", "eye", "apple")
    np.testing.assert_array_equal(np.bincount(data.y_test), [4, 4, 4, 4])
    np.testing.assert_array_equal(data.X_test, other.X_test)


def test_digits():
    data = load_digits()
    assert data.X_train.shape == (1347, 1, 8, 8)
    assert data.X_train.dtype == np.float32
    assert (data.X_train.min(), data.X_train.max()) == (0, 1)
    assert set(np.unique(data.X_train * 16)) == set(range(17))
    assert np.ptp(np.bincount(data.y_test)) <= 3
    assert not np.array_equal(load_digits(random_state=1).X_test, data.X_test)
    assert len(load_digits(test_size=0.5).X_test) == 899


def test_digits_as_bytes_span_the_range():
    data, floats = load_digits(dtype="uint8"), load_digits()
    assert data.X_train.dtype == np.uint8
    assert np.abs(data.X_train / 255 - floats.X_train).max() <= 0.5 / 255 + 1e-6


# -- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize("stratify", [False, True])
def test_subsets_are_seeded_distinct_and_in_stored_order(tmp_path, stratify):
    write_idx(tmp_path)
    whole = load_mnist()

    def load(seed):
        return load_mnist(n_train=25, n_test=10, stratify=stratify, random_state=seed)

    data, again, other = load(0), load(0), load(1)
    rows = [
        np.flatnonzero((whole.X_train == image).all((1, 2, 3))).item() for image in data.X_train
    ]
    assert rows == sorted(set(rows))
    assert len(rows) == 25
    np.testing.assert_array_equal(whole.y_train[rows], data.y_train)
    np.testing.assert_array_equal(data.X_train, again.X_train)
    np.testing.assert_array_equal(data.X_test, again.X_test)
    assert not np.array_equal(data.X_train, other.X_train)


@pytest.mark.parametrize("n", [1, 10, 37, 300, 1347])
def test_stratified_subsets_keep_the_class_proportions(n):
    whole = np.bincount(load_digits().y_train)
    counts = np.bincount(load_digits(n_train=n, stratify=True).y_train, minlength=10)
    assert counts.sum() == n
    assert np.abs(counts - n * whole / whole.sum()).max() <= 1


def test_subsets_draw_neither_from_nor_into_the_global_generators(tmp_path):
    write_idx(tmp_path)
    np.random.seed(0)
    torch.manual_seed(0)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    load_mnist(n_train=5, random_state=None)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.get_rng_state(), before[1])


def test_validation_is_the_first_half_of_the_test_data(tmp_path):
    write_idx(tmp_path)
    whole, data = load_mnist(), load_mnist(validation=True)
    assert whole.X_val is None
    np.testing.assert_array_equal(data.X_val, whole.X_test[:20])
    np.testing.assert_array_equal(data.y_test, whole.y_test[20:])
    np.testing.assert_array_equal(data.X_train, whole.X_train)
    small = load_mnist(validation=True, n_test=5)
    assert (len(small.X_val), len(small.y_val), len(small.X_test)) == (5, 5, 5)
    for image in small.X_val:
        assert (image == whole.X_test[:20]).all((1, 2, 3)).any()


def test_resizing_is_bilinear_like_pillow(tmp_path):
    from PIL import Image

    write_idx(tmp_path)
    image = pixels(N_TRAIN, 28, 28)[3]
    for size in (14, 32):
        expected = np.asarray(Image.fromarray(image).resize((size, size), Image.BILINEAR), float)
        got = load_mnist(size=size).X_train[3, 0] * 255
        assert np.abs(got - expected).max() <= 1
        assert np.abs(load_mnist(size=size, dtype="uint8").X_train[3, 0] - got).max() <= 0.5 + 1e-4


def test_enlarging_is_plain_bilinear_and_stays_in_bounds(tmp_path):
    write_idx(tmp_path)
    small, large = load_mnist(), load_mnist(size=32)
    expected = interpolate(torch.from_numpy(small.X_train), (32, 32), mode="bilinear")
    np.testing.assert_allclose(large.X_train, expected, atol=1e-6)
    assert large.X_train.min() >= 0
    assert large.X_train.max() <= 1


def test_batches_do_not_show(tmp_path, monkeypatch):
    from skactive.datasets import _assemble

    write_idx(tmp_path)
    whole = load_mnist(size=32, n_test=33)
    monkeypatch.setattr(_assemble, "_BATCH", 7)
    batched = load_mnist(size=32, n_test=33)
    np.testing.assert_array_equal(whole.X_train, batched.X_train)
    np.testing.assert_array_equal(whole.X_test, batched.X_test)


@pytest.mark.parametrize("name", ["mnist", "MNIST", "Fashion-MNIST", "CIFAR-10", "quick_draw"])
def test_names_are_read_leniently(tmp_path, name):
    write_idx(tmp_path)
    write_idx(tmp_path, "FashionMNIST")
    write_cifar_batches(tmp_path)
    write_quickdraw(tmp_path)
    data = load_dataset(name)
    assert data.name in ("mnist", "fashion_mnist", "cifar10", "quickdraw")
    assert repr(data).startswith(f"ImageDataset('{data.name}', ")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnits", "Did you mean 'mnist'"),
        ("fashoin", "Did you mean 'fashion_mnist'"),
        ("imagenet-22k-full", r"no data set .*There are digits, mnist"),
    ],
)
def test_unknown_names_are_refused(name, message):
    with pytest.raises(ValueError, match=message):
        load_dataset(name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_train": 0}, "'n_train'"),
        ({"n_test": 2.5}, "'n_test'"),
        ({"size": -1}, "'size'"),
        ({"dtype": "float16"}, "'dtype'"),
        ({"validation": "yes"}, "'validation'"),
        ({"n_train": 1348}, "n_train must be at most 1347 here, got 1348"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        load_digits(**options)


def test_misspelt_options_are_refused():
    with pytest.raises(TypeError, match="n_trian"):
        load_mnist(n_trian=5)


# -- missing and damaged files -------------------------------------------------------------------

LOADERS = [load_mnist, load_fashion_mnist, load_cifar10, load_svhn]


@pytest.mark.parametrize("load", LOADERS)
def test_missing_files_say_where_and_how(tmp_path, load):
    with pytest.raises(FileNotFoundError) as caught:
        load()
    for part in (str(tmp_path), "Looked for", "SKACTIVE_DATA", "root=", "download=True"):
        assert part in str(caught.value)


def test_what_cannot_be_downloaded_does_not_offer_it():
    for download in (False, True):
        with pytest.raises(FileNotFoundError, match=r"quickdraw4\.npz.*nothing to download"):
            load_quickdraw(download=download)


def test_the_default_root_is_a_cache_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("SKACTIVE_DATA")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=str(tmp_path / ".cache" / "skactive")):
        load_mnist()
    write_idx(tmp_path / "elsewhere")
    assert len(load_mnist(root="~/elsewhere").X_train) == N_TRAIN


@pytest.mark.parametrize(
    ("load", "torchvision_name", "write"),
    [
        (load_mnist, "MNIST", write_idx),
        (load_cifar10, "CIFAR10", write_cifar_batches),
        (load_svhn, "SVHN", write_svhn),
    ],
)
def test_download_fetches_once_through_torchvision(
    tmp_path, monkeypatch, load, torchvision_name, write
):
    import torchvision

    calls = []

    def fetch(root, *, download, split="train"):
        calls.append((root, split))
        if split == "train":
            write(root)

    monkeypatch.setattr(torchvision.datasets, torchvision_name, fetch)
    first = load(download=True)
    fetched = list(calls)
    assert {root for root, _ in fetched} == {tmp_path}
    assert (torchvision_name == "SVHN") == ("test" in [split for _, split in fetched])
    np.testing.assert_array_equal(load(download=True).X_train, first.X_train)
    assert calls == fetched


def test_a_failed_download_names_the_folder(tmp_path, monkeypatch):
    import torchvision

    def fail(root, *, download):
        raise RuntimeError("no route to host")

    monkeypatch.setattr(torchvision.datasets, "MNIST", fail)
    with pytest.raises(OSError, match="could not be downloaded into .*no route to host"):
        load_mnist(download=True)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-9], "train-images-idx3-ubyte is damaged .*do not hold an array"),
        (lambda content: content + b"0", "do not hold an array of shape"),
        (lambda content: b"\x1f" + content[1:], "magic number 1f000803, expected 00000803"),
        (lambda content: content[:10], "is damaged"),
        (lambda content: b"", "is damaged"),
    ],
)
def test_damaged_idx_files_are_named(tmp_path, damage, message):
    path = write_idx(tmp_path, packed=False) / "train-images-idx3-ubyte"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(OSError, match=message):
        load_mnist()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:200],
        lambda content: b"not gzip" + content,
        lambda content: content[:300] + bytes(50) + content[350:],
    ],
)
def test_damaged_gz_files_are_named(tmp_path, damage):
    path = write_idx(tmp_path) / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(OSError, match=r"t10k-images-idx3-ubyte\.gz is damaged .*get it again"):
        load_mnist()


def test_labels_that_do_not_fit_the_images_are_refused(tmp_path):
    path = write_idx(tmp_path, packed=False) / "train-labels-idx1-ubyte"
    path.write_bytes(idx_bytes(np.zeros(N_TRAIN - 1, np.uint8)))
    with pytest.raises(OSError, match=f"{N_TRAIN} images but {N_TRAIN - 1} labels"):
        load_mnist()
    path.write_bytes(idx_bytes(np.full(N_TRAIN, 10, np.uint8)))
    with pytest.raises(OSError, match="label 10, expected 0 to 9"):
        load_mnist()


def test_damaged_cifar_svhn_and_quickdraw_files_are_named(tmp_path):
    write_cifar_batches(tmp_path)
    write_svhn(tmp_path)
    write_quickdraw(tmp_path)
    for load, name in (
        (load_cifar10, "cifar-10-batches-py/data_batch_3"),
        (load_svhn, "test_32x32.mat"),
        (load_quickdraw, "quickdraw/quickdraw4.npz"),
    ):
        path = tmp_path / name
        content = path.read_bytes()
        for kept in (0, 60, len(content) // 2, len(content) - 60):
            path.write_bytes(content[:kept])
            with pytest.raises(OSError, match=f"{path.name} is damaged"):
                load()


def test_damaged_jpegs_are_named(tmp_path):
    write_cifar_jpegs(tmp_path)
    path = tmp_path / "cifar10" / "cifar10_jpeg.npz"
    with np.load(path) as archive:
        content = dict(archive)
    for change in (
        {"jpeg_header": content["jpeg_header"][:20]},
        {"train_offsets": content["train_offsets"][:-1]},
        {"train_labels": None},
    ):
        changed = {key: array for key, array in (content | change).items() if array is not None}
        np.savez(path, **changed)
        with pytest.raises(OSError, match=r"cifar10_jpeg\.npz is damaged"):
            load_cifar10()


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    folder = write_cifar_batches(tmp_path)

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    (folder / "data_batch_1").write_bytes(pickle.dumps(Evil(), protocol=2))
    with pytest.raises(OSError, match="data_batch_1 is damaged .*expected arrays only"):
        load_cifar10()
    assert not (tmp_path / "ran").exists()


def test_one_missing_cifar_batch_is_missing_not_damaged(tmp_path):
    (write_cifar_batches(tmp_path) / "data_batch_4").unlink()
    with pytest.raises(FileNotFoundError, match="data_batch_4"):
        load_cifar10()


def test_public_names_and_lazy_imports():
    assert set(datasets.__all__) == {name for name in vars(datasets) if name[0] != "_"}
    code = (
        "import sys, skactive.datasets; skactive.datasets.load_digits();"
        # scikit-learn itself imports pandas where it is installed.
        "assert not {'torchvision', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# -- the real data, where it is ------------------------------------------------------------------


def there(load, root, **options):
    try:
        return load(root=root, **options)
    except FileNotFoundError as error:
        pytest.skip(str(error))


def test_real_mnist(data_root):
    data = there(load_mnist, data_root, dtype="uint8")
    assert data.X_train.shape == (60_000, 1, 28, 28)
    assert data.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(data.y_train).tolist() == counts
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(data.y_test).tolist() == counts
    assert data.X_train.mean() / 255 == pytest.approx(0.13066, abs=1e-5)
    assert data.X_train.std() / 255 == pytest.approx(0.30811, abs=1e-5)


def test_real_fashion_mnist(data_root):
    data = there(load_fashion_mnist, data_root, dtype="uint8")
    assert np.bincount(data.y_train).tolist() == [6000] * 10
    assert np.bincount(data.y_test).tolist() == [1000] * 10
    assert data.X_train.mean() / 255 == pytest.approx(0.28604, abs=1e-5)
    assert data.class_names[data.y_train[0]] == "Ankle boot"


def test_real_mnist_as_the_papers_split_it(data_root):
    data = there(load_mnist, data_root, size=32, validation=True, n_train=100)
    assert data.X_train.shape == (100, 1, 32, 32)
    assert data.X_val.shape == data.X_test.shape == (5000, 1, 32, 32)
    assert data.y_val[:3].tolist() == [7, 2, 1]


def test_real_cifar10(data_root):
    data = there(load_cifar10, data_root, n_train=300, n_test=50, stratify=True)
    assert data.X_train.shape == (300, 3, 32, 32)
    assert np.bincount(data.y_train).tolist() == [30] * 10
    means = data.X_train.mean((0, 2, 3))
    np.testing.assert_allclose(means, [0.4913, 0.4821, 0.4465], atol=0.03)


def test_real_quickdraw(data_root):
    data = there(load_quickdraw, data_root)
    assert np.bincount(data.y_train).tolist() == [1200] * 4
    assert data.class_names == ("cat", "fish", "eye", "apple")


def test_a_small_file_does_not_unpack_to_gigabytes(tmp_path):
    import tracemalloc

    path = tmp_path / "train-images-idx3-ubyte.gz"
    header = bytes([0, 0, 8, 3]) + np.array([2, 4, 4], ">u4").tobytes()
    path.write_bytes(gzip.compress(header + bytes(200_000_000), compresslevel=1))
    tracemalloc.start()
    with pytest.raises(OSError, match="ubyte.gz is damaged .*do not hold an array"):
        read_idx(path, 3)
    huge = bytes([0, 0, 8, 3]) + np.array([2**31, 2**10, 2**10], ">u4").tobytes()
    path.write_bytes(gzip.compress(huge))
    with pytest.raises(OSError, match="too small to hold an array"):
        read_idx(path, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("load", [load_quickdraw, load_cifar10, load_svhn])
def test_small_archives_do_not_unpack_to_gigabytes(load, tmp_path, monkeypatch):
    import tracemalloc

    from skactive.datasets import _source

    {load_quickdraw: write_quickdraw, load_cifar10: write_cifar_jpegs, load_svhn: write_svhn}[load](
        tmp_path
    )
    load(root=tmp_path)
    monkeypatch.setattr(_source, "MOST_BYTES", 500_000)
    load(root=tmp_path)  # what is no bomb is read
    zeros = np.zeros(60_000_000, np.uint8)
    if load is load_svhn:
        savemat(tmp_path / "train_32x32.mat", {"X": zeros, "y": [[1]]}, do_compression=True)
    else:
        (path,) = tmp_path.rglob("*.npz")
        np.savez_compressed(path, **{**dict(np.load(path)), "more": zeros})
    del zeros
    tracemalloc.start()
    with pytest.raises(OSError, match="is damaged .*unpacks to more than 500,000 bytes"):
        load(root=tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_jpegs_of_another_size_are_refused_before_they_are_decoded(tmp_path):
    from PIL import Image

    from skactive.datasets._cifar10 import _decode_jpegs

    buffer = io.BytesIO()
    Image.new("RGB", (64, 32)).save(buffer, "JPEG")
    with pytest.raises(ValueError, match="image 0 is of 64 by 32 pixels"):
        _decode_jpegs([buffer.getvalue()], 1)
