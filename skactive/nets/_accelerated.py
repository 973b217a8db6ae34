"""Adversarial training on several processes, by skorch's mixin for Accelerate."""

from __future__ import annotations

from typing import Any, ClassVar

from skorch.hf import AccelerateMixin
from torch import nn

from ..utils.compat import optimizer_names, part_names
from ._classifier import AdversarialNetClassifier
from ._processes import SeveralProcesses


class AcceleratedNetClassifier(AccelerateMixin, AdversarialNetClassifier):
    """`AdversarialNetClassifier` on several GPUs, or processes, of Hugging Face Accelerate.

    Each process attacks its part of every batch; gradients are those of the whole batch. All
    processes run the same script on the same data, and all have the trained net in the end.

    Parameters
    ----------
    module : torch module class or instance
    accelerator : accelerate.Accelerator
        Devices, processes, mixed precision. A clone of the net has the same one.
    unwrap_after_train : bool, default=True
        Undo at the end of a training what the accelerator did to the module for mixed precision,
        so that the net can be pickled.
    **kwargs
        All parameters of `AdversarialNetClassifier`. ``batch_size`` is that of a process, and the
        ``device`` is the accelerator's to choose.

    Raises
    ------
    ValueError
        Before any training, if the processes were given different data, or a batch is too small
        to give each two samples; otherwise as in `AdversarialNetClassifier`.

    Notes
    -----
    Two processes with batches of 50 train as one with batches of 100: the order is the first
    process's, each takes every second sample of a batch, and gradients are weighted by how much
    of the batch a process has. What is drawn for samples (random starts of attacks, dropout,
    augmentation) is drawn from a seed of each process, so that a run on as many processes repeats
    with the same `random_state`.

    After each update weights, the statistics of BatchNorm (a mean over the processes) and
    ``train_loss`` are equal on all processes, so that recipes and callbacks decide alike. `AWP`
    perturbs weights by each process's own gradient. Validation, queries and predictions are made
    on each process, in full.

    The mixin of skorch alone, in front of `AdversarialNetClassifier`, would replace the attacked
    step by a plain one; that is refused.

    Examples
    --------
    >>> from accelerate import Accelerator  # doctest: +SKIP
    >>> from skactive import AcceleratedNetClassifier
    >>> from skactive.networks import LeNet5
    >>> net = AcceleratedNetClassifier(  # doctest: +SKIP
    ...     LeNet5, accelerator=Accelerator(), attack="pgd", random_state=0)

    A script of such lines is started as ``accelerate launch --num_processes 4 train.py``.
    """

    _by_reference: ClassVar[tuple[str, ...]] = ("accelerator",)

    def __init__(
        self,
        module: Any,
        *,
        accelerator: Any,
        unwrap_after_train: bool = True,
        callbacks__print_log__sink: Any = print,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            module,
            accelerator=accelerator,
            unwrap_after_train=unwrap_after_train,
            callbacks__print_log__sink=callbacks__print_log__sink,
            **kwargs,
        )

    @property
    def processes(self) -> SeveralProcesses:
        """Those of the accelerator."""
        return SeveralProcesses(self.accelerator)

    def _initialize_accelerator(self) -> Any:
        """Bring the net's parts to the accelerator's device and precision.

        Not into DistributedDataParallel: gradients are summed once a batch is done, however
        often its attack and its loss ran the module. Weights are the first process's.
        """
        for name in part_names(self):
            if isinstance(part := getattr(self, name), nn.Module):
                setattr(self, name, self.accelerator.prepare_model(part, evaluation_mode=True))
        for name in optimizer_names(self):
            setattr(self, name, self.accelerator.prepare_optimizer(getattr(self, name)))
        self.processes.share(self.module_)
        return self

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Batches: a process's parts in training, all of them otherwise."""
        return AdversarialNetClassifier.get_iterator(self, dataset, training=training)

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Attack a part of one batch and compute the gradients of the loss on all of it."""
        with self.accelerator.autocast():
            return AdversarialNetClassifier.train_step_single(self, batch, **fit_params)

    def evaluation_step(self, batch: Any, training: bool = False) -> Any:
        """Output for a batch, which every process sees in full."""
        return AdversarialNetClassifier.evaluation_step(self, batch, training=training)

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Note how many samples the loss is the mean of."""
        super().on_batch_end(net, training=training, **kwargs)
        if training and self.run is not None and self.processes.count > 1:
            self.history.record_batch("train_batch_size", self.run.parts.n_rows)

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> Any:
        """Undo mixed precision; let the accelerator go of this training's parts."""
        super().on_train_end(net, X=X, y=y, **kwargs)
        for name in part_names(self) if self.unwrap_after_train else ():
            part = self.accelerator.unwrap_model(getattr(self, name), keep_fp32_wrapper=False)
            setattr(self, name, part)
        self.accelerator.free_memory()
        return self
