"""Attack a data set batch by batch: who survives what, resumable."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_scalar, column_or_1d
from torch import Tensor

from ..attacks import Attack, AutoAttack, resolve_attack
from ..attacks._autoattack import warn_if_masked
from ..attacks._tabular_square import for_rows
from ..exceptions import CapabilityError
from ..model_view import ModelView, NetView
from ..utils.indexing import Rows
from ..utils.labels import encode_labels, unknown_labels
from ..utils.progress import shown
from ..utils.random_state import derive_seed, torch_generator
from ._black_box import BlackBoxTarget, NetTarget

_CHECKSUM = 16  # bytes in front of a checkpoint
_ZERO = "zero_gradient"  # kept beside the survivors while the run lasts


@dataclass(frozen=True)
class RobustnessReport:
    """What `robustness_report` returns.

    Attributes
    ----------
    accuracy : float
        Clean accuracy.
    robust_accuracy : float
        Share of samples that no part of the attack turns.
    survivors : dict of str to float
        Share of samples still classified correctly: ``"clean"``, then after each part.
    correct : ndarray of shape (n_samples,), dtype bool
        Which samples survive everything.
    zero_gradients : float or None
        Share of samples classified correctly with an input gradient of exactly zero; ``None``
        where it was not measured.
    """

    accuracy: float
    robust_accuracy: float
    survivors: dict[str, float]
    correct: NDArray[np.bool_] = field(repr=False)
    zero_gradients: float | None = None


class Evaluation:
    """One pass of an attack over data; the arguments are those of `robustness_report`."""

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        attack: Any,
        *,
        eps: float | None = None,
        bounds: tuple[float, float] | None = None,
        batch_size: int = 256,
        random_state: Any = 0,
    ) -> None:
        check_scalar(batch_size, "batch_size", Integral, min_val=1)
        self.rows, y = Rows.of(X), column_or_1d(y, warn=True)
        if len(self.rows) != len(y) or len(y) == 0:
            raise ValueError(
                f"X and y must have the same, non-zero number of samples: X has {len(self.rows)}, "
                f"y has {len(y)}."
            )
        view = ModelView.of(estimator, caller="robust_accuracy_score", batch_size=batch_size)
        if bounds is None and not isinstance(attack, Attack):
            bounds = getattr(view.estimator, "bounds_", None)
        self.attack = resolve_attack(attack, eps=eps, bounds=bounds)
        self.attack._check_params()
        self.classes = _classes(view)
        self.y = _encoded(y, self.classes, estimator)
        self.target = self._targeted(view)
        self.batch_size = batch_size
        self.seed = derive_seed(random_state)

    def _targeted(self, view: ModelView) -> NetTarget | BlackBoxTarget:
        if isinstance(view, NetView):
            return NetTarget(view)
        if self.attack.needs_gradients:
            raise CapabilityError(
                f"robust_accuracy_score with {self._name()!r} needs 'gradients', which "
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
            found = _load(checkpoint, key)
        batches = enumerate(self.rows.batches(self.batch_size))
        if progress:
            batches = shown(batches, n_batches, "attacking", "batch")
        for number, (window, batch) in batches:
            if number < len(found):
                continue
            found.append(self._batch(batch, self.y[window], derive_seed(self.seed, number)))
            if checkpoint is not None:
                _save(checkpoint, key, found)
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
        inputs = self.target.inputs(batch)
        target = torch.as_tensor(y, device=inputs.device)
        correct = self.target.predicted(inputs) == target
        left = {"clean": correct.clone()}
        if correct.any():
            generator = torch_generator(seed, device=inputs.device)
            after = self._attacked(inputs[correct], target[correct], generator)
        else:
            after = dict.fromkeys(self._part_names(), correct[:0])
        for name, mask in after.items():
            left[name] = correct.clone()
            left[name][correct] = mask
        return {name: mask.cpu().numpy() for name, mask in left.items()}

    def _attacked(self, X: Tensor, y: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        module = self.target.module
        if isinstance(self.attack, AutoAttack):
            attacked, left, zero = self.attack.run(module, X, y, generator=generator)
            survived = self.target.predicted(attacked) == y
            parts = {name: left[name] & survived for name in list(left)[-1:]}
            return {**{name: left[name] for name in list(left)[1:]}, **parts, _ZERO: zero}
        attacked = self.attack(module, X, y, generator=generator)
        return {self._name(): self.target.predicted(attacked) == y}

    def _part_names(self) -> list[str]:
        if isinstance(self.attack, AutoAttack):
            return [*self.attack._parts(len(self.classes)), _ZERO]
        return [self._name()]

    def _name(self) -> str:
        return str(getattr(self.attack, "attack", type(self.attack).__name__)).lower()

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


def _save(path: Path, key: str, found: list[dict[str, NDArray]]) -> None:
    """Write all batches so far; a reader finds the old file or the new one, never half of one."""
    arrays = {
        f"{number}/{name}": mask for number, part in enumerate(found) for name, mask in part.items()
    }
    unfinished = path.with_name(path.name + ".part")
    content = io.BytesIO()
    np.savez_compressed(content, key=np.array(key), **arrays)  # type: ignore[arg-type]
    unfinished.write_bytes(_checksum(content.getvalue()) + content.getvalue())
    unfinished.replace(path)


def _checksum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_CHECKSUM).digest()


def _load(path: Path, key: str) -> list[dict[str, NDArray]]:
    try:
        content = path.read_bytes()
        if _checksum(content[_CHECKSUM:]) != content[:_CHECKSUM]:
            raise ValueError("its checksum does not fit")
        with np.load(io.BytesIO(content[_CHECKSUM:]), allow_pickle=False) as archive:
            stored = {name: archive[name] for name in archive.files}
        theirs = json.loads(str(stored.pop("key")))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} is no checkpoint of robustness_report, or a damaged one ({error}). Delete it "
            "or name another file."
        ) from error
    ours = json.loads(key)
    differing = [name for name in ours if theirs.get(name) != ours[name]]
    if differing:
        raise ValueError(
            f"{path} belongs to another run: {', '.join(differing)} differ. Name another file, or "
            "delete this one."
        )
    found: list[dict[str, NDArray]] = []
    for name, mask in stored.items():
        number, _, part = name.partition("/")
        found.extend({} for _ in range(int(number) + 1 - len(found)))
        found[int(number)][part] = mask
    return found


def _classes(view: ModelView) -> NDArray:
    found = getattr(view.estimator, "classes_", None)
    if found is None or len(found) == 0 or np.ndim(found[0]) > 0:
        raise CapabilityError(
            "robust_accuracy_score needs a classifier with one label a sample, got "
            f"{type(view.estimator).__name__}."
        )
    return view.classes_


def _encoded(y: NDArray, classes: NDArray, estimator: Any) -> NDArray:
    """Column of each label; -1, never right, for those a learner was told of and has not seen."""
    told = unknown_labels(np.asarray(getattr(estimator, "classes_", classes)), classes)
    columns = encode_labels(y, [*np.asarray(classes).tolist(), *told])
    return np.where(columns < len(classes), columns, -1)
