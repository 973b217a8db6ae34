"""Attack a data set batch by batch: who survives what, resumable."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..attacks import Attack, resolve_attack
from ..attacks._in_turn import attack_in_turn
from ..attacks._tabular_square import for_rows
from ..exceptions import CapabilityError
from ..model_view import ModelView, NetView
from ..utils.progress import shown
from ..utils.random_state import derive_seed, torch_generator
from ..utils.typing import AttackLike, Estimator, Pool, RandomState
from ._black_box import BlackBoxTarget, NetTarget
from ._checkpoint import load, save
from ._examined import Examined
from ._masking import warn_if_masked, without_gradient
from ._report import RobustnessReport

_ZERO = "zero_gradient"  # kept beside the survivors while the run lasts


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
    ) -> None:
        data = Examined(estimator, X, y, batch_size, "robust_accuracy_score")
        self.rows, self.y, view = data.rows, data.y, data.view
        if bounds is None and not isinstance(attack, Attack):
            bounds = getattr(view.estimator, "bounds_", None)
        self.attack = resolve_attack(attack, eps=eps, bounds=bounds)
        self.attack._check_params()
        self.target = self._targeted(view)
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

    def run(self, checkpoint: Path | None = None, progress: bool = False) -> RobustnessReport:
        """Attack every batch that the checkpoint does not hold yet."""
        n_batches = -(-len(self.y) // self.batch_size)
        found: list[dict[str, NDArray]] = []
        key = "" if checkpoint is None else self._key()
        if checkpoint is not None and checkpoint.exists():
            found = load(checkpoint, key)
        batches = enumerate(self.rows.batches(self.batch_size))
        if progress:
            batches = shown(batches, n_batches, "attacking", "batch")
        for number, (window, batch) in batches:
            if number < len(found):
                continue
            found.append(self._batch(batch, self.y[window], derive_seed(self.seed, number)))
            if checkpoint is not None:
                save(checkpoint, key, found)
        return self._report({name: np.concatenate([p[name] for p in found]) for name in found[0]})

    def clean(self) -> NDArray[np.bool_]:
        """Which samples are classified correctly, without an attack."""
        return np.concatenate(
            [
                self.target.predicted(self.target.inputs(batch)).cpu().numpy() == self.y[window]
                for window, batch in self.rows.batches(self.batch_size)
            ]
        )

    def _batch(self, batch: Any, y: NDArray, seed: int) -> dict[str, NDArray]:
        """Who is left after each part, for one batch."""
        inputs, target = self.target.inputs(batch), self.target
        labels = torch.as_tensor(y, device=inputs.device)
        parts = self.attack.parts(target.n_classes(inputs))
        generator = torch_generator(seed, device=inputs.device)
        _, left = attack_in_turn(parts, target.module, inputs, labels, target.predicted, generator)
        if len(parts) > 1:
            clean = left["clean"]
            left[_ZERO] = blind = clean.clone()
            if clean.any():
                blind[clean] = without_gradient(target.module, inputs[clean], labels[clean])
        return {name: mask.cpu().numpy() for name, mask in left.items()}

    def _report(self, left: dict[str, NDArray]) -> RobustnessReport:
        zero = left.pop(_ZERO, None)
        survivors = {name: float(mask.mean()) for name, mask in left.items()}
        zero_share = None if zero is None else float(zero.mean())
        if zero_share is not None:
            warn_if_masked(survivors, zero_share)
        last = list(left)[-1]
        return RobustnessReport(
            survivors["clean"], survivors[last], survivors, left[last], zero_share
        )

    def _key(self) -> str:
        """What must be the same for a checkpoint to be continued."""
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
                "model and data": digest.hexdigest(),
            }
        )
