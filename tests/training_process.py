"""What each of two processes runs in ``test_accelerated.py``: trainings, noted in a file each."""

import os

import numpy as np
import torch


def run(rank, n_processes, port, folder):
    os.environ.update(
        RANK=str(rank), WORLD_SIZE=str(n_processes), LOCAL_RANK=str(rank), MASTER_PORT=str(port),
        MASTER_ADDR="127.0.0.1", TORCHELASTIC_USE_AGENT_STORE="True",
        TORCHELASTIC_RESTART_COUNT="0", ACCELERATE_USE_CPU="true", OMP_NUM_THREADS="1",
    )  # fmt: skip
    torch.set_num_threads(1)
    np.savez(folder / f"{rank}.npz", **{name: np.asarray(v) for name, v in found(rank).items()})


def found(rank):
    from accelerate import Accelerator
    from sklearn.base import clone
    from skorch.hf import AccelerateMixin

    from skactive import AcceleratedNetClassifier, ActiveLearner, AdversarialNetClassifier
    from skactive.attacks import PGD
    from skactive.callbacks import AWP, EMA, SWA, BestEpoch
    from skactive.losses import IBP
    from tests.models import SmallCNN, SmallMLP
    from tests.test_accelerated import DETERMINISTIC, rows

    accelerator = Accelerator(cpu=True)

    def net(module=SmallMLP, **params):
        params = {"batch_size": 10, "max_epochs": 2, "random_state": 0, "lr": 0.01, **params}
        return AcceleratedNetClassifier(module, accelerator=accelerator, **params)

    X, y = rows()
    images = X.reshape(-1, 1, 8, 8)
    notes = {}
    plain = net(**DETERMINISTIC).fit(X, y)
    notes["plain"] = weights(plain)
    notes["plain_loss"] = plain.history[:, "train_loss"]
    notes["went_on"] = weights(plain.partial_fit(X, y))
    notes["pool"] = weights(
        net(unlabeled="rst", **DETERMINISTIC).fit(X[:90], y[:90], X_unlabeled=X[90:])
    )
    notes["bounds"] = weights(net(attack=None, loss=IBP(eps=0.02)).fit(X, y))

    seeds = []

    class Seeds(EMA):
        def on_batch_begin(self, net, **kwargs):
            seeds.append(net.run.generator.initial_seed())

    rich = net(
        SmallCNN,
        attack=PGD(0.1, steps=2),
        callbacks=[Seeds(), AWP(0.005), SWA(0.5), BestEpoch("robust")],
        random_state=3,
    )
    notes["rich"] = weights(rich.fit(images, y))
    notes["rich_again"] = weights(clone(rich).fit(images, y))
    notes["seed"] = seeds[0]
    notes["unseeded"] = weights(net(random_state=None).fit(X, y))
    notes["instance"] = weights(net(SmallMLP(), **DETERMINISTIC).fit(X, y))

    learner = ActiveLearner(net(max_epochs=1), "margin", random_state=0).fit(X[:50], y[:50])
    picks, _ = learner.query(X[50:], n=10)
    learner.teach(X[50:][picks], y[50:][picks])
    notes["picks"], notes["taught"] = picks, weights(learner.estimator_)

    notes["other_data"] = refusal(lambda: net().fit(X[rank:], y[rank:]))
    notes["few"] = refusal(lambda: net().fit(X[:3], [0, 1, 2]))

    class Mixed(AccelerateMixin, AdversarialNetClassifier):
        pass

    notes["mixed"] = refusal(lambda: Mixed(SmallMLP, accelerator=accelerator).fit(X, y))
    accelerator.wait_for_everyone()
    torch.distributed.destroy_process_group()
    return notes


def weights(net):
    state = net.module_.state_dict().values()
    return torch.cat([value.detach().flatten().double() for value in state]).numpy()


def refusal(fit):
    try:
        fit()
    except ValueError as error:
        return str(error)
    return "nothing was raised"
