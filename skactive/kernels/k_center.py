"""Greedy k-center (core-set selection), lazy and exact."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Rows kept exact while picking: their float32 copies stay in the second-level cache.
_WORKING_SET = 1024
# Rows made exact at a time when the working set is renewed.
_REFRESH = 2048
# Entries of the largest distance block ever held.
_BLOCK_ENTRIES = 1 << 21
_TILE_ROWS = 1024
_TILE_CENTERS = 2048
# Pairs whose exact distance is computed at a time.
_PAIRS = 4096
_UNIT_ROUNDOFF = 2.0**-24
_LARGEST = 1e140


def k_center_greedy(
    X: ArrayLike,
    n: int,
    centers: ArrayLike | None = None,
    rng: np.random.Generator | None = None,
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Pick n rows, each the farthest from its nearest center so far (farthest first).

    Parameters
    ----------
    X : array-like of shape (n_points, n_features), float or int
        Points to pick from; float32 and float64 are read as they are, never copied whole.
    n : int
        How many, 1 ≤ n ≤ n_points.
    centers : array-like of shape (n_centers, n_features) or None, default=None
        Points already covered, e.g. the labeled ones. May be empty.
    rng : numpy.random.Generator or None, default=None
        Only used without `centers`, for the first pick: drawn uniformly, or for ``None``
        the row closest to the mean.

    Returns
    -------
    indices : ndarray of shape (n,), dtype intp
        Distinct rows, in the order of picking.
    distances : ndarray of shape (n,), float64
        Euclidean distance of each pick to its nearest center at the time it was picked,
        never increasing; ``inf`` for a first pick without centers.

    Raises
    ------
    ValueError
        If `X` or `centers` is not two-dimensional, finite and of the same width, or `n` is
        out of range.

    Notes
    -----
    Same picks in the same order as brute force in float64 with
    ``((X - center) ** 2).sum(axis=1)``; equal distances go to the lowest row.

    A distance to the nearest center only shrinks as centers are added, so an old one is an
    upper bound. One blocked float32 product bounds all rows, rounding error included. The
    rows with the largest bounds are then kept exact and picked from, for as long as the
    best of them reaches the largest bound outside; then others take their place. A float32
    product screens which distances can matter, and those are computed in float64.
    Memory: O(n_points) plus a float32 copy of the centers.

    References
    ----------
    .. [1] Sener & Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set
       Approach", ICLR 2018, Algorithm 1.
    .. [2] Gonzalez, "Clustering to minimize the maximum intercluster distance",
       Theoretical Computer Science 38, 1985.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.kernels.k_center import k_center_greedy
    >>> X = np.array([[0.0], [1.0], [4.0], [10.0]])
    >>> k_center_greedy(X, 2, centers=[[0.0]])
    (array([3, 2]), array([10.,  4.]))
    """
    X = check_points("X", X)
    centers = X[:0] if centers is None else check_points("centers", centers)
    if centers.shape[1] != X.shape[1]:
        raise ValueError(
            f"centers must have as many columns as X ({X.shape[1]}), got {centers.shape[1]}."
        )
    check_n(n, len(X))
    picks = _Picks(n)
    if len(centers) == 0:
        picks.add(_first_pick(X, rng), np.inf)
        centers = X[picks.indices[:1]]
    cover = _Cover(X, centers, capacity=n)
    cover.exclude(picks.made())
    refresh = _REFRESH
    while picks.count < n:
        before = picks.count
        _pick_from(cover, cover.working_set(refresh), picks)
        if picks.count and picks.squared[picks.count - 1] == 0.0:
            picks.add_duplicates(np.flatnonzero(cover.bound > -np.inf))
        # No pick was certain: most bounds are loose, so make more rows exact at once.
        refresh = 2 * refresh if picks.count == before else _REFRESH
    return picks.indices, np.sqrt(picks.squared)


def check_points(name: str, X: ArrayLike) -> NDArray:
    """Return `X` as an array; ValueError unless two-dimensional and of sane size."""
    X = np.asarray(X)
    if X.ndim != 2 or X.shape[1] == 0:
        raise ValueError(f"{name} must have shape (n_points, n_features), got {X.shape}.")
    if len(X):
        low, high = float(X.min()), float(X.max())
        if not max(abs(low), abs(high)) <= _LARGEST:  # also catches NaN
            raise ValueError(
                f"{name} must be finite and within ±{_LARGEST:.0e}, so that squared distances "
                f"are finite too; got values in [{low}, {high}]. Clean or rescale the features."
            )
    return X


def check_n(n: int, n_points: int) -> None:
    """ValueError unless n of the points can be picked."""
    if not 1 <= n <= n_points:
        raise ValueError(f"n must be between 1 and the number of points {n_points}, got {n}.")


def _first_pick(X: NDArray, rng: np.random.Generator | None) -> int:
    if rng is not None:
        return int(rng.integers(len(X)))
    mean = X.mean(axis=0, dtype=np.float64)
    rows = max(1, _BLOCK_ENTRIES // X.shape[1])
    squared = [
        np.square(X[start : start + rows] - mean).sum(axis=1) for start in range(0, len(X), rows)
    ]
    return int(np.concatenate(squared).argmin())


class _Picks:
    """What was picked so far, and how far it was from the nearest center."""

    def __init__(self, n: int) -> None:
        self.indices = np.empty(n, dtype=np.intp)
        self.squared = np.empty(n)
        self.count = 0

    def add(self, index: int, squared: float) -> None:
        self.indices[self.count] = index
        self.squared[self.count] = squared
        self.count += 1

    def add_duplicates(self, rows: NDArray[np.intp]) -> None:
        """Fill up from sorted `rows`, all of which coincide with a center."""
        self.indices[self.count :] = rows[: self.missing()]
        self.squared[self.count :] = 0.0
        self.count = len(self.indices)

    def made(self) -> NDArray[np.intp]:
        return self.indices[: self.count]

    def missing(self) -> int:
        return len(self.indices) - self.count


class _Cover:
    """Upper bounds on every row's squared distance to its nearest center.

    Float32 products work on shifted and scaled coordinates (small norms, no overflow). With
    r = ‖x‖² and a column of ones appended to the rows, ``[-c, ‖c‖²/2] · [x, 1]`` is half of
    ‖x - c‖² - r. ``slack`` bounds the rounding error of twice that plus r.

    Attributes
    ----------
    bound : ndarray of shape (n_points,), float64
        Squared distance to the nearest of the first ``seen`` centers, or more where
        ``seen`` is 0; minus infinity for excluded rows.
    seen : ndarray of shape (n_points,), int64
    """

    def __init__(self, X: NDArray, centers: NDArray, capacity: int) -> None:
        self.X = X
        self.given = centers
        self._choose_coordinates()
        n_centers, width = centers.shape
        self.n_centers = n_centers
        self.rows_of_picks = np.zeros(capacity, dtype=np.intp)
        self.centers = np.empty((n_centers + capacity, width + 1), dtype=np.float32)
        for start in range(0, n_centers, _TILE_ROWS):
            window = slice(start, min(start + _TILE_ROWS, n_centers))
            self.centers[window] = self._as_center(centers[window])
        self.seen = np.zeros(len(X), dtype=np.int64)
        self.bound = np.empty(len(X))
        self._bound_all()

    def _choose_coordinates(self) -> None:
        X = self.X
        dtype = np.result_type(X.dtype, self.given.dtype, np.float32)
        sample = X[:: max(1, len(X) // 1024)]
        self.shift = sample.mean(axis=0, dtype=np.float64).astype(dtype)
        reach = max(
            float(np.abs(extreme - self.shift.astype(np.float64)).max())
            for points in (X, self.given)
            for extreme in (points.min(axis=0), points.max(axis=0))
        )
        # A power of two: scaling rounds nothing.
        self.scale = 2.0 ** -max(int(np.frexp(reach)[1]), -500)

    def as_rows(self, points: NDArray) -> NDArray[np.float32]:
        rows = np.empty((len(points), points.shape[1] + 1), dtype=np.float32)
        scaled = (points - self.shift) * self.shift.dtype.type(self.scale)
        rows[:, :-1] = scaled
        rows[:, -1] = 1.0
        return rows

    def _as_center(self, points: NDArray) -> NDArray[np.float32]:
        rows = self.as_rows(points)
        np.negative(rows[:, :-1], out=rows[:, :-1])
        rows[:, -1] = _squared_norms(rows) / 2
        return rows

    def _bound_all(self) -> None:
        norms = np.empty(len(self.X))
        for start in range(0, len(self.X), _TILE_ROWS):
            window = slice(start, start + _TILE_ROWS)
            rows = self.as_rows(self.X[window])
            norms[window] = _squared_norms(rows)
            self.bound[window] = 2.0 * self._nearest_half(rows) + norms[window]
        centers = 2.0 * self.centers[: self.n_centers, -1]
        self.largest_norm = float(np.sqrt(max(norms.max(), centers.max())))
        self.bound += self.slack(norms)
        np.maximum(self.bound, 0.0, out=self.bound)
        self.bound /= self.scale**2

    def _nearest_half(self, rows: NDArray) -> NDArray[np.float32]:
        nearest = np.full(len(rows), np.inf, dtype=np.float32)
        for start in range(0, self.n_centers, _TILE_CENTERS):
            tile = self.centers[start : min(start + _TILE_CENTERS, self.n_centers)]
            np.minimum(nearest, (rows @ tile.T).min(axis=1), out=nearest)
        return nearest

    def slack(self, norms: NDArray) -> NDArray:
        """Largest rounding error of a squared distance in scaled coordinates."""
        terms = 2 * (self.X.shape[1] + 8)
        sums = np.sqrt(norms) + self.largest_norm
        return terms * (_UNIT_ROUNDOFF * np.square(sums) + np.finfo(np.float32).tiny)

    def exclude(self, rows: NDArray) -> None:
        self.bound[rows] = -np.inf

    def add_center(self, row: int) -> NDArray[np.float32]:
        """Make `row` a center; bounds are left as they are."""
        self.rows_of_picks[self.n_centers - len(self.given)] = row
        center = self.centers[self.n_centers]
        center[:] = self._as_center(self.X[row : row + 1])[0]
        self.n_centers += 1
        return center

    def working_set(self, size: int) -> NDArray[np.intp]:
        """Exact rows with the largest distances among the `size` largest bounds, sorted."""
        rows = _largest(self.bound, size)
        rows = rows[self.bound[rows] > -np.inf]
        self._make_exact(rows[self.seen[rows] < self.n_centers])
        return rows[_largest(self.bound[rows], _WORKING_SET)]

    def _make_exact(self, rows: NDArray[np.intp]) -> None:
        rows = rows[np.argsort(self.seen[rows], kind="stable")]
        start = 0
        while start < len(rows):
            first_center = int(self.seen[rows[start]])
            height = max(1, min(256, _BLOCK_ENTRIES // (self.n_centers - first_center)))
            self._compare(rows[start : start + height], first_center)
            start += height
        self.seen[rows] = self.n_centers

    def _compare(self, rows: NDArray[np.intp], first_center: int) -> None:
        """Exact distances of `rows` to their nearest center, given those already seen."""
        points = self.as_rows(_gather(self.X, rows))
        half = points @ self.centers[first_center : self.n_centers].T
        each = np.arange(len(rows))
        nearest = half.argmin(axis=1)
        exact = np.where(self.seen[rows] > 0, self.bound[rows], np.inf)
        self._lower(exact, each, rows, nearest + first_center)
        half[each, nearest] = np.inf
        limit = self.half_limit(exact, _squared_norms(points))
        row, center = np.nonzero(half <= limit[:, None])
        self._lower(exact, row, rows, center + first_center)
        self.bound[rows] = exact

    def half_limit(self, exact: NDArray, norms: NDArray) -> NDArray[np.float32]:
        """Product ``[-c, ‖c‖²/2] · [x, 1]`` from which on c is certainly no nearer than `exact`."""
        limit = (exact * self.scale**2 + self.slack(norms) - norms) / 2
        limit[exact <= 0.0] = -np.inf  # nothing is nearer than a duplicate
        return np.nextafter(limit.astype(np.float32), np.float32(np.inf))

    def _lower(
        self,
        exact: NDArray[np.float64],
        position: NDArray[np.intp],
        rows: NDArray[np.intp],
        centers: NDArray[np.intp],
    ) -> None:
        """Lower ``exact[position]`` to the distances of ``rows[position]`` to `centers`."""
        for start in range(0, len(position), _PAIRS):
            pair = slice(start, start + _PAIRS)
            points = _gather(self.X, rows[position[pair]])
            squared = _squared_distances(points, self._originals(centers[pair]))
            np.minimum.at(exact, position[pair], squared)

    def _originals(self, centers: NDArray[np.intp]) -> NDArray[np.float64]:
        n_given = len(self.given)
        given = centers < n_given
        rows = self.rows_of_picks[np.where(given, 0, centers - n_given)]
        originals = _gather(self.X, rows).astype(np.float64)
        originals[given] = _gather(self.given, centers[given])
        return originals


def _pick_from(cover: _Cover, rows: NDArray[np.intp], picks: _Picks) -> None:
    """Pick from exact `rows` while no row outside can be farther."""
    exact = cover.bound[rows]
    cover.bound[rows] = -np.inf
    outside = int(cover.bound.argmax())
    ceiling = cover.bound[outside]
    points = cover.as_rows(_gather(cover.X, rows))
    norms = _squared_norms(points)
    limit = cover.half_limit(exact, norms)
    while picks.missing():
        best = int(exact.argmax())
        row, farthest = rows[best], exact[best]
        # Of equal distances the lowest row is picked, and that may be the one outside.
        if farthest == -np.inf or (farthest, -row) < (ceiling, -outside):
            break
        picks.add(row, farthest)
        exact[best] = limit[best] = -np.inf
        if farthest == 0.0:  # every row left coincides with a center
            break
        center = cover.add_center(row)
        closer = np.flatnonzero(points @ center <= limit)
        squared = _squared_distances(
            _gather(cover.X, rows[closer]), cover.X[row].astype(np.float64)
        )
        exact[closer] = np.minimum(exact[closer], squared)
        limit[closer] = cover.half_limit(exact[closer], norms[closer])
    cover.bound[rows] = exact
    cover.seen[rows] = cover.n_centers


def _gather(X: NDArray, rows: NDArray[np.intp]) -> NDArray:
    # Contiguous rows: sums over columns then round alike. np.take would copy a whole strided X.
    return np.ascontiguousarray(X[rows])


def _squared_distances(points: NDArray, centers: NDArray) -> NDArray[np.float64]:
    # Differences, not products: exact for equal rows, and each row rounds on its own.
    return np.square(points - centers).sum(axis=1)


def _squared_norms(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.einsum("ij,ij->i", rows[:, :-1], rows[:, :-1]).astype(np.float64)


def _largest(values: NDArray, k: int) -> NDArray[np.intp]:
    """Positions of the k largest, sorted; of equal values at the cut the first."""
    if k >= len(values):
        return np.arange(len(values))
    cut = np.partition(values, len(values) - k)[len(values) - k]
    above = np.flatnonzero(values > cut)
    tied = np.flatnonzero(values == cut)[: k - len(above)]
    return np.sort(np.concatenate([above, tied]))
