"""The view of a skorch net: everything a torch module can tell."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from torch import Tensor, nn

from ..attacks import DeepFool
from ..attacks._counterexamples import counterexamples
from ..attacks._nearest_boundary import nearest_boundaries
from ..attacks._race import Race
from ..bounds import Certifier
from ..exceptions import CapabilityError, UnsupportedOperationError
from ..losses import resolve_loss
from ..nets._checks import check_shape
from ..passes.gradient_norms import expected_gradient_length
from ..passes.inference import NoSuchLayer, check_not_diverged, forward_in_batches
from ..passes.logits import deciding_module, in_float64, logits_module
from ..passes.longest_gradients import Lengths, first_lengths, longest_gradients
from ..passes.mc_dropout import mc_dropout_proba
from ..passes.modules import untouched
from ..utils.indexing import Rows
from ..utils.inputs import unlazy
from ..utils.random_state import derive_seed
from ..utils.typing import RandomState
from ._capabilities import OF_NETS, column_labels
from ._view import ModelView

_RADIUS = 8 / 255


class NetView(ModelView):
    """A net of ours: everything a torch module can tell.

    `ModelView.of` makes it; beside what every view has it knows the net's `radius` and `bounds`.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.model_view import ModelView
    >>> net = AdversarialNetClassifier(torch.nn.Linear(2, 2, bias=False), attack=None, max_epochs=1)
    >>> net = net.fit(np.eye(2, dtype="float32"), ["left", "right"])
    >>> _ = net.module_.weight.data.copy_(torch.eye(2))  # the logits are the inputs
    >>> view, X = ModelView.of(net), np.array([[0.75, 0.5]], dtype="float32")
    >>> view.logits(X).tolist()
    [[0.75, 0.5]]
    >>> round(float(view.boundary_distances(X)[0]), 3)  # 0.25 / √2
    0.177
    >>> view.certified_margins(X, eps=0.1).round(2).tolist()  # 0.25 - 2 * 0.1
    [0.05]
    """

    capabilities = OF_NETS

    @classmethod
    def serves(cls, estimator: Any) -> bool:
        return isinstance(estimator, NeuralNet) and hasattr(estimator, "as_inputs")

    @property
    def classes_(self) -> NDArray:
        if not hasattr(self.estimator, "classes_"):
            raise CapabilityError(
                f"{self._caller or 'This'} needs a classifier, got {type(self.estimator).__name__}."
            )
        return column_labels(self.estimator)

    @property
    def logits_module(self) -> nn.Module:
        """The module that returns logits (or log-probabilities, which serve as well)."""
        return self._module(logits_module)

    @property
    def deciding_module(self) -> nn.Module:
        """The module whose largest logit is of the class that ``predict`` says."""
        return self._module(deciding_module)

    @property
    def _eager_deciding(self) -> nn.Module:
        return self._module(deciding_module, eager=True)

    @property
    def _eager(self) -> nn.Module:
        return self._module(logits_module, eager=True)

    def _module(self, of: Callable[..., nn.Module], **options: bool) -> nn.Module:
        return of(self.estimator, **options)

    @contextlib.contextmanager
    def _layers_needed(self, capability: str) -> Iterator[None]:
        """Say who asked if the module lacks the layers that a capability rests on."""
        try:
            yield
        except NoSuchLayer as error:
            raise CapabilityError(
                f"{self._caller or 'This'} needs {capability!r}, which this "
                f"{type(self.estimator).__name__} does not have. {error}"
            ) from error

    def net_inputs(self, X: Any) -> Tensor:
        """Rows of the pool as the tensor that the module reads, on its device."""
        X = self._of_the_net(X)
        if hasattr(self.estimator, "input_shape_") and len(getattr(X, "shape", ())) > 1:
            check_shape(self.estimator, X)
        return self.estimator.as_inputs(X)

    def float_inputs(self, X: Any) -> Tensor:
        """As `net_inputs`, for what moves the input a little: a CapabilityError for whole numbers.

        Parameters
        ----------
        X : rows of a pool
            As the estimator takes them.

        Returns
        -------
        inputs : Tensor
        """
        inputs = self.net_inputs(X)
        if not inputs.is_floating_point():
            raise CapabilityError(
                f"{self._caller or 'This'} moves a net's input by little, but this "
                f"{type(self.estimator).__name__} reads whole numbers "
                f"({str(inputs.dtype).removeprefix('torch.')}), such as tokens or bytes. What "
                "leaves the input alone works; or fit the net on floats."
            )
        return inputs

    def _of_the_net(self, X: Any) -> Any:
        """Rows after the earlier steps of a Pipeline."""
        return self.transform(unlazy(X) if self._before is not None else X)

    def net_logits(self, inputs: Tensor) -> Tensor:
        """Logits of one batch of inputs."""
        with torch.no_grad(), untouched(self.logits_module, freeze=False) as module:
            return module(inputs.clone())  # it may overwrite what it gets

    def predict_proba(self, X: Any) -> NDArray:
        logits, _ = forward_in_batches(self._eager, X, self.net_inputs, batch_size=self._batch_size)
        return _softmax(logits, len(self.classes_))

    def logits(self, X: Any) -> NDArray:
        return forward_in_batches(self._eager, X, self.net_inputs, batch_size=self._batch_size)[0]

    def predict_proba_and_embed(self, X: Any) -> tuple[NDArray, NDArray]:
        with self._layers_needed("embed"):
            logits, embedding = forward_in_batches(
                self._eager, X, self.net_inputs, batch_size=self._batch_size, embedding=True
            )
        if embedding is None:
            embedding = np.empty((0, 0), np.float32)
        return _softmax(logits, len(self.classes_)), embedding

    def dropout_proba(
        self, X: Any, n_passes: int = 10, rate: float = 0.1, random_state: RandomState = None
    ) -> NDArray:
        with self._layers_needed("dropout"):
            return mc_dropout_proba(
                self._eager,
                X,
                self.net_inputs,
                n_passes=n_passes,
                rate=rate,
                seed=derive_seed(random_state),
                batch_size=self._batch_size,
            )

    def gradient_norms(self, X: Any, wrt: str = "parameters") -> NDArray:
        def lengths(inputs: Tensor) -> tuple[Tensor]:
            return (expected_gradient_length(self._eager, inputs, wrt),)

        with self._layers_needed("gradients"):
            (norms,) = self._by_batch(X, lengths, load=self._inputs_for(wrt))
        check_not_diverged(norms)
        return norms

    def first_lengths(self, X: Any, n: int, wrt: str = "parameters") -> Lengths:
        rows = Rows.of(X)
        inputs_of = self._inputs_for(wrt)
        load = lambda positions: inputs_of(rows.take(positions))  # noqa: E731
        return first_lengths(self._eager, load, len(rows), n, wrt, self._batch_size)

    def longest_gradients(
        self, X: Any, n: int, wrt: str = "parameters", before: Lengths | None = None
    ) -> NDArray:
        rows, inputs_of = Rows.of(X), self._inputs_for(wrt)
        return longest_gradients(
            self._eager,
            self.predict_proba(rows),
            lambda positions: inputs_of(rows.take(positions)),
            n,
            wrt,
            self._batch_size,
            before,
        )

    def boundary_distances(self, X: Any, deepfool: DeepFool | None = None) -> NDArray:
        attack = self.deepfool(deepfool)
        # Larger batches than the attack's own keep its working set full.
        return self._by_batch(
            X,
            lambda inputs: (attack(self.deciding_module, inputs).distance,),
            16 * self._batch_size,
        )[0]

    def boundary_race(self, X: Any, n: int, deepfool: DeepFool | None = None) -> Race:
        race, attack = Race(n), self.deepfool(deepfool)
        for _, batch in Rows.of(X).batches(16 * self._batch_size):
            attack(self.deciding_module, self.float_inputs(batch), race=race)
        return race

    def nearest_boundaries(
        self,
        X: Any,
        n: int,
        rng: np.random.Generator,
        deepfool: DeepFool | None = None,
        before: Race | None = None,
    ) -> NDArray:
        rows = Rows.of(X)
        logits, _ = forward_in_batches(
            self._eager_deciding, rows, self.net_inputs, batch_size=self._batch_size
        )
        return nearest_boundaries(
            self.deciding_module,
            logits,
            lambda positions: self.float_inputs(rows.take(positions)),
            n,
            self.deepfool(deepfool),
            rng,
            before,
        )

    def adversarial_twins(
        self, X: Any, deepfool: DeepFool | None = None
    ) -> tuple[NDArray, NDArray]:
        attack = self.deepfool(deepfool)
        self.refuse_earlier_steps("adversarial twins")

        def twins(inputs: Tensor) -> tuple[Tensor, Tensor]:
            found = attack(self.deciding_module, inputs)
            return inputs + found.perturbation, found.distance

        moved, distance = self._by_batch(X, twins, 16 * self._batch_size)
        return moved, distance

    def counterexamples(self, X: Any, eps: float | None = None) -> tuple[NDArray, NDArray]:
        self.refuse_earlier_steps("counterexamples")
        radius = self.radius if eps is None else eps
        certifier = Certifier(self._eager_deciding, radius, bounds=self.bounds)
        exact = in_float64(self._eager_deciding)

        def search(inputs: Tensor) -> tuple[Tensor, Tensor]:
            points, distances = inputs.clone(), inputs.new_full((len(inputs),), torch.inf)
            rows = (~_proved(certifier, inputs)).nonzero()[:, 0]
            found = counterexamples(
                self.deciding_module, exact, inputs[rows], radius, bounds=self.bounds
            )
            points[rows], distances[rows] = found.points, found.distance
            return points, distances

        points, distances = self._by_batch(X, search)
        return points, distances

    def refuse_earlier_steps(self, what: str) -> None:
        """Raise a `CapabilityError` if something is done to rows before they are the net's input.

        Parameters
        ----------
        what : str
            What is made of the net's input, for the message.
        """
        if self._before is not None:
            raise CapabilityError(
                f"{self._caller or 'This'} makes {what} of the net's own input, which the earlier "
                "steps of a Pipeline cannot be given back. Pass the net alone."
            )

    def certified_margins(
        self, X: Any, eps: float | None = None, method: str = "ibp", y: NDArray | None = None
    ) -> NDArray:
        radius = self.radius if eps is None else eps
        certifier = Certifier(self._eager_deciding, radius, bounds=self.bounds, method=method)
        rows = Rows.of(X)
        margins = np.empty(len(rows))
        for window, batch in rows.batches(self._batch_size):
            inputs = self.float_inputs(batch)
            of = None if y is None else torch.as_tensor(y[window], device=inputs.device)
            margins[window] = certifier.margins(inputs, of).cpu().numpy()
        check_not_diverged(margins)
        return margins

    @property
    def radius(self) -> float:
        """L∞ radius that the net was trained for, by its loss or its attack; 8/255 without."""
        if not hasattr(self.estimator, "attack_"):  # no net of ours
            return _RADIUS
        attack = self.estimator.attack_
        eps = getattr(resolve_loss(self.estimator.loss), "eps", None)
        if eps is None and attack is not None and attack.norm == "Linf":
            eps = attack.eps
        return float(eps) if eps is not None and np.isfinite(eps) else _RADIUS

    @property
    def bounds(self) -> tuple[float, float]:
        """Range of the net's inputs."""
        return getattr(self.estimator, "bounds_", (0, 1))

    def deepfool(self, deepfool: DeepFool | None = None) -> DeepFool:
        """The attack that is given, or the default one within the net's range of inputs."""
        return DeepFool(bounds=self.bounds) if deepfool is None else deepfool

    def per_sample(self, X: Any, compute: Callable[[nn.Module, Tensor], Tensor]) -> NDArray:
        """What ``compute(logits module, inputs)`` gives for each sample, batch by batch."""
        (values,) = self._by_batch(X, lambda inputs: (compute(self.logits_module, inputs),))
        check_not_diverged(values)
        return values

    def _inputs_for(self, wrt: str) -> Callable[[Any], Tensor]:
        return self.float_inputs if wrt == "input" else self.net_inputs

    def _by_batch(
        self,
        X: Any,
        compute: Callable[[Tensor], tuple[Tensor, ...]],
        batch_size: int | None = None,
        load: Callable[[Any], Tensor] | None = None,
    ) -> list[NDArray]:
        rows, load = Rows.of(X), load or self.float_inputs
        if len(rows) == 0:
            raise ValueError("X has no rows.")
        parts = [
            [part.detach().cpu().numpy() for part in compute(load(batch))]
            for _, batch in rows.batches(batch_size or self._batch_size)
        ]
        return [np.concatenate(column) for column in zip(*parts, strict=True)]


def _proved(certifier: Certifier, inputs: Tensor) -> Tensor:
    """Which predictions are proved; none of a net that there are no bounds for."""
    try:
        return certifier.margins(inputs) > 0
    except UnsupportedOperationError:
        return torch.zeros(len(inputs), dtype=torch.bool, device=inputs.device)


def _softmax(logits: NDArray, n_classes: int) -> NDArray:
    if len(logits) == 0:
        return np.empty((0, n_classes), np.float32)
    if logits.ndim != 2:
        raise CapabilityError(
            f"The module must return one logit per class, shape (n, {n_classes}); it returned "
            f"{logits.shape}."
        )
    return torch.softmax(torch.from_numpy(logits), dim=1).numpy()
