"""A study that takes a second, and how its results are compared."""

from skactive.study import Execution, load_results, preset, run_study

QUIET = Execution(threads=1, progress=False)


def tiny(**changes):
    """Digits, two stages of one epoch."""
    settings = {
        "n_pool": 150, "n_test": 40, "initial": 30, "per_stage": 10, "stages": 2, "epochs": 1,
        "batch_size": 30,
        "train_attack": {"name": "pgd", "eps": 0.15, "alpha": 0.1, "steps": 1},
        "eval_attacks": {"pgd": {"name": "pgd", "eps": 0.15, "alpha": 0.1, "steps": 2}},
    }  # fmt: skip
    return preset("digits", **{**settings, **changes})


def run(
    out, protocol=None, strategies=("random", "entropy"), modes=("robust",), seeds=(0,), **more
):
    """Run, return all messages."""
    said = []
    execution = more.pop("execution", QUIET)
    run_study(
        [protocol or tiny()], out, strategies=strategies, modes=modes, seeds=seeds,
        execution=execution, say=said.append,
    )  # fmt: skip
    return said


def results(out):
    """Everything but the seconds, in a fixed order."""
    frame = load_results(out, picked=True)
    frame = frame[[name for name in frame.columns if "time" not in name]]
    keys = ["study", "strategy", "mode", "seed", "stage"]
    return frame.sort_values(keys).reset_index(drop=True)
