"""Random states: one integer seeds everything, and no global generator is touched."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from .typing import RandomState

_MAX_SEED = 2**31 - 1


def derive_seed(random_state: RandomState, *path: int) -> int:
    """Derive an independent integer seed from a random state.

    Parameters
    ----------
    random_state : None, int, numpy RandomState or numpy Generator
        ``None`` draws fresh entropy from the operating system; an integer gives the
        same seed for the same `path`; an instance is advanced by one draw.
    *path : int
        Where the seed is used (round, batch, member, …): different paths give
        independent seeds.

    Returns
    -------
    seed : int in [0, 2**31 - 1)

    Raises
    ------
    ValueError
        If `random_state` is none of the accepted kinds.
    """
    if random_state is None:
        entropy = np.random.SeedSequence()
    elif isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool):
        if random_state < 0:
            raise ValueError(f"random_state must be a non-negative integer, got {random_state}.")
        entropy = np.random.SeedSequence(int(random_state), spawn_key=path)
    elif isinstance(random_state, np.random.RandomState):
        entropy = np.random.SeedSequence(int(random_state.randint(_MAX_SEED)), spawn_key=path)
    elif isinstance(random_state, np.random.Generator):
        entropy = np.random.SeedSequence(int(random_state.integers(_MAX_SEED)), spawn_key=path)
    else:
        raise ValueError(
            "random_state must be None, a non-negative integer, a numpy RandomState or a numpy "
            f"Generator, got {random_state!r}."
        )
    return int(entropy.generate_state(1)[0] % _MAX_SEED)


@contextlib.contextmanager
def undrawn_on_error(random_state: RandomState) -> Iterator[None]:
    """Put a RandomState or Generator back to where it was if the block fails."""
    before: Any = None
    if isinstance(random_state, np.random.RandomState):
        before = random_state.get_state()
    elif isinstance(random_state, np.random.Generator):
        before = random_state.bit_generator.state
    try:
        yield
    except BaseException:
        if isinstance(random_state, np.random.RandomState):
            random_state.set_state(before)
        elif isinstance(random_state, np.random.Generator):
            random_state.bit_generator.state = before
        raise


def numpy_generator(random_state: RandomState, *path: int) -> np.random.Generator:
    """Return a numpy Generator of its own for `random_state` (see `derive_seed`)."""
    return np.random.default_rng(derive_seed(random_state, *path))


def torch_generator(
    random_state: RandomState, *path: int, device: str | torch.device = "cpu"
) -> torch.Generator:
    """Return a torch Generator of its own for `random_state` (see `derive_seed`)."""
    return torch.Generator(device=device).manual_seed(derive_seed(random_state, *path))


class _Restored:
    """A block after which generators of the process are as before it.

    A class, not a generator: one that an interrupt leaves suspended would put the generators back
    whenever it is collected.
    """

    def __enter__(self) -> None:
        self._before = self._states()
        try:
            self._change()
        except BaseException:
            self._restore()
            raise

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _states(self) -> tuple:
        return torch_states()

    def _change(self) -> None:
        """Nothing to change."""

    def _restore(self) -> None:
        restore_torch(*self._before)


class seeded_torch(_Restored):
    """Seed torch's global generators inside the block and restore them afterwards.

    For the places where torch takes no generator: weight initialisation, dropout
    layers, third-party attacks. These generators are the whole process's, so that the block is
    ``with ALONE, guarded_draws(), seeded_torch(seed):``, and threads take turns:
    trainings side by side are those of one after the other.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def _change(self) -> None:
        torch.manual_seed(self.seed)


class seeded_elsewhere(_Restored):
    """Seed NumPy's and Python's global generators inside the block and restore them afterwards.

    For others' code that draws from them: transforms of a Dataset, third-party attacks. Under
    ``ALONE`` as well, as in `seeded_torch`.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def _states(self) -> tuple:
        return other_states()

    def _change(self) -> None:
        np.random.seed(self.seed)  # noqa: NPY002
        random.seed(self.seed)

    def _restore(self) -> None:
        restore_others(*self._before)


class guarded_draws(_Restored):
    """Where the block fails, put all generators of the process back to where they were.

    Around `seeded_torch`, for the one line where a Ctrl-C keeps that from doing it: the first of
    its own end. One interrupt does not meet both ends.
    """

    def _states(self) -> tuple:
        return torch_states(), other_states()

    def __exit__(self, *raised: object) -> None:
        if raised[0] is not None:
            self._restore()

    def _restore(self) -> None:
        restore_torch(*self._before[0])
        restore_others(*self._before[1])


def torch_states() -> tuple:
    """States of torch's global generators: the CPU's, and the GPUs' if there are any in use."""
    on_gpu = torch.cuda.is_initialized()
    return torch.random.get_rng_state(), torch.cuda.get_rng_state_all() if on_gpu else None


def restore_torch(cpu: torch.Tensor, gpus: list | None) -> None:
    """Put torch's global generators back."""
    torch.random.set_rng_state(cpu)
    if gpus is not None:
        torch.cuda.set_rng_state_all(gpus)


def other_states() -> tuple:
    """States of NumPy's and Python's global generators."""
    return np.random.get_state(), random.getstate()  # noqa: NPY002


def restore_others(numpy_state: Any, python_state: Any) -> None:
    """Put NumPy's and Python's global generators back."""
    np.random.set_state(numpy_state)  # noqa: NPY002
    random.setstate(python_state)
