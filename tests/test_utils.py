"""Rows of any pool, random states, and modules left as they were."""

import ast
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_array_equal
from torch import nn

import skactive
from skactive.passes.modules import module_device, untouched
from skactive.utils.alone import ALONE
from skactive.utils.indexing import AllBut, Rows, n_rows, take_rows
from skactive.utils.random_state import derive_seed, numpy_generator, seeded_torch, torch_generator
from skactive.utils.stacking import stack_rows

VALUES = np.arange(24, dtype=np.float32).reshape(6, 4)


def containers():
    pd = pytest.importorskip("pandas")
    return {
        "array": VALUES,
        "csr": sp.csr_matrix(VALUES),
        "coo": sp.coo_matrix(VALUES),
        "tensor": torch.as_tensor(VALUES.copy()),
        "frame": pd.DataFrame(VALUES, columns=list("abcd")),
        "list": VALUES.tolist(),
    }


def dense(X):
    if sp.issparse(X):
        return X.toarray()
    return np.asarray(X, dtype=np.float32)


@pytest.mark.parametrize("kind", ["array", "csr", "coo", "tensor", "frame", "list"])
def test_rows_of_every_container(kind):
    X = containers()[kind]
    assert n_rows(X) == 6
    assert_array_equal(dense(take_rows(X, np.array([4, 0]))), VALUES[[4, 0]])
    assert_array_equal(
        dense(stack_rows(X, take_rows(X, np.array([1])))), VALUES[[0, 1, 2, 3, 4, 5, 1]]
    )
    rows = Rows(X, np.array([5, 2, 3]))
    assert len(rows) == 3
    assert_array_equal(dense(rows.take(np.array([1]))), VALUES[[2]])
    batches = list(rows.batches(2))
    assert [window for window, _ in batches] == [slice(0, 2), slice(2, 3)]
    assert_array_equal(np.vstack([dense(batch) for _, batch in batches]), VALUES[[5, 2, 3]])


def test_torch_datasets_stay_lazy():
    dataset = torch.utils.data.TensorDataset(torch.as_tensor(VALUES))
    taken = take_rows(dataset, np.array([3, 1]))
    assert isinstance(taken, torch.utils.data.Subset)
    assert_array_equal(taken[0][0], VALUES[3])
    assert n_rows(stack_rows(taken, dataset)) == 8


def test_all_rows_are_the_pool_itself():
    assert Rows(VALUES).materialise() is VALUES
    assert np.shares_memory(Rows(VALUES).take(slice(0, 2)), VALUES)


def test_a_memmap_is_read_in_parts(tmp_path):
    path = tmp_path / "pool.npy"
    np.save(path, VALUES)
    pool = np.load(path, mmap_mode="r")
    windows = [batch for _, batch in Rows(pool).batches(4)]
    assert all(isinstance(batch, np.memmap) for batch in windows)


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"rows of shape \(4,\).*rows of shape \(3,\)"):
        stack_rows(VALUES, VALUES[:, :3])
    frame = containers()["frame"]
    with pytest.raises(ValueError, match="same columns"):
        stack_rows(frame, frame.rename(columns={"a": "z"}))
    with pytest.raises(TypeError, match="needs a length"):
        n_rows(3.0)


def test_seeds_repeat_differ_by_path_and_leave_the_globals_alone():
    before = np.random.get_state()[1].copy()
    assert derive_seed(3, 1) == derive_seed(3, 1)
    assert len({derive_seed(3), derive_seed(3, 0), derive_seed(3, 1), derive_seed(4, 1)}) == 4
    assert derive_seed(None) != derive_seed(None)
    assert derive_seed(np.random.RandomState(0)) == derive_seed(np.random.RandomState(0))
    assert derive_seed(np.random.default_rng(0)) == derive_seed(np.random.default_rng(0))
    assert numpy_generator(1).random() == numpy_generator(1).random()
    assert torch_generator(1).initial_seed() == torch_generator(1).initial_seed()
    assert_array_equal(before, np.random.get_state()[1])
    for bad in (-1, "seed", 1.5, True):
        with pytest.raises(ValueError, match="random_state must be"):
            derive_seed(bad)


def test_what_seeds_the_process_takes_its_lock():
    """In C, at the head of the block: nothing can come between taking and giving back."""
    blocks = [
        [ast.unparse(item.context_expr) for item in node.items]
        for path in Path(skactive.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.With)
    ]
    seeding = [block for block in blocks if any("seeded_" in item for item in block)]
    assert len(seeding) >= 5
    assert all(block[:2] == ["ALONE", "guarded_draws()"] for block in seeding), seeding


def test_seeded_torch_restores_the_generator():
    before = torch.random.get_rng_state()
    with seeded_torch(0):
        first = torch.rand(3)
    with seeded_torch(0):
        assert torch.equal(first, torch.rand(3))
    assert torch.equal(before, torch.random.get_rng_state())


class Locked(nn.Sequential):
    """Cannot be copied, so that it is run itself."""

    def __init__(self, *layers):
        super().__init__(*layers)
        self.lock = threading.Lock()


@pytest.mark.parametrize("kind", [nn.Sequential, Locked])
def test_untouched_leaves_everything_even_after_an_error(kind):
    module = kind(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.5))
    module.train()
    module[1].eval()
    module[0].weight.requires_grad_(False)
    module[0].bias.grad = torch.ones(2)
    with pytest.raises(RuntimeError, match="inside"), untouched(module) as net:
        assert (net is module) == (kind is Locked)
        assert not any(sub.training for sub in net.modules())
        assert not any(p.requires_grad for p in net.parameters())
        assert net[0].weight.data_ptr() == module[0].weight.data_ptr()
        net[0].bias.grad = None
        raise RuntimeError("inside")
    assert [sub.training for sub in module.modules()] == [True, True, False, True]
    assert [p.requires_grad for p in module.parameters()] == [False, True, True, True]
    assert torch.equal(module[0].bias.grad, torch.ones(2))


class Remembering(nn.Module):
    """Reads in `forward` what a hook wrote."""

    def __init__(self, how):
        super().__init__()
        self.body, self.drop, self.head = nn.Linear(2, 3), nn.Dropout(0.9), nn.Linear(3, 2)
        self.parts = [self.body, self.drop]
        if how == "method":
            self.body.register_forward_hook(self.note)
        else:
            self.body.register_forward_hook(lambda sub, _, output: self.note(sub, _, output))

    def note(self, sub, _, output):
        self.seen = output

    def forward(self, X):
        for part in self.parts:
            X = part(X)
        return self.head(self.seen + X)


@pytest.mark.parametrize("how", ["method", "function"])
def test_hooks_and_other_references_belong_to_what_is_run(how):
    module = Remembering(how)
    X = torch.rand(4, 2)
    expected = module.eval()(X)
    module.train()
    del module.seen
    with untouched(module, freeze=False) as net:
        assert torch.equal(net(X), expected)
    assert module.training


def test_parametrized_and_recurrent_layers_can_be_copied():
    module = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), nn.LSTM(4, 2))
    module.append(nn.utils.spectral_norm(nn.Linear(3, 2)))
    X = torch.rand(5, 3)
    expected = [module[1](module[0](X))[0], module.eval()[2](X)]
    module.train()
    before = module.state_dict()
    with untouched(module) as net:
        assert net is not module
        found = [net[1](net[0](X))[0], net[2](X)]
    assert all(map(torch.allclose, found, expected))
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def test_a_generator_that_is_seeded_is_one_threads_at_a_time():
    def draw(seed):
        with ALONE, seeded_torch(seed):
            return [torch.rand(1).item() for _ in range(200)]

    expected = [draw(seed) for seed in range(4)]
    before = torch.random.get_rng_state()
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(draw, range(4))) == expected
    assert torch.equal(before, torch.random.get_rng_state())


def test_device_of_a_module_without_parameters():
    assert module_device(nn.Flatten()) == torch.device("cpu")


def test_estimators_of_all_kinds_are_of_the_type():
    from sklearn.linear_model import LogisticRegression

    from skactive import ActiveLearner
    from skactive.utils.typing import Estimator

    for estimator in (LogisticRegression(), ActiveLearner(LogisticRegression())):
        assert isinstance(estimator, Estimator)
    assert not isinstance(object(), Estimator)


@pytest.mark.parametrize("excluded", [[], [0], [4], [9], [0, 1, 2], [3, 5, 9], list(range(9))])
def test_all_but_a_few_positions_are_an_array_that_nobody_holds(excluded):
    expected = np.setdiff1d(np.arange(10), excluded)
    found, pool = AllBut(10, np.array(excluded, dtype=np.intp)), np.arange(10) * 10
    assert len(found) == len(expected)
    assert_array_equal(np.asarray(found), expected)
    at = np.arange(len(expected))[::-1]
    assert_array_equal(found[at], expected[at])
    assert_array_equal(found[at % 2 == 0], expected[at % 2 == 0])
    for start in range(len(expected)):
        for stop in range(start, len(expected) + 2):
            window = slice(start, stop)
            assert_array_equal(pool[found[window]], pool[expected[window]])
    rows = Rows(pool, found)
    assert_array_equal(rows.materialise(), pool[expected])
    assert_array_equal(rows.subset(at).materialise(), pool[expected[at]])


def test_where_nothing_is_left_out_in_between_a_slice_of_the_pool_is_read():
    found = AllBut(100, np.array([10, 11, 50]))
    assert found[0:10] == slice(0, 10)
    assert found[10:20] == slice(12, 22)
    assert isinstance(found[40:60], np.ndarray)
