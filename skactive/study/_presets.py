"""The papers' protocols, and scaled ones that finish in minutes."""

from __future__ import annotations

from typing import Any

from ._protocol import Protocol, known, make_protocol

# The eleven functions of the DRE study, in its tables' order, and DRE itself.
DRE_STRATEGIES = (
    "bald", "dfal", "egl", "entropy", "dropout_entropy", "gini", "coreset", "least_confidence",
    "margin", "mcp", "random", "dre",
)  # fmt: skip
DFAL_STRATEGIES = ("dfal", "bald", "ceal", "robust_coreset", "egl", "entropy", "random")

_ADAM = {"name": "adam", "lr": 1e-3}
_SGD = {"name": "sgd", "lr": 0.2, "momentum": 0.9, "weight_decay": 5e-4, "cyclic": True}
# What the papers' numbers were computed with, where it is not the default here.
RELEASED: dict[str, dict[str, dict[str, Any]]] = {
    "dre": {
        "egl": {"wrt": "input"},
        "coreset": {"embedding": "proba"},
        "dre": {"allocation": "ceil_tail"},
    },
    "dfal": {"robust_coreset": {"embedding": "logits"}},
}
_SPLIT = {"validation": True, "best_epoch": True}
_MODES = {"modes": ("standard", "robust")}


def _dre(dataset: str, setting: str, network: str, n: tuple[int, ...], **more: Any) -> dict:
    """Tables 2, 3 and 4 of the DRE paper; epochs, batch and optimiser of its released code."""
    initial, per_stage, stages, epochs = n
    return {
        "description": f"DRE paper, tables 2-4: {dataset}, {network}",
        "dataset": dataset,
        "network": network,
        "initial": initial,
        "per_stage": per_stage,
        "stages": stages,
        "epochs": epochs,
        "batch_size": 100,
        "optimizer": _ADAM,
        **_SPLIT,
        "train_attack": {"name": f"dre-{setting}-train"},
        "eval_attacks": {
            "pgd": {"name": f"dre-{setting}-pgd"},
            "square": {"name": f"dre-{setting}-square"},
            "autoattack": {"name": f"dre-{setting}-autoattack"},
        },
        "strategy_params": RELEASED["dre"],
        "paper": "dre",
        "strategies": DRE_STRATEGIES,
        **_MODES,
        **more,
    }


def _dfal(dataset: str, network: str, threshold: float, **more: Any) -> dict:
    """Section 4.1 of the DFAL paper; clean accuracy only.

    The paper gives neither epochs nor the first labels: 30 epochs from scratch and 20 labels
    are ours. "A random subset" of the pool, on which BALD, EGL and core-set choose, is 1,000.
    """
    subset = {"subsample": 1000}
    return {
        "description": f"DFAL paper, section 4: {dataset}, {network}",
        "dataset": dataset,
        "network": network,
        "initial": 20,
        "per_stage": 10,
        "stages": 98,
        "epochs": 30,
        "batch_size": 32,
        "optimizer": _ADAM,
        "warm_start": False,
        "train_attack": {"name": "pgd"},
        "eval_attacks": {},
        "strategy_params": {
            "dfal": {"adversarial_twins": True},
            "ceal": {"threshold": threshold},
            "bald": subset,
            "egl": subset,
            "robust_coreset": {**subset, **RELEASED["dfal"]["robust_coreset"]},
        },
        "transfer": ("vgg8",) if network == "lenet5" else ("lenet5",),
        "paper": "dfal",
        "strategies": DFAL_STRATEGIES,
        "modes": ("standard",),
        "seeds": (0, 1, 2, 3, 4),
        **more,
    }


_CIFAR = {"optimizer": _SGD, "augment": True}
PRESETS: dict[str, dict[str, Any]] = {
    "mnist": _dre("mnist", "mnist", "lenet5", (200, 200, 24, 10), size=32),
    "fashion_mnist": _dre(
        "fashion_mnist", "fashion-mnist", "lenet5", (200, 200, 29, 10), size=32
    ),
    "svhn": _dre("svhn", "svhn", "vgg8", (1000, 500, 18, 20), augment=True),
    "cifar10_vgg16": _dre("cifar10", "cifar10", "vgg16", (1000, 500, 48, 10), **_CIFAR),
    "cifar10_resnet18": _dre("cifar10", "cifar10", "resnet18", (1000, 500, 48, 10), **_CIFAR),
    "cifar10_preactresnet18": _dre(
        "cifar10", "cifar10", "preactresnet18", (1000, 500, 48, 10), **_CIFAR
    ),
    "dfal_mnist_lenet5": _dfal("mnist", "lenet5", 0.05),
    "dfal_mnist_vgg8": _dfal("mnist", "vgg8", 0.05),
    "dfal_quickdraw_lenet5": _dfal("quickdraw", "lenet5", 0.08),
    "dfal_quickdraw_vgg8": _dfal("quickdraw", "vgg8", 0.08),
    "dfal_mnist_scaled": _dfal(
        "mnist", "lenet5", 0.05,
        description="DFAL paper, section 4, to its first 100 labels, from a small pool",
        n_pool=2000, n_test=2000, stages=8, transfer=(),
        strategy_params={
            "dfal": {"adversarial_twins": True},
            "ceal": {"threshold": 0.05},
            "bald": {"subsample": 500},
            "egl": {"subsample": 500},
            "robust_coreset": {"subsample": 500, **RELEASED["dfal"]["robust_coreset"]},
        },
    ),
    "dfal_runtime": _dfal(
        "mnist", "lenet5", 0.05,
        description="DFAL paper, table 3: time of one query, 100 labelled, 800 unlabelled",
        n_pool=900, initial=100, per_stage=10, stages=1, n_test=1000, transfer=(),
        strategies=("dfal", "robust_coreset", "robust_coreset:outliers=0.0"), seeds=(0, 1, 2),
        strategy_params={
            "dfal": {"adversarial_twins": True, "n_candidates": "all"}, **RELEASED["dfal"],
        },
    ),
}  # fmt: skip


def _scaled(base: str, **changes: Any) -> dict[str, Any]:
    original = PRESETS[base]
    description = f"{original['description']}, scaled down to minutes on two cores"
    small = {
        "description": description, "n_pool": 4000, "n_test": 500,
        "validation": False, "best_epoch": False,
        "strategy_params": {n: s for n, s in original["strategy_params"].items()
                            if n not in RELEASED["dre"] or original["paper"] != "dre"},
        "strategies": ("random", "entropy", "dre"), "seeds": (0,),
    }  # fmt: skip
    return {**original, **small, **changes}


def _pgd(eps: float, alpha: float, steps: int, **more: Any) -> dict[str, Any]:
    return {"name": "pgd", "eps": eps, "alpha": alpha, "steps": steps, **more}


# Fewer, larger steps: 7 · 0.1 crosses the ball of radius .3 more than twice.
_SMALL_03 = {
    "train_attack": _pgd(0.3, 0.1, 7, random_start=False),
    "eval_attacks": {
        "pgd": _pgd(0.3, 0.01, 50, stop_when_fooled=True, n_test=300),
        "autoattack": {"name": "autoattack-fast", "eps": 0.3, "at": "last", "n_test": 200},
    },
}
_SMALL_8 = {
    "train_attack": _pgd(8 / 255, 2 / 255, 7, random_start=False),
    "eval_attacks": {"pgd": _pgd(8 / 255, 2 / 255, 20, stop_when_fooled=True)},
}
PRESETS |= {
    "mnist_scaled": _scaled("mnist", stages=3, **_SMALL_03),
    "fashion_mnist_scaled": _scaled("fashion_mnist", stages=3, **_SMALL_03),
    "svhn_scaled": _scaled(
        "svhn", initial=200, per_stage=100, stages=2, epochs=5, network="lenet5", **_SMALL_8
    ),
    "cifar10_scaled": _scaled(
        "cifar10_vgg16", initial=200, per_stage=100, stages=2, network="lenet5",
        optimizer=_ADAM, **_SMALL_8,
    ),
    "quickdraw_scaled": _scaled(
        "dfal_quickdraw_lenet5", initial=20, per_stage=20, stages=4, epochs=10, n_test=None,
        transfer=("vgg8",), strategies=DFAL_STRATEGIES,
    ),
    "digits": {
        **_dre("digits", "mnist", "lenet5", (50, 25, 3, 8)),
        "description": "scikit-learn's digits: a whole study in minutes",
        "validation": False,
        "best_epoch": False,
        "strategy_params": {},
        "train_attack": _pgd(0.15, 0.05, 7, random_start=False),
        "eval_attacks": {
            "pgd": _pgd(0.15, 0.02, 20, stop_when_fooled=True, n_test=200),
            "autoattack": {"name": "autoattack-fast", "eps": 0.15, "at": "last", "n_test": 50},
        },
        "batch_size": 25,
        "seeds": (0, 1),
    },
}  # fmt: skip


def preset(name: str, **changes: Any) -> Protocol:
    """A preset by name, changed in part.

    Parameters
    ----------
    name : str
        One of `PRESETS`.
    **changes
        Fields of `Protocol` to replace.

    Returns
    -------
    protocol : Protocol

    Raises
    ------
    StudyError
        If there is no such preset (the nearest name is suggested) or a change does not fit.

    Examples
    --------
    >>> from skactive.study import preset
    >>> mnist = preset("mnist")
    >>> mnist.initial + mnist.stages * mnist.per_stage
    5000
    >>> mnist.attack(mnist.train_attack)
    PGD(alpha=0.01, eps=0.3, random_start=False, steps=40)
    """
    return make_protocol({"name": name, **PRESETS[known(name, PRESETS, "preset")], **changes})
