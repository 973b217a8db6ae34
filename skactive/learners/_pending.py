"""What the queries since the last `teach` found, kept for the next one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..strategies import Selection
from ..utils.indexing import Rows, n_rows, take_rows
from ..utils.row_keys import row_keys
from ._labeled_set import LabeledSet


@dataclass(frozen=True)
class PendingExtras:
    """Twins, pseudo-labels and the pool of the queries since the last `teach`; never changed.

    Twins are kept by the content of the row they belong to, so that answers may come in any
    order, in part, or mixed with rows that were never queried. Pseudo-labels and pool are those
    of the latest query alone. Pickles and copies leave the pool out.
    """

    twins: dict[bytes, NDArray] = field(default_factory=dict)
    pseudo: tuple[Any, NDArray, NDArray] | None = None
    pool: Rows | None = None
    pool_lost: bool = False
    query_time: float = 0.0

    def after(
        self, X_pool: Any, selection: Selection, positions: NDArray | None, seconds: float
    ) -> PendingExtras:
        """These and what a query of some positions of a pool found."""
        twins = self.twins
        if selection.twins is not None:
            keys = row_keys(take_rows(X_pool, selection.twin_indices))
            twins = {**twins, **dict(zip(keys, selection.twins, strict=True))}
        pseudo = None
        if selection.pseudo_indices is not None and selection.pseudo_labels is not None:
            pseudo = (X_pool, selection.pseudo_indices, selection.pseudo_labels)
        pool, spent = Rows(X_pool, positions), self.query_time + seconds
        return replace(
            self, twins=twins, pseudo=pseudo, pool=pool, pool_lost=False, query_time=spent
        )

    def taught(self) -> PendingExtras:
        """What is left of them after a round: the pool."""
        return PendingExtras(pool=self.pool, pool_lost=self.pool_lost)

    def less(self, labeled: LabeledSet) -> PendingExtras:
        """These without what belongs to samples that are labelled now."""
        taken = set(row_keys(labeled.X)) if self.twins else set()
        twins = {key: twin for key, twin in self.twins.items() if key not in taken}
        pseudo = self.pseudo
        if pseudo is not None and n_rows(pseudo[1]):
            X_pool, indices, labels = pseudo
            left = ~labeled.found_in(Rows(X_pool, np.asarray(indices)))
            pseudo = (X_pool, np.asarray(indices)[left], np.asarray(labels)[left])
        return replace(self, twins=twins, pseudo=pseudo)

    def pseudo_labelled(self) -> tuple[Any, NDArray] | None:
        """Rows of the pool taught under the model's own labels this round."""
        if self.pseudo is None or n_rows(self.pseudo[1]) == 0:
            return None
        X_pool, indices, labels = self.pseudo
        return take_rows(X_pool, indices), labels

    def known_pool(self) -> Rows | None:
        """The pool of the last query, None before the first.

        Raises
        ------
        ValueError
            If there was one, but this learner came out of a pickle or copy since.
        """
        if self.pool_lost:
            raise ValueError(
                "use_pool=True learns from the pool of the last query, which a pickle or copy of "
                "a learner leaves out. Query the pool again before teach, or set use_pool=False."
            )
        return self.pool

    def __getstate__(self) -> dict[str, Any]:
        pseudo = self.pseudo
        if pseudo is not None:
            X_pool, indices, labels = pseudo
            pseudo = (take_rows(X_pool, indices), np.arange(n_rows(indices)), labels)
        lost = self.pool_lost or self.pool is not None
        return {**vars(self), "pseudo": pseudo, "pool": None, "pool_lost": lost}
