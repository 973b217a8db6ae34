"""Presets, TOML files, overrides; nets, strategies and images made from them."""

import dataclasses
import tomllib

import numpy as np
import pytest
import torch

from skactive.datasets import load_digits
from skactive.strategies import DRE, RobustCoreSet, Subsample
from skactive.study import DRE_STRATEGIES, PRESETS, StudyError, preset, read_protocol
from skactive.study._components import (
    AugmentedBatches,
    crop_and_flip,
    load_data,
    make_net,
    make_strategy,
)
from skactive.study._config import as_toml, difference
from skactive.study._paper import DFAL_COLUMNS, DRE_COLUMNS, DRE_TABLE_3, DRE_TABLE_5_LAST
from skactive.study._protocol import make_protocol


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_is_complete_and_survives_toml(name, tmp_path):
    protocol = preset(name)
    for spec in (protocol.train_attack, *protocol.eval_attacks.values()):
        protocol.attack(spec)
    for strategy in protocol.strategies:
        make_strategy(strategy, protocol)
    path = tmp_path / f"{name}.toml"
    path.write_text(as_toml(protocol.settings()))
    tomllib.loads(path.read_text())
    assert read_protocol(str(path)).settings() == protocol.settings()


def test_presets_are_the_papers_table_3():
    for column, name in DRE_COLUMNS.items():
        p = preset(name)
        budget, initial, new, stages = DRE_TABLE_3[column][:4]
        assert (p.dataset, p.network) == column
        assert (p.initial, p.per_stage, p.stages) == (initial, new, stages)
        assert p.initial + p.stages * p.per_stage == budget
        assert set(p.strategies) == set(DRE_STRATEGIES) == set(DRE_TABLE_5_LAST[column])
    for column, name in DFAL_COLUMNS.items():
        p = preset(name)
        assert (p.dataset, p.network) == column
        assert p.initial + p.stages * p.per_stage == 1000
        assert p.batch_size == 32
        assert not p.warm_start


def test_attacks_are_the_papers_table_4():
    mnist, svhn = preset("mnist"), preset("svhn")
    train = mnist.attack(mnist.train_attack)
    assert (train.eps, train.alpha, train.steps, train.random_start) == (0.3, 0.01, 40, False)
    test = mnist.attack(mnist.eval_attacks["pgd"])
    assert (test.eps, test.alpha, test.steps, test.random_start) == (0.3, 0.01, 50, True)
    train = svhn.attack(svhn.train_attack)
    assert (train.eps, train.alpha, train.steps) == (8 / 255, 2 / 255, 7)
    assert svhn.attack(svhn.eval_attacks["autoattack"]).eps == 8 / 255


def test_overrides_reach_nested_settings_and_keep_their_neighbours():
    p = read_protocol("mnist", ["epochs=3", "train_attack.steps=5", "n_pool=500", "size=none"])
    assert (p.epochs, p.n_pool, p.size) == (3, 500, None)
    assert p.attack(p.train_attack).steps == 5
    assert p.attack(p.train_attack).alpha == 0.01
    assert preset("mnist").train_attack == {"name": "dre-mnist-train"}  # the preset is as it was


def test_a_toml_file_changes_a_preset(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'preset = "digits"\nepochs = 2\nstrategies = ["dre"]\n'
        "[eval_attacks.pgd]\nsteps = 4\n[train_attack]\nname = 'fgsm'\neps = 0.1\n"
    )
    p = read_protocol(str(path))
    assert (p.name, p.dataset, p.epochs, p.strategies) == ("mine", "digits", 2, ("dre",))
    assert p.attack(p.eval_attacks["pgd"]).steps == 4
    assert p.attack(p.eval_attacks["pgd"]).eps == 0.15
    assert p.train_attack == {"name": "fgsm", "eps": 0.1}  # another attack: its own settings


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("mnits", [], "no preset 'mnits'. Did you mean 'mnist'"),
        ("digits", ["epoch=3"], "no setting 'epoch'. Did you mean 'epochs'"),
        ("digits", ["epochs=0"], "epochs must be an integer >= 1, got 0"),
        ("digits", ["epochs=many"], "epochs must be an integer >= 1, got 'many'"),
        ("digits", ["epochs"], "--set takes key=value"),
        ("digits", ["=3"], "--set takes key=value"),
        ("digits", ["dataset=digit"], "Did you mean 'digits'"),
        ("digits", ["network=lenet"], "no network 'lenet'. Did you mean 'lenet5'"),
        ("digits", ["optimizer.name=adamw"], "no optimizer 'adamw'. Did you mean 'adam'"),
        ("digits", ["train_attack.name=pgdd"], "Did you mean 'pgd'"),
        ("digits", ["train_attack.step=3"], "train_attack: "),
        ("digits", ["train_attack.eps=-1.0"], "train_attack: "),
        ("digits", ["eval_attacks.pgd.at=lasst"], "Did you mean 'last'"),
        ("digits", ["eval_attacks.pgd=3"], "must be a table with a name"),
        ("digits", ["best_epoch=true"], "best_epoch = true needs validation = true"),
        ("digits", ["augment=1"], "augment must be true or false"),
        ("none.toml", [], "none.toml cannot be read"),
    ],
)
def test_wrong_settings_are_named(name, overrides, message):
    with pytest.raises(StudyError) as error:
        read_protocol(name, overrides)
    assert message in str(error.value)


def test_broken_and_incomplete_files_are_named(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text("epochs = \n")
    with pytest.raises(StudyError, match="no valid TOML"):
        read_protocol(str(path))
    path.write_text("epochs = 3\n")
    with pytest.raises(StudyError, match="incomplete.*missing"):
        read_protocol(str(path))


def test_difference_names_what_changed():
    old, new = preset("digits").settings(), preset("digits", epochs=3).settings()
    new["train_attack"] = {**new["train_attack"], "steps": 9}
    new["description"] = "other words"
    assert difference(old, new) == ["epochs: 8 -> 3", "train_attack.steps: 7 -> 9"]
    assert difference(old, old) == []


def test_strategies_take_settings():
    p = preset("dfal_mnist_lenet5")
    dre = make_strategy("dre:allocation=ceil_tail,n_bins=20", p)
    assert isinstance(dre, DRE)
    assert (dre.allocation, dre.n_bins) == ("ceil_tail", 20)
    inside = make_strategy("robust_coreset:outliers=0.0", p)
    assert isinstance(inside, Subsample)
    assert inside.size == 1000
    assert isinstance(inside.strategy, RobustCoreSet)
    assert inside.strategy.outliers == 0
    assert make_strategy("dfal", p).adversarial_twins
    for wrong, message in [
        ("entropi", "Did you mean 'entropy'"),
        ("dre:allocation=best", "allocation"),
        ("dre:bins=3", "bins"),
        ("dre:20", "name:setting=value"),
    ]:
        with pytest.raises(StudyError, match=message):
            make_strategy(wrong, p)


def test_a_pool_that_is_too_small_or_not_there_is_named(monkeypatch, tmp_path):
    with pytest.raises(StudyError, match=r"50 \+ 3 · 25 = 125 labels, but the pool has 100"):
        load_data(preset("digits", n_pool=100))
    monkeypatch.setenv("SKACTIVE_DATA", str(tmp_path))
    with pytest.raises(StudyError, match="svhn: SVHN was not found.*SKACTIVE_DATA"):
        load_data(preset("svhn"))


def test_attacks_are_run_at_their_stages():
    p = preset("digits")
    assert list(p.attacks_at(3, 3)) == ["pgd", "autoattack"]
    assert list(p.attacks_at(1, 3)) == ["pgd"]
    third = dataclasses.replace(p, eval_attacks={"pgd": {"name": "pgd", "at": "third_and_last"}})
    assert [stage for stage in range(25) if third.attacks_at(stage, 24)] == [8, 24]


def test_crops_are_crops():
    torch.manual_seed(0)
    images = torch.rand(64, 3, 8, 8) + 1  # no zeros inside
    made = crop_and_flip(images)
    assert made.shape == images.shape
    padded = torch.nn.functional.pad(images, (4, 4, 4, 4))
    for image, source in zip(made, padded, strict=True):
        crops = [source[:, t : t + 8, s : s + 8] for t in range(9) for s in range(9)]
        assert any(torch.equal(image, crop) or torch.equal(image, crop.flip(2)) for crop in crops)
    assert len({tuple(image.flatten().tolist()) for image in made}) == 64


def test_sgd_cyclic_augmented_and_best_epoch_nets_train():
    p = make_protocol(
        {
            **preset("digits").settings(),
            "augment": True,
            "validation": True,
            "best_epoch": True,
            "epochs": 2,
            "optimizer": {"name": "sgd", "lr": 0.2, "momentum": 0.9, "cyclic": True},
        }
    )
    data = load_data(p)
    net = make_net(p, data, p.network, "cpu", 0)
    rates = []
    net.set_params(callbacks__cyclic_rate=_recording(rates))
    net.fit(data.X_train[:100], data.y_train[:100])
    assert net.optimizer.__name__ == "SGD"
    assert net.iterator_train is AugmentedBatches
    assert net.n_validation_labels_ == len(data.y_val)
    n = 2 * 4  # two epochs of four batches
    done = np.arange(1, n + 1) / n
    np.testing.assert_allclose(rates, np.interp(done, [0, 0.4, 1], [0, 0.2, 0]))


def _recording(rates):
    from skactive.study._components import CyclicRate

    class Recording(CyclicRate):
        def on_batch_begin(self, net, **kwargs):
            super().on_batch_begin(net, **kwargs)
            if kwargs.get("training"):
                rates.append(net.optimizer_.param_groups[0]["lr"])

    return Recording()


def test_the_pool_is_what_the_data_set_has():
    data = load_data(preset("digits"))
    np.testing.assert_array_equal(data.X_train, load_digits().X_train)
