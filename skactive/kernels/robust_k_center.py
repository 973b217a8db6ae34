"""Robust k-center: the smallest radius that n picks can cover all but a few points with."""

from __future__ import annotations

import logging
import time
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.spatial.distance import cdist

from .k_center import check_n, check_points, k_center_greedy

logger = logging.getLogger("skactive")

_BLOCK_ENTRIES = 1 << 21
_TIME_LIMIT, _INFEASIBLE = 1, 2  # scipy.optimize.milp's status


class RobustKCenterResult(NamedTuple):
    """Outcome of `robust_k_center`.

    Attributes
    ----------
    indices : ndarray of shape (n,), dtype intp
        Distinct rows, each the farthest of them from `centers` and those before it.
    radius : float
        Largest distance to the nearest center, outliers left out; at most `greedy_radius`.
    greedy_radius : float
        The same of the greedy picks the search started from.
    lower_bound : float
        No n picks have a smaller radius than this.
    status : {"optimal", "time_limit", "solver_failed", "too_many_points"}
        ``"optimal"``: the radius is within `tol` of the smallest. ``"time_limit"`` and
        ``"solver_failed"``: the best found until then, at worst the greedy picks.
        ``"too_many_points"``: the greedy picks.
    n_programs : int
        Integer programs solved.
    """

    indices: NDArray[np.intp]
    radius: float
    greedy_radius: float
    lower_bound: float
    status: str
    n_programs: int


def robust_k_center(
    X: ArrayLike,
    n: int,
    centers: ArrayLike | None = None,
    *,
    n_outliers: int = 0,
    tol: float = 1e-3,
    time_limit: float = 60.0,
    max_points: int = 5000,
    rng: np.random.Generator | None = None,
) -> RobustKCenterResult:
    """Pick n rows so that the farthest point, outliers aside, is as close as possible.

    Starts from `k_center_greedy` and bisects the radius over the distances that occur.
    Whether n picks can do with a radius is an integer program: with u_j = 1 for picked rows
    and o_i = 1 for outliers, Σ_{j: d(i,j) ≤ radius} u_j + o_i ≥ 1 for every row i that
    `centers` leave uncovered, Σ u ≤ n and Σ o ≤ `n_outliers`.

    Parameters
    ----------
    X : array-like of shape (n_points, n_features), float or int
        Points to cover and to pick from.
    n : int
        How many, 1 ≤ n ≤ n_points.
    centers : array-like of shape (n_centers, n_features) or None, default=None
        Points that cover already, e.g. the labeled ones.
    n_outliers : int, default=0
        Points that may stay uncovered (Ξ; the paper takes 1e-4 of the pool).
    tol : float, default=1e-3
        Stop when the radius is proven to be within this share of the smallest; 0 for exact.
    time_limit : float, default=60.0
        Seconds for all integer programs together. Results that hit it depend on the
        machine: `status` tells.
    max_points : int, default=5000
        A larger pool gets the greedy picks: the pairs closer than the greedy radius have
        to fit in memory (some 50 bytes each, at most ``max_points ** 2`` of them), and the
        programs get slow.
    rng : numpy.random.Generator or None, default=None
        For `k_center_greedy`'s first pick without `centers`.

    Returns
    -------
    result : RobustKCenterResult
        Exactly n distinct rows: an optimum that uses fewer is filled up greedily.

    Raises
    ------
    ValueError
        As `k_center_greedy`; or if `n_outliers`, `tol`, `time_limit` or `max_points` is
        negative.

    Notes
    -----
    Greedy is at most twice the optimum. The (n + Ξ + 1)-th greedy distance halved is a lower
    bound: so many points are pairwise that far apart, and after Ξ outliers two of them
    share a pick, or one is left to `centers`.

    References
    ----------
    .. [1] Sener & Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set
       Approach", ICLR 2018, Algorithm 2.

    Examples
    --------
    >>> from skactive.kernels.robust_k_center import robust_k_center
    >>> X = [[0.0], [2.0], [4.0], [10.0]]
    >>> result = robust_k_center(X, 2)
    >>> sorted(result.indices.tolist()), result.radius, result.status
    ([1, 3], 2.0, 'optimal')
    """
    for name, value in {
        "n_outliers": n_outliers,
        "tol": tol,
        "time_limit": time_limit,
        "max_points": max_points,
    }.items():
        if not value >= 0:
            raise ValueError(f"{name} must not be negative, got {value}.")
    X = check_points("X", X)
    centers = X[:0] if centers is None else check_points("centers", centers)
    check_n(n, len(X))
    start, problem = _greedy_start(X, n, centers, n_outliers, rng)
    if len(X) > max_points:
        logger.warning(
            "Robust k-center: %d points exceed max_points=%d, keeping the greedy picks "
            "(radius %.4g).",
            len(X),
            max_points,
            start.radius,
        )
        return start._replace(status="too_many_points")
    result = _bisect(problem, start, tol, time.monotonic() + time_limit)
    if result.status != "optimal":
        logger.warning(
            "Robust k-center stopped early (%s): radius %.4g, greedy %.4g, lower bound %.4g.",
            result.status,
            result.radius,
            result.greedy_radius,
            result.lower_bound,
        )
    if result.radius < result.greedy_radius:  # the solver's picks come as the rows stand
        order, _ = k_center_greedy(X[result.indices], n, centers)
        result = result._replace(indices=result.indices[order])
    return result


def _greedy_start(
    X: NDArray, n: int, centers: NDArray, n_outliers: int, rng: np.random.Generator | None
) -> tuple[RobustKCenterResult, _Problem]:
    """The greedy picks, the radius they reach, and what no picks can go below."""
    certifying = n + n_outliers + 1
    order, distances = k_center_greedy(X, max(n, min(len(X), certifying)), centers, rng)
    problem = _Problem(X, n, centers, n_outliers)
    radius = problem.radius(order[:n])
    lower = distances[certifying - 1] / 2 if certifying <= len(X) else 0.0
    # Two distance formulas may round differently: a bound has to stay on the safe side.
    lower = min(float(lower) * (1 - 1e-9), radius)
    return RobustKCenterResult(order[:n], radius, radius, lower, "optimal", 0), problem


def _bisect(
    problem: _Problem, best: RobustKCenterResult, tol: float, deadline: float
) -> RobustKCenterResult:
    """Halve the radii still possible until none is better than the best by more than `tol`."""
    pairs = problem.pairs_within(best.radius)
    radii = np.unique(np.concatenate([pairs.distance, problem.given]))
    radii = radii[(radii >= best.lower_bound) & (radii < best.radius)]
    while len(radii) and radii[0] < (1 - tol) * best.radius:
        target = float(radii[len(radii) // 2])
        outcome, picks = problem.solve(pairs, target, deadline - time.monotonic())
        best = best._replace(n_programs=best.n_programs + 1)
        if outcome == _INFEASIBLE:
            radii = radii[radii > target]
            continue
        if picks is not None:
            picks = problem.fill_up(picks)
            radius = problem.radius(picks)
            if radius < best.radius:
                best = best._replace(indices=picks, radius=radius)
                radii = radii[radii < radius]
        if picks is None or radius > target:  # stopped, or rounded within a tolerance
            status = "time_limit" if outcome == _TIME_LIMIT else "solver_failed"
            best = best._replace(status=status)
            break
    return best._replace(lower_bound=float(radii[0]) if len(radii) else best.radius)


class _Pairs(NamedTuple):
    """Pairs of rows, and how far apart they are."""

    row: NDArray[np.int32]
    column: NDArray[np.int32]
    distance: NDArray[np.float64]


class _Problem:
    """Cover `X` by n of its rows besides `centers`, all but `n_outliers` points."""

    def __init__(self, X: NDArray, n: int, centers: NDArray, n_outliers: int) -> None:
        self.X = X
        self.n = n
        self.centers = centers
        self.n_outliers = n_outliers
        self.given = self._nearest(centers) if len(centers) else np.full(len(X), np.inf)

    def _nearest(self, centers: NDArray) -> NDArray[np.float64]:
        rows = max(1, _BLOCK_ENTRIES // len(centers))
        return np.concatenate(
            [
                cdist(self.X[start : start + rows], centers).min(axis=1)
                for start in range(0, len(self.X), rows)
            ]
        )

    def radius(self, picks: NDArray[np.intp]) -> float:
        """Largest distance to the nearest center, the `n_outliers` farthest left out."""
        if self.n_outliers >= len(self.X):
            return 0.0
        nearest = np.minimum(self.given, self._nearest(self.X[picks]))
        kept = len(nearest) - 1 - self.n_outliers
        return float(np.partition(nearest, kept)[kept])

    def pairs_within(self, radius: float) -> _Pairs:
        """All pairs at most `radius` apart, a row and itself included."""
        rows = max(1, _BLOCK_ENTRIES // len(self.X))
        parts = []
        for start in range(0, len(self.X), rows):
            block = cdist(self.X[start : start + rows], self.X)
            row, column = np.nonzero(block <= radius)
            parts.append(
                (row.astype(np.int32) + start, column.astype(np.int32), block[row, column])
            )
        return _Pairs(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def solve(
        self, pairs: _Pairs, radius: float, seconds: float
    ) -> tuple[int, NDArray[np.intp] | None]:
        """Picks that reach `radius`, at most n, or None; with milp's status."""
        if seconds <= 0:
            return _TIME_LIMIT, None
        constraints, n_variables = self._constraints(pairs, radius)
        result = milp(
            np.zeros(n_variables),  # any solution will do
            integrality=np.ones(n_variables),
            bounds=Bounds(0, 1),
            constraints=constraints,
            # HiGHS's presolve finds little in a covering problem, takes minutes on dense ones
            # and does not look at the clock.
            options={"time_limit": seconds, "presolve": False},
        )
        if result.x is None:
            return result.status, None
        return result.status, np.flatnonzero(result.x[: len(self.X)] > 0.5)

    def _constraints(self, pairs: _Pairs, radius: float) -> tuple[list[LinearConstraint], int]:
        """One row per uncovered point, one for the picks, one for the outliers."""
        n_points = len(self.X)
        uncovered = np.flatnonzero(self.given > radius)
        near = pairs.distance <= radius
        entries = (np.ones(near.sum()), (pairs.row[near], pairs.column[near]))
        covers = sp.csr_array(entries, shape=(n_points, n_points))[uncovered]
        n_slack = len(uncovered) if self.n_outliers else 0
        each = np.arange(n_slack)
        slack = sp.csr_array((np.ones(n_slack), (each, each)), shape=(len(uncovered), n_slack))
        covers = sp.hstack([covers, slack], format="csr")
        counted = np.repeat(np.eye(2), [n_points, n_slack], axis=1)
        limits = LinearConstraint(sp.csr_array(counted), -np.inf, [self.n, self.n_outliers])
        return [LinearConstraint(covers, 1, np.inf), limits], n_points + n_slack

    def fill_up(self, picks: NDArray[np.intp]) -> NDArray[np.intp]:
        """`picks` and, greedily, as many other rows as are missing to n."""
        missing = self.n - len(picks)
        if missing == 0:
            return picks
        rest = np.setdiff1d(np.arange(len(self.X)), picks)
        covered = np.concatenate([self.centers, self.X[picks]])
        more, _ = k_center_greedy(self.X[rest], missing, covered)
        return np.concatenate([picks, rest[more]])
