"""Attack a data set batch by batch: who survives what, resumable."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..attacks import Attack, resolve_attack
from ..attacks._in_turn import attack_in_turn
from ..attacks._tabular_square import for_rows
from ..distributed import PartitionedPool
from ..exceptions import CapabilityError
from ..model_view import ModelView, NetView
from ..utils.indexing import Rows
from ..utils.progress import shown
from ..utils.random_state import derive_seed, torch_generator
from ..utils.typing import AttackLike, Estimator, Pool, RandomState
from ..utils.validation import check_constraints
from ._black_box import BlackBoxTarget, NetTarget
from ._certificates import AUDITED, CERTIFIED, CONSTRAINTS, ZERO_GRADIENT, Certificates
from ._checkpoint import load, save
from ._examined import OF_PROGRESS, Examined
from ._in_parts import examined_in_parts
from ._masking import warn_if_masked, without_gradient
from ._report import RobustnessReport

_AUDIT = 1  # path of the seed that draws certified samples to attack


class Evaluation:
    """One pass of an attack over data; the arguments are those of `robustness_report`."""

    def __init__(
        self,
        estimator: Estimator,
        X: Pool,
        y: Any,
        attack: AttackLike,
        *,
        eps: float | None = None,
        bounds: tuple[float, float] | None = None,
        batch_size: int = 256,
        random_state: RandomState = 0,
        certify: bool | str = False,
        audit: float = 0.02,
    ) -> None:
        data = Examined(estimator, X, y, batch_size, "robust_accuracy_score")
        self.rows, self.y, view = data.rows, data.y, data.view
        if bounds is None and not isinstance(attack, Attack):
            bounds = getattr(view.estimator, "bounds_", None)
        self.attack = resolve_attack(attack, eps=eps, bounds=bounds)
        self.attack._check_params()
        self.target = self._targeted(view)
        self.certificates = self._certificates(view, certify, audit)
        self.batch_size = batch_size
        self.seed = derive_seed(random_state)

    def _targeted(self, view: ModelView) -> NetTarget | BlackBoxTarget:
        if isinstance(view, NetView):
            return NetTarget(view)
        if self.attack.needs_gradients:
            raise CapabilityError(
                f"robust_accuracy_score with {self.attack.name.lower()!r} needs 'gradients', which "
                f"{type(view.estimator).__name__} does not have. A skorch net such as "
                "AdversarialNetClassifier has them; attack='square' asks for predictions only and "
                "serves any classifier."
            )
        if len(np.shape(self.rows.take(slice(0, 1)))) == 2:
            self.attack = for_rows(self.attack)
        return BlackBoxTarget(view, self.rows)

    def _certificates(
        self, view: ModelView, certify: bool | str, audit: float
    ) -> Certificates | None:
        caller = "robustness_report with certify"
        check_constraints(CONSTRAINTS, {"certify": certify, "audit": audit}, caller)
        if not certify:
            return None
        attack, method = self.attack, "ibp" if certify is True else str(certify)
        if attack.eps == float("inf"):
            raise ValueError(
                f"certify=True needs an attack within a ball, but {attack.name} has no radius: a "
                "certificate says nothing about it. Take one with eps, or certify=False."
            )
        low, high = attack.bounds
        # An L2 ball lies in the L∞ ball of its radius, cut to the range of the inputs.
        radius = attack.eps if attack.norm == "Linf" else min(attack.eps, high - low)
        return Certificates(view, radius, attack.bounds, method, caller, audit)

    def run(self, checkpoint: Path | None = None, progress: bool = False) -> RobustnessReport:
        """Attack every batch that the checkpoint does not hold yet."""
        check_constraints(OF_PROGRESS, {"progress": progress}, "robust_accuracy_score")
        if isinstance(self.rows, PartitionedPool):
            return self._run_in_parts(self.rows, checkpoint)
        n_batches = -(-len(self.y) // self.batch_size)
        found: list[dict[str, NDArray]] = []
        key = "" if checkpoint is None else self._key()
        if checkpoint is not None and checkpoint.exists():
            found = load(checkpoint, key)
        batches: Iterable[Any] = enumerate(self.rows.batches(self.batch_size))
        if progress:
            batches = shown(batches, n_batches, "attacking", "batch")
        for number, (window, batch) in batches:
            if number < len(found):
                continue
            found.append(self._batch(batch, self.y[window], number))
            if self.certificates is not None:
                self.certificates.check_unbroken(found[-1], window.start)
            if checkpoint is not None:
                save(checkpoint, key, found)
        return self._report(found)

    def _run_in_parts(self, pool: PartitionedPool, checkpoint: Path | None) -> RobustnessReport:
        """Attack batches where they are; their numbers, and so their seeds, are those of memory."""
        if checkpoint is not None:
            raise ValueError(
                "checkpoint keeps batches of data in memory, and this data is read in partitions: "
                "a partition that is lost is attacked again by its engine. Leave checkpoint out."
            )
        sent = copy.copy(self)
        sent.rows, sent.y = Rows(None), self.y[:0]
        found = examined_in_parts(pool, self.y, self.batch_size, sent._batch)
        if self.certificates is not None:
            for number, left in enumerate(found):
                self.certificates.check_unbroken(left, number * self.batch_size)
        return self._report(found)

    def clean(self) -> NDArray[np.bool_]:
        """Which samples are classified correctly, without an attack."""
        return np.concatenate(
            [
                self.target.predicted(self.target.inputs(batch)).cpu().numpy() == self.y[window]
                for window, batch in self.rows.batches(self.batch_size)
            ]
        )

    def _batch(self, batch: Any, y: NDArray, number: int) -> dict[str, NDArray]:
        """Who is left after each part, for one batch."""
        seed = derive_seed(self.seed, number)
        inputs, target = self.target.inputs(batch), self.target
        labels = torch.as_tensor(y, device=inputs.device)
        parts = self.attack.parts(target.n_classes(inputs))
        generator = torch_generator(seed, device=inputs.device)
        proved: dict[str, torch.Tensor] = {}
        spared = None
        if self.certificates is not None:
            certified = self.certificates.of(inputs, labels)
            audited = self.certificates.drawn(certified, derive_seed(seed, _AUDIT))
            spared, proved = certified & ~audited, {CERTIFIED: certified, AUDITED: audited}
        _, left = attack_in_turn(
            parts, target.module, inputs, labels, target.predicted, generator, spared
        )
        if len(parts) > 1:
            clean = left["clean"]
            left[ZERO_GRADIENT] = blind = clean.clone()
            if clean.any():
                blind[clean] = without_gradient(target.module, inputs[clean], labels[clean])
        return {name: mask.cpu().numpy() for name, mask in (proved | left).items()}

    def _report(self, found: list[dict[str, NDArray]]) -> RobustnessReport:
        """What all batches together say."""
        left = {name: np.concatenate([batch[name] for batch in found]) for name in found[0]}
        zero, certified = left.pop(ZERO_GRADIENT, None), left.pop(CERTIFIED, None)
        audited = left.pop(AUDITED, None)
        survivors = {name: float(mask.mean()) for name, mask in left.items()}
        zero_share = None if zero is None else float(zero.mean())
        if zero_share is not None:
            warn_if_masked(survivors, zero_share)
        last = list(left)[-1]
        return RobustnessReport(
            survivors["clean"],
            survivors[last],
            survivors,
            left[last],
            zero_share,
            certified,
            None if audited is None else int(audited.sum()),
            self.attack.in_words,
        )

    def _key(self) -> str:
        """What must be the same for a checkpoint to be continued."""
        proof = self.certificates
        digest = hashlib.blake2b(digest_size=16)
        digest.update(self.target.fingerprint().encode())
        digest.update(self.y.tobytes())
        for _, batch in self.rows.batches(self.batch_size):
            digest.update(self.target.inputs(batch).cpu().numpy().tobytes())
        return json.dumps(
            {
                "attack": repr(self.attack.get_params()),
                "kind": type(self.attack).__name__,
                "seed": self.seed,
                "batch_size": self.batch_size,
                "certify": proof and [proof.method, float(proof.audit)],
                "model and data": digest.hexdigest(),
            }
        )
