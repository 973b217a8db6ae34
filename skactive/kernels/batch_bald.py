"""BatchBALD and EPIG: information about the model, from sampled predictions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_TINY = np.finfo(np.float64).tiny
_BLOCK_ENTRIES = 1 << 17  # floats held at once
_CACHED = 1 << 15  # floats that are worked on several times: they stay in the cache
_MOST_COLUMNS = 1 << 9
_NEARLY_ZERO = 1e-150  # its square is still a normal number
_MANY = 300  # configurations from which on averages of them are much cheaper
_FIRST = 32  # points evaluated at first
_ROUNDING = 1e-9  # a bound may be this much too low


def batch_bald_select(
    proba: NDArray, n: int, rng: np.random.Generator, n_configurations: int = 1000
) -> tuple[NDArray[np.intp], NDArray]:
    """Greedily maximise the joint mutual information I(y_1, …, y_n; ω).

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_points, n_classes)
        Predictions of sampled networks.
    n : int
    rng : numpy.random.Generator
        Draws label configurations once there are too many.
    n_configurations : int, default=1000
        The joint entropy is exact while there are no more configurations of labels than
        this; after that it is estimated from that many drawn ones.

    Returns
    -------
    indices : ndarray of shape (n,), dtype intp
    gains : ndarray of shape (n,)
        Mutual information added by each pick, in nats.

    Notes
    -----
    What a point adds is H(y | labels of the picks) − E H(y | network), and the more labels are
    known, the less. While configurations are exact, an older gain is thus an upper bound; where
    there are many, averages of similar ones give another. Points are evaluated from the
    largest bound down, until none is above the best gain.
    """
    proba = proba.astype(np.float64)
    joint = _Joint(proba.shape[0], n_configurations, rng)
    conditional = -_surprise(proba).sum(axis=2).mean(axis=0)
    # BALD: nothing is known yet.
    bounds = -_surprise(proba.mean(axis=0)).sum(axis=1) - conditional
    picks: list[int] = []
    gains: list[float] = []
    for _ in range(n):
        if picks:
            joint.add(proba[:, picks[-1]])
        if joint.drawn:  # older gains are no bounds any more
            bounds = joint.entropy_bound(proba, fine=False) - conditional
        bounds[picks] = -np.inf
        best, gain = _largest_gain(joint, proba, conditional, bounds)
        picks.append(best)
        gains.append(gain)
    return np.array(picks, dtype=np.intp), np.array(gains)


def _largest_gain(
    joint: _Joint, proba: NDArray, conditional: NDArray, bounds: NDArray
) -> tuple[int, float]:
    """The point that adds most, and how much. `bounds` become gains where they are computed."""
    order = np.argsort(-bounds, kind="stable")
    best, gain = -1, -np.inf
    start, size = 0, _FIRST
    coarse = joint.given.shape[1] >= _MANY
    while start < len(order) and bounds[order[start]] + _ROUNDING >= gain:
        rows = order[start : start + size]
        rows = rows[bounds[rows] > -np.inf]
        if not len(rows):
            break
        bounds[rows] = joint.entropy_given(proba[:, rows]) - conditional[rows]
        highest = bounds[rows].max()
        winner = int(rows[bounds[rows] == highest].min())  # the first of equals
        if highest > gain or (highest == gain and winner < best):
            best, gain = winner, float(highest)
        start, size = start + size, 2 * size
        if coarse:  # now that there is a gain to beat, look closer at what may beat it
            rest = order[start:]
            rows = rest[bounds[rest] + _ROUNDING >= gain]
            finer = joint.entropy_bound(proba[:, rows], fine=True) - conditional[rows]
            bounds[rows] = np.minimum(bounds[rows], finer)
            order = rows[np.argsort(-bounds[rows], kind="stable")]
            start, size, coarse = 0, _FIRST, False
    return best, gain


def _surprise(proba: NDArray) -> NDArray:
    """Return p log p of each number, 0 for 0."""
    found = np.log(np.maximum(proba, _TINY))
    found *= proba
    return found


class _Joint:
    """Probabilities of the picked points' label configurations under each sampled network."""

    def __init__(self, n_samples: int, most: int, rng: np.random.Generator) -> None:
        self.given = np.ones((n_samples, 1))  # p(configuration | network)
        self.drawn = False
        self.most = most
        self.rng = rng

    def add(self, proba: NDArray) -> None:
        """Extend the configurations by a point with probabilities (n_samples, n_classes)."""
        if not self.drawn and self.given.shape[1] * proba.shape[1] <= self.most:
            given = (self.given[:, :, None] * proba[:, None, :]).reshape(len(proba), -1)
            self.given = given[:, given.mean(axis=0) > _TINY]  # without the impossible ones
            return
        if not self.drawn:
            self._draw()
        # One label for each drawn configuration, given its network.
        cumulated = proba[self.networks].cumsum(axis=1)
        chosen = (self.rng.random((self.most, 1)) > cumulated[:, :-1]).sum(axis=1)
        given = self.given * proba[:, chosen]
        scale = given.mean(axis=0)  # only ratios count from now on, and products underflow
        possible = scale > _TINY
        self.given[:, possible] = given[:, possible] / scale[possible]

    def _draw(self) -> None:
        """Replace all configurations by drawn ones: a network each, then its labels."""
        self.drawn = True
        self.networks = self.rng.integers(len(self.given), size=self.most)
        cumulated = self.given[self.networks].cumsum(axis=1)
        cumulated /= cumulated[:, -1:]
        picked = (self.rng.random((self.most, 1)) > cumulated[:, :-1]).sum(axis=1)
        self.given = self.given[:, picked]

    def entropy_given(self, proba: NDArray) -> NDArray:
        """Entropy of each point's label given those of the picks, shape (n_points,)."""
        return self._mean_entropy(proba, *self._posteriors())

    def entropy_bound(self, proba: NDArray, fine: bool) -> NDArray:
        """An upper bound of `entropy_given` from few averaged configurations.

        Those that the same network (`fine`: the same two) explains best are averaged: entropy
        is concave.
        """
        posterior, share = self._posteriors()
        top2 = np.argsort(posterior, axis=0)[-2:]
        key = top2[-1] + (len(posterior) * top2[0] if fine else 0)
        _, group = np.unique(key, return_inverse=True)
        shares = np.bincount(group, weights=share)
        average = np.stack([np.bincount(group, weights=row * share) for row in posterior])
        return self._mean_entropy(proba, average / shares, shares)

    def _posteriors(self) -> tuple[NDArray, NDArray]:
        """Probabilities of the networks given each configuration, and its own."""
        marginal = self.given.mean(axis=0)
        posterior = self.given / (marginal * len(self.given))
        return posterior, np.full_like(marginal, 1 / len(marginal)) if self.drawn else marginal

    @staticmethod
    def _mean_entropy(proba: NDArray, posterior: NDArray, share: NDArray) -> NDArray:
        """Σ_m share_m H(Σ_k posterior_km p_k) of each point."""
        n_samples, n_points, n_classes = proba.shape
        rows = max(1, _BLOCK_ENTRIES // (len(share) * n_classes))
        result = np.empty(n_points)
        for start in range(0, n_points, rows):
            label = posterior.T @ proba[:, start : start + rows].reshape(n_samples, -1)
            sums = share @ _surprise(label)
            result[start : start + rows] = -sums.reshape(-1, n_classes).sum(axis=1)
        return result


def epig_scores(proba: NDArray, target: NDArray) -> NDArray:
    """Expected information about the predictions at target points, in nats.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_points, n_classes)
    target : ndarray of shape (n_samples, n_targets, n_classes)
        Predictions of the same sampled networks at the target points.

    Returns
    -------
    scores : ndarray of shape (n_points,)
        Mean over targets x* of I(y; y* | x, x*); never negative.
    """
    points, targets = _positive(proba), _positive(target)
    n_samples, n_points, n_classes = proba.shape
    flat = targets.reshape(n_samples, -1)
    log_flat = np.log(flat.mean(axis=0))
    scores = np.empty(n_points)
    rows = max(1, _CACHED // (n_classes * flat.shape[1]))
    for start in range(0, n_points, rows):
        block = points[:, start : start + rows]
        wide = block.reshape(n_samples, -1) / n_samples
        # Σ J log (J / m m*) = Σ J log J − Σ J log m − Σ J log m*: one logarithm per entry.
        information = _sum_of_surprise(wide, flat)
        information -= (wide.T @ flat.sum(axis=1)) * np.log(wide.sum(axis=0))
        information -= wide.T @ (flat @ log_flat)
        scores[start : start + rows] = information.reshape(-1, n_classes).sum(axis=1)
    return np.maximum(scores / target.shape[1], 0.0)


def _positive(proba: NDArray) -> NDArray:
    """Without zeros, whose products' logarithms would be infinite: 0 log 0 is 0."""
    return np.maximum(proba, _NEARLY_ZERO, dtype=np.float64)


def _sum_of_surprise(left: NDArray, right: NDArray) -> NDArray:
    """Σ_b J log J of each row of J = leftᵀ right, a block of it at a time."""
    height = min(left.shape[1], max(1, _CACHED // _MOST_COLUMNS))
    width = max(1, _CACHED // height)
    sums = np.zeros(left.shape[1])
    for top in range(0, left.shape[1], height):
        rows = np.ascontiguousarray(left[:, top : top + height].T)
        for start in range(0, right.shape[1], width):
            joint = rows @ right[:, start : start + width]
            sums[top : top + height] += np.einsum("ab,ab->a", joint, np.log(joint))
    return sums


def gumbel_top_k(
    scores: NDArray, k: int, rng: np.random.Generator, kind: str = "power", coldness: float = 1.0
) -> NDArray[np.intp]:
    """Draw k of n without replacement, more likely the higher the score.

    Parameters
    ----------
    scores : ndarray of shape (n,), not negative
    k : int
    rng : numpy.random.Generator
    kind : {"power", "softmax", "softrank"}, default="power"
        Probability of being drawn first ∝ s^β, exp(β s), or rank^−β.
    coldness : float, default=1.0
        β; infinite is the top k.

    Returns
    -------
    indices : ndarray of shape (k,), dtype intp
        In the order they are drawn; scores of 0 come last with ``"power"``.
    """
    keys = gumbel_lots(scores, rng, kind, coldness)
    first = np.argpartition(-keys, k - 1)[:k]
    return first[np.argsort(-keys[first])]


def gumbel_lots(
    scores: NDArray, rng: np.random.Generator, kind: str = "power", coldness: float = 1.0
) -> NDArray:
    """Lots of which the k highest are the draw of `gumbel_top_k`, shape (n,)."""
    if kind == "softmax":
        logits = coldness * scores
    elif kind == "softrank":
        rank = np.empty(len(scores))
        order = np.lexsort((rng.permutation(len(scores)), -scores))
        rank[order] = np.arange(1, len(scores) + 1)
        logits = -coldness * np.log(rank)
    else:
        logits = coldness * np.log(np.maximum(scores.astype(float), np.finfo(float).tiny))
    return logits + rng.gumbel(size=len(scores))
