"""Square for rows of features, whose order means nothing."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from ..utils.typing import RandomState
from ..utils.validation import COUNT, Number
from ._base import Attack, Loss
from ._torchattacks import TorchAttack

# Square halves the share of features it moves after so many queries.
_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)

# Settings of torchattacks' Square that say what is done here anyway.
_ALSO_HERE = {"norm": "Linf", "n_restarts": 1, "loss": "margin", "resc_schedule": False}


class TabularSquare(Attack):
    """Black-box random search for tables: Square with subsets of features in place of windows.

    Every feature is at one end of its interval, ``x ± eps`` within `bounds`. Each query sends a
    random subset of them to the other end and keeps what does not raise the margin of the true
    class, until another class wins. It asks for predictions only and serves any classifier.

    Parameters
    ----------
    eps : float, default=8/255
        Radius (L∞), in the units of the features.
    n_queries : int, default=5000
        Predictions asked for each sample, at most. A forest takes its time: a tenth is a fair
        start.
    p_init : float in (0, 1], default=0.8
        Share of the features that move at first; halved on Square's schedule.
    bounds : (float, float), default=(0, 1)
        Range of all features. Scale the table to it (``MinMaxScaler``), or pass its own.
    random_state : None, int, RandomState or Generator, default=None

    Notes
    -----
    For a linear model it ends at the exact worst case. Trees are constant between their
    thresholds: where no query changes the margin the search walks at random, and what it finds is
    an upper bound of the robust accuracy, as with every attack. The ``loss`` of a call is not used.

    References
    ----------
    Andriushchenko et al., "Square Attack: a query-efficient black-box adversarial attack via
    random search", ECCV 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.preprocessing import minmax_scale
    >>> from skactive.attacks import TabularSquare
    >>> from skactive.metrics import robust_accuracy_score
    >>> X, y = load_iris(return_X_y=True)
    >>> X = minmax_scale(X)
    >>> model = LogisticRegression().fit(X, y)
    >>> attack = TabularSquare(eps=0.1, n_queries=200)
    >>> bool(robust_accuracy_score(model, X, y, attack) < model.score(X, y))
    True
    """

    needs_gradients = False
    _parameter_constraints: ClassVar[dict[str, list]] = {
        **Attack._parameter_constraints,
        "n_queries": [COUNT],
        "p_init": [Number("a number in (0, 1]", 0, 1, closed="right")],
    }

    def __init__(
        self,
        eps: float = 8 / 255,
        n_queries: int = 5000,
        p_init: float = 0.8,
        bounds: tuple[float, float] = (0, 1),
        random_state: RandomState = None,
    ) -> None:
        self.eps = eps
        self.n_queries = n_queries
        self.p_init = p_init
        self.bounds = bounds
        self.random_state = random_state

    def _perturb(
        self,
        module: nn.Module,
        X: Tensor,
        y: Tensor,
        loss: Loss | None,
        generator: torch.Generator,
    ) -> Tensor:
        low = (X.flatten(1) - self.eps).clamp(min=float(self.bounds[0]))
        high = (X.flatten(1) + self.eps).clamp(max=float(self.bounds[1]))

        def uniform(n: int) -> Tensor:
            return torch.rand(n, low.shape[1], generator=generator, device=X.device)

        def margins(at_high: Tensor, rows: Tensor) -> Tensor:
            moved = torch.where(at_high, high[rows], low[rows])
            return _margins(module(moved.reshape(-1, *X.shape[1:])), y[rows])

        with torch.no_grad():
            best = uniform(len(X)) < 0.5
            left = torch.arange(len(X), device=X.device)
            margin = margins(best, left)
            for query in range(1, self.n_queries):
                left = (margin > 0).nonzero()[:, 0]
                if len(left) == 0:
                    break
                tried = best[left] ^ _smallest(uniform(len(left)), self._n_moved(query, X))
                found = margins(tried, left)
                better = found <= margin[left]
                best[left[better]], margin[left[better]] = tried[better], found[better]
        return torch.where(best, high, low).reshape(X.shape)

    def _n_moved(self, query: int, X: Tensor) -> int:
        share = self.p_init / 2 ** sum(query > after for after in _HALVINGS)
        return max(1, round(share * X[0].numel()))


def for_rows(attack: Attack) -> Attack:
    """The attack that serves rows of features: Square's windows mean nothing there.

    Raises
    ------
    ValueError
        If Square has settings that `TabularSquare` has no counterpart of.
    """
    if not (isinstance(attack, TorchAttack) and attack.name == "Square" and attack.norm == "Linf"):
        return attack
    given = attack.settings
    taken = {name: given[name] for name in ("n_queries", "p_init") if name in given}
    unserved = [
        f"{name}={value!r}"
        for name, value in given.items()
        if name not in ("eps", "verbose", *taken) and value != _ALSO_HERE.get(name)
    ]
    if unserved:
        raise ValueError(
            f"Rows of features are attacked by TabularSquare in place of Square, which has no "
            f"{', '.join(unserved)}. Leave that out: TabularSquare has eps, n_queries and p_init."
        )
    return TabularSquare(
        attack.eps, bounds=attack.bounds, random_state=attack.random_state, **taken
    )


def _smallest(values: Tensor, n: int) -> Tensor:
    """Mask of the `n` smallest of each row."""
    chosen = values.topk(n, dim=1, largest=False).indices
    return torch.zeros_like(values, dtype=torch.bool).scatter(1, chosen, True)


def _margins(scores: Tensor, y: Tensor) -> Tensor:
    """By how much the true class leads: above 0 just where it is the one that is said."""
    own = scores.gather(1, y[:, None])[:, 0]
    lead = own - scores.scatter(1, y[:, None], -float("inf")).amax(dim=1)
    # Of classes that tie the first one is said.
    least = torch.finfo(lead.dtype).tiny
    return torch.where(scores.argmax(dim=1) == y, lead.clamp(min=least), lead)
