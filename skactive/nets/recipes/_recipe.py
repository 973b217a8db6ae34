"""What a recipe is: a skorch callback that is told more about an adversarial training."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any, ClassVar

from skorch.callbacks import Callback
from torch import Tensor, nn

from ...bounds import Box


class Recipe(Callback):
    """Base class of what changes the training of an `AdversarialNetClassifier`.

    Beside the notifications of skorch (``on_train_begin``, ``on_batch_begin``, …) a recipe gets
    those below, in the order in which they come; each does nothing by default. In all of them
    ``net.run`` is the present training (see `TrainingRun`): its samples, attack, counts, seed.

    Parameters are stored by the constructor as they are, and checked by
    ``_parameter_constraints``. What a recipe learns in a run it keeps in attributes that end in
    ``_``: each run has a copy of the recipe of its own, which is gone when the run ends, so that
    nets never share it and a failed fit leaves nothing behind. Results are kept by
    ``net.history.record(name, value)``. To end the training, raise ``KeyboardInterrupt`` in
    ``on_epoch_end``, as skorch's callbacks do.

    In ``callbacks=[…]`` a recipe has the name of its class in lower case (``eps_warmup``), unless
    it is given as a pair ``(name, recipe)``.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.callbacks import Recipe
    >>> class Clip(Recipe):  # no weight larger than `most`
    ...     def __init__(self, most=1.0):
    ...         self.most = most
    ...     def on_epoch_trained(self, net, **kwargs):
    ...         _ = net.module_.weight.data.clamp_(-self.most, self.most)
    >>> module = torch.nn.Linear(2, 2)
    >>> _ = torch.nn.init.ones_(module.weight)
    >>> net = AdversarialNetClassifier(module, attack=None, callbacks=[Clip(0.5)], max_epochs=2)
    >>> net = net.fit(np.eye(2, dtype="float32"), [0, 1])
    >>> net.module_.weight.max().item()
    0.5
    >>> net.get_params()["callbacks__clip__most"]
    0.5
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {}

    @classmethod
    def default_name(cls) -> str:
        """The name of the class in lower case: ``EpsWarmup`` is ``"eps_warmup"``."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()

    def on_run_begin(self, net: Any, **kwargs: Any) -> None:
        """Refuse what does not fit, hold samples out: nothing is trained yet, no teacher either."""

    def around_gradient(
        self, net: Any, loss: Callable[[], Tensor], **kwargs: Any
    ) -> contextlib.AbstractContextManager:
        """A context in which a batch's gradient is computed; ``loss()`` is the batch's loss."""
        return contextlib.nullcontext()

    def penalty(self, net: Any, output: Box | None) -> Tensor | None:
        """What is added to a batch's loss, if anything; `output` bounds the logits, or is None."""
        return None

    def on_epoch_trained(self, net: Any, **kwargs: Any) -> None:
        """An epoch's updates are done; comes before any callback's ``on_epoch_end``."""

    def judged_module(self, net: Any) -> nn.Module | None:
        """A module whose weights the net gets when training ends, to be judged before; or None."""
        return None

    def on_run_end(self, net: Any, interrupted: bool, **kwargs: Any) -> None:
        """Training has ended, by Ctrl-C if `interrupted`; the judged weights are about to count."""

    def restore(self, net: Any) -> None:
        """The last word on the weights; of several recipes that of the last in the list."""

    def __getstate__(self) -> dict[str, Any]:
        """Without what belongs to a run."""
        return {name: value for name, value in vars(self).items() if not name.endswith("_")}
