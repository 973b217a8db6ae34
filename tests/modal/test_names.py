"""Every public name of modAL 0.4.2 is there, with its signature."""

import importlib
import inspect
import subprocess
import sys

import pytest

STRATEGY = "n_instances=1, random_tie_break=False"
MC = f"{STRATEGY}, dropout_layer_indexes, num_cycles=50, sample_per_forward_pass=1000"
LEARNERS = [
    "ActiveLearner",
    "DeepActiveLearner",
    "BayesianOptimizer",
    "Committee",
    "CommitteeRegressor",
]
SIGNATURES = {
    "uncertainty": {
        "classifier_uncertainty": "classifier, X",
        "classifier_margin": "classifier, X",
        "classifier_entropy": "classifier, X",
        "uncertainty_sampling": f"classifier, X, {STRATEGY}",
        "margin_sampling": f"classifier, X, {STRATEGY}",
        "entropy_sampling": f"classifier, X, {STRATEGY}",
        "_proba_uncertainty": "proba",
        "_proba_margin": "proba",
        "_proba_entropy": "proba",
    },
    "disagreement": {
        "vote_entropy": "committee, X",
        "consensus_entropy": "committee, X",
        "KL_max_disagreement": "committee, X",
        "vote_entropy_sampling": f"committee, X, {STRATEGY}",
        "consensus_entropy_sampling": f"committee, X, {STRATEGY}",
        "max_disagreement_sampling": f"committee, X, {STRATEGY}",
        "max_std_sampling": f"regressor, X, {STRATEGY}",
    },
    "batch": {
        "uncertainty_batch_sampling": "classifier, X, n_instances=20, metric='euclidean', "
        "n_jobs=None",
        "ranked_batch": "classifier, unlabeled, uncertainty_scores, n_instances, metric, n_jobs",
        "select_instance": "X_training, X_pool, X_uncertainty, mask, metric, n_jobs",
        "select_cold_start_instance": "X, metric, n_jobs",
    },
    "density": {
        "information_density": "X, metric='euclidean'",
        "similarize_distance": "distance_measure",
        "cosine_similarity": None,
        "euclidean_similarity": None,
    },
    "acquisition": {
        "PI": "mean, std, max_val, tradeoff",
        "EI": "mean, std, max_val, tradeoff",
        "UCB": "mean, std, beta",
        "optimizer_PI": "optimizer, X, tradeoff=0",
        "optimizer_EI": "optimizer, X, tradeoff=0",
        "optimizer_UCB": "optimizer, X, beta=1",
        "max_PI": "optimizer, X, tradeoff=0, n_instances=1",
        "max_EI": "optimizer, X, tradeoff=0, n_instances=1",
        "max_UCB": "optimizer, X, beta=1, n_instances=1",
    },
    "expected_error": {
        "expected_error_reduction": "learner, X, loss='binary', p_subsample=1.0, " + STRATEGY
    },
    "multilabel": {
        "SVM_binary_minimum": "classifier, X_pool, random_tie_break=False",
        "_SVM_loss": "multiclass_classifier, X, most_certain_classes=None",
        **dict.fromkeys(
            [
                "max_loss",
                "mean_max_loss",
                "min_confidence",
                "avg_confidence",
                "max_score",
                "avg_score",
            ],
            f"classifier, X_pool, {STRATEGY}",
        ),
    },
    "dropout": {
        **{
            f"mc_dropout_{name}": f"classifier, X, {MC}, logits_adaptor"
            for name in ["bald", "mean_st", "max_entropy", "max_variationRatios"]
        },
        "get_predictions": "classifier, X, dropout_layer_indexes, num_predictions=50, "
        "sample_per_forward_pass=1000, logits_adaptor",
        "set_dropout_mode": "model, dropout_layer_indexes, train_mode",
        "default_logits_adaptor": "input_tensor, samples",
        "entropy_sum": "values, axis=-1",
    },
    "utils.selection": {
        "multi_argmax": "values, n_instances=1",
        "multi_argmin": "values, n_instances=1",
        "shuffled_argmax": "values, n_instances=1",
        "shuffled_argmin": "values, n_instances=1",
        "weighted_random": "weights, n_instances=1",
    },
    "utils.data": {
        "data_vstack": "blocks",
        "data_hstack": "blocks",
        "add_row": "X, row",
        "retrieve_rows": "X, I",
        "drop_rows": "X, I",
        "enumerate_data": "X",
        "data_shape": "X",
        "modALinput": None,
    },
    "utils.combination": {
        "make_linear_combination": "*functions, weights=None",
        "make_product": "*functions, exponents=None",
        "make_query_strategy": "utility_measure, selector",
    },
    "utils.validation": {
        "check_class_labels": "*args",
        "check_class_proba": "proba, known_labels, all_labels",
    },
    "models": dict.fromkeys(LEARNERS),
    "models.learners": dict.fromkeys(LEARNERS),
    "models.base": dict.fromkeys(["BaseLearner", "BaseCommittee"]),
    "utils": dict.fromkeys(
        [
            "make_linear_combination",
            "make_product",
            "make_query_strategy",
            "data_vstack",
            "multi_argmax",
            "weighted_random",
            "check_class_labels",
            "check_class_proba",
        ]
    ),
    "": dict.fromkeys(
        [
            "ActiveLearner",
            "Committee",
            "CommitteeRegressor",
            "models",
            "acquisition",
            "disagreement",
            "uncertainty",
            "utils",
        ]
    ),
}
CASES = [(module, name) for module, names in SIGNATURES.items() for name in names]


@pytest.mark.parametrize(("module", "name"), CASES)
def test_the_name_is_there_with_its_parameters(module, name):
    found = getattr(importlib.import_module(f"skactive.modal.{module}".rstrip(".")), name)
    wanted = SIGNATURES[module][name]
    if wanted is None:
        return
    ours = inspect.signature(found).parameters
    for position, part in enumerate(wanted.split(", ")):
        parameter, _, default = part.partition("=")
        assert parameter.lstrip("*") in ours, f"{name} lacks {parameter}"
        if "*" not in wanted:
            assert list(ours)[position] == parameter  # usable by position
        if default:
            assert repr(ours[parameter].default) == default


CONSTRUCTORS = {
    "ActiveLearner": "estimator query_strategy X_training y_training bootstrap_init on_transformed",
    "BayesianOptimizer": (
        "estimator query_strategy X_training y_training bootstrap_init on_transformed"
    ),
    "DeepActiveLearner": "estimator query_strategy on_transformed",
    "Committee": "learner_list query_strategy on_transformed",
    "CommitteeRegressor": "learner_list query_strategy on_transformed",
}


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_constructors_by_position(name):
    from skactive.modal import models

    assert (
        list(inspect.signature(getattr(models, name)).parameters)[: len(CONSTRUCTORS[name].split())]
        == CONSTRUCTORS[name].split()
    )


METHODS = {
    "ActiveLearner": "fit teach query predict predict_proba score transform_without_estimating",
    "BayesianOptimizer": "fit teach query predict score get_max",
    "DeepActiveLearner": "fit teach query predict predict_proba score num_epochs batch_size",
    "Committee": "fit teach query predict predict_proba score vote vote_proba rebag "
    "transform_without_estimating __len__ __iter__",
    "CommitteeRegressor": "fit teach query predict vote rebag __len__ __iter__",
}


@pytest.mark.parametrize(
    ("name", "method"), [(n, m) for n, methods in METHODS.items() for m in methods.split()]
)
def test_methods(name, method):
    from skactive.modal import models

    assert method in dir(getattr(models, name))


def test_importing_the_package_reaches_the_modules_modal_reaches():
    code = (
        "import skactive.modal as modAL;"
        "modAL.models, modAL.acquisition, modAL.disagreement, modAL.uncertainty;"
        "modAL.utils.selection.multi_argmax; modAL.models.base.BaseLearner"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
