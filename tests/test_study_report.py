"""Reports: of results written by hand, number by number, and of a study that was run."""

import dataclasses
import io
import json

import matplotlib
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import skactive
from skactive.__main__ import main
from skactive.analysis import area_under_budget_curve, selection_bias
from skactive.retraining import RetrainingReport
from skactive.study import (
    DRE_STRATEGIES,
    PRESETS,
    StudyError,
    preset,
    study_report,
    write_report,
)
from skactive.study._components import make_strategy
from skactive.study._frames import load_studies
from skactive.study._provenance import made_of, open_folder
from skactive.study._store import About, TaskStore
from skactive.study._tables_dfal import dfal_tables
from skactive.study._tables_dre import dre_tables

matplotlib.use("Agg")


def put(out, protocol, strategy, mode, seed, accuracies, robust=None, data="data", **columns):
    """Write a task's rows; `robust` has one list a stage for each attack."""
    folder = out / protocol.name
    open_folder(folder, protocol, data, "token")
    store = TaskStore(folder, About(strategy, mode, seed, made_of(protocol, data)), "token")
    for stage, accuracy in enumerate(accuracies):
        row = {
            "stage": stage, "oracle": protocol.initial + stage * protocol.per_stage,
            "pseudo": 0, "adversarial": 0, "validation": 0, "accuracy": accuracy,
            "robust": {name: values[stage] for name, values in (robust or {}).items()},
            "bias": {}, "transfer": {}, "picked": [], "query_time": 0.5, "fit_time": 1.0,
            "attack_time": {}, "weights": "a digest",
            **{name: values[stage] for name, values in columns.items()},
        }  # fmt: skip
        store.commit(row, None)


@pytest.fixture
def mnist(tmp_path):
    """Three stages of MNIST: random, dre and entropy over seven seeds, with an AutoAttack."""
    protocol = preset("mnist", stages=3)
    rng = np.random.default_rng(0)
    for strategy, level in (("random", 0.6), ("dre", 0.7), ("entropy", 0.4)):
        for seed in range(7):
            noise = rng.normal(0, 0.01, 4).tolist()
            robust = [level + e for e in noise]
            bias = {"entropy": 1 - level, "class": rng.random()}
            put(
                tmp_path, protocol, strategy, "robust", seed, [0.2, 0.8, 0.9, 0.98],
                {"pgd": [r + 0.1 for r in robust], "autoattack": robust},
                bias=[{}, bias, bias, bias],
            )  # fmt: skip
    return tmp_path


def test_our_numbers_stand_beside_the_papers(mnist):
    text = write_report(mnist).read_text()
    table = pd.read_csv(mnist / "report" / "dre_table_5.csv")
    stages = pd.read_csv(mnist / "report" / "stages.csv")
    last = stages[(stages.stage == 3) & (stages.strategy == "dre")].robust_autoattack * 100
    cell = table[(table.row == "dre") & table.column.str.contains("last stage: robust")].iloc[0]
    assert cell.ours == pytest.approx(last.mean(), rel=1e-5)
    assert cell.sd == pytest.approx(last.std(), rel=1e-4)
    assert (cell.n_seeds, cell.paper) == (7, 67.69)
    assert f"{last.mean():.2f} ± {last.std():.2f} (67.69)" in text
    assert "98.00 ± 0.00 (98.59)" in text
    third = table[(table.row == "entropy") & table.column.str.contains("1/3 stage: robust")]
    assert third.paper.tolist() == [35.18]


def test_a_report_is_made_again_from_what_it_leaves(mnist, tmp_path, capsys):
    first = write_report(mnist)
    written = {path.name: path.read_bytes() for path in first.parent.iterdir()}
    for name in written:
        if name not in ("stages.csv", "protocols.json"):
            (first.parent / name).unlink()
    assert main(["report", str(first.parent)]) == 0
    copies = io.BytesIO(written["stages.csv"]), first.parent / "stages.csv"
    stages = [pd.read_csv(copy) for copy in copies]
    pd.testing.assert_frame_equal(*stages, rtol=1e-14)  # older pandas read all digits but the last
    for name in written:
        if name == "stages.csv" or name.endswith(".png"):
            continue
        assert (first.parent / name).read_bytes() == written[name], name
    assert {path.name for path in first.parent.iterdir()} == set(written)
    (first.parent / "protocols.json").write_text('{"source": "x", "protocols": [{}]}')
    assert main(["report", str(first.parent)]) == 2
    assert "damaged" in capsys.readouterr().err


def test_a_report_that_could_not_be_made_again_is_as_it_was(mnist):
    """Where the runs are gone it is the only copy of their rows."""
    resource = pytest.importorskip("resource")
    folder = write_report(mnist).parent
    before = {name: (folder / name).read_bytes() for name in ("stages.csv", "protocols.json")}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before["stages.csv"]) // 2, limits[1]))
    try:
        with pytest.raises(StudyError, match="cannot be written to"):
            write_report(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    for name, content in before.items():
        assert (folder / name).read_bytes() == content, name


def test_rows_that_were_lost_are_missed(mnist, capsys):
    folder = write_report(mnist).parent
    text = (folder / "stages.csv").read_text()
    (folder / "stages.csv").write_text(text[: text.rindex("\n", 0, -1) + 1])
    assert main(["report", str(folder)]) == 2
    said = capsys.readouterr().err
    assert "83 of 84 rows of mnist" in said, said
    (folder / "stages.csv").write_text(text + "mist" + text[text.rindex("\nmnist,") + 6 :])
    assert main(["report", str(folder)]) == 2
    assert "rows of mist, of which protocols.json says nothing" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["2024", "NA", "1e3"])
def test_a_study_may_be_named_by_a_number_or_none(name, tmp_path):
    protocol = dataclasses.replace(preset("mnist", stages=3), name=name)
    put(tmp_path, protocol, "random", "robust", 0, [0.2] * 4)
    kept = write_report(tmp_path).parent
    assert study_report(kept).to_frame().study.tolist() == [name] * 4


def test_what_is_missing_is_named_with_its_command(mnist):
    text = write_report(mnist).read_text()
    lacking = [name for name in DRE_STRATEGIES if name not in ("random", "dre", "entropy")]
    assert (
        f"`python -m skactive study mnist --strategies {' '.join(lacking)} --modes robust --out "
        f"{mnist}`" in text
    )
    assert f"study mnist --strategies full --modes robust --out {mnist}`" in text
    assert "Not run: fashion_mnist, svhn, cifar10_vgg16" in text
    assert "`python -m skactive study dfal_runtime --out" in text
    assert f"{mnist}/retraining_DATASET_NETWORK.csv, such as retraining_mnist_lenet5.csv" in text


def test_commands_for_what_is_missing_are_accepted(mnist, tmp_path):
    import re

    text = write_report(mnist).read_text()
    commands = set(re.findall(r"`python -m skactive (study [^`]*)`", text))
    assert len(commands) >= 4
    for command in commands:
        assert main([*command.split(), "--print"]) == 0


def test_tests_are_scipys_and_corrected(mnist):
    write_report(mnist)
    stages = pd.read_csv(mnist / "report" / "stages.csv")
    found = pd.read_csv(mnist / "report" / "comparisons.csv")
    last = stages[stages.stage == 3].pivot(
        index="seed", columns="strategy", values="robust_autoattack"
    )
    rows = found[found.measure == "robustness (AutoAttack), last stage"].set_index("strategy")
    for strategy in ("dre", "entropy"):
        reference = stats.wilcoxon(last[strategy], last["random"])
        assert rows.pvalue[strategy] == reference.pvalue == 2 / 2**7
        assert rows.pvalue_holm[strategy] == 2 * 2 / 2**7
        difference = (last[strategy] - last["random"]).mean()
        assert rows.mean_difference[strategy] == pytest.approx(difference, rel=1e-4)
    area = stages[(stages.strategy == "dre") & (stages.seed == 2)].sort_values("stage")
    expected = area_under_budget_curve(area.oracle, area.robust_autoattack)
    areas = pd.read_csv(mnist / "report" / "budget_curves.csv")
    one = areas[(areas.row == "dre") & areas.column.str.contains("AutoAttack")]
    every = stages[stages.strategy == "dre"].sort_values("stage").groupby("seed")
    means = every[["oracle", "robust_autoattack"]].apply(
        lambda part: area_under_budget_curve(part.oracle, part.robust_autoattack)
    )
    assert one.ours.item() == pytest.approx(100 * means.mean(), rel=1e-4)
    assert means[2] == expected


@pytest.mark.parametrize("mode", ["standard", "robust"])
def test_strategies_are_compared_by_the_area_under_the_curve_of_accuracy(tmp_path, mode):
    """Of the whole budget: the last net alone is one draw, and may be an unlucky one."""
    protocol = preset("mnist", stages=2)
    attacked = {"pgd": [0.0] * 3, "autoattack": [0.0] * 3} if mode == "robust" else {}
    curves = {"random": [0.2, 0.4, 0.8], "dre": [0.2, 0.7, 0.8]}
    for strategy, curve in curves.items():
        for seed in range(3):
            worse = [0.2, curve[1] - 0.01 * seed, 0.8]
            put(tmp_path, protocol, strategy, mode, seed, worse, attacked)
    write_report(tmp_path)
    found = pd.read_csv(tmp_path / "report" / "comparisons.csv")
    found = found[found.measure.str.startswith("accuracy") & (found["mode"] == mode)]
    found = found[found.strategy == "dre"].set_index("measure")
    assert found.mean_difference["accuracy, last stage"] == 0
    # Two steps of equal length: (.2 / 2 + .7 + .8 / 2 - .2 / 2 - .4 - .8 / 2) / 2.
    area = found.loc["accuracy, area under the budget curve"]
    assert (area.mean_difference, area.n_pairs, area.study) == (pytest.approx(0.15), 3, "mnist")


def test_correlations_are_scipys(mnist):
    text = write_report(mnist).read_text()
    stages = pd.read_csv(mnist / "report" / "stages.csv")
    means = stages[stages.stage == 2].groupby("strategy").mean(numeric_only=True)
    for name in ("entropy", "class"):
        r = stats.pearsonr(means[f"bias_{name}"], means.robust_autoattack).statistic
        lines = text.split("Figure 3")[1].splitlines()
        lines = text.split("Figure 3")[1].splitlines()
        (line,) = [line for line in lines if line.startswith(f"| {name} | ")]
        assert line.split("|")[4].split()[0] == f"{r:+.2f}"
    assert (mnist / "report" / "bias_mnist.png").stat().st_size > 1000
    assert (mnist / "report" / "curves_mnist_robust.png").stat().st_size > 1000


def test_the_attack_of_the_tables_can_be_chosen(mnist, capsys):
    text = write_report(mnist, attack="pgd").read_text()
    assert "robustness (PGD)" in text
    assert "AutoAttack)" not in text
    assert main(["report", str(mnist), "--attack", "sqare"]) == 2
    assert "no attack in these results 'sqare'" in capsys.readouterr().err


def test_too_few_seeds_are_said_instead_of_a_p_value(tmp_path):
    protocol = preset("mnist", stages=1)
    for strategy, level in (("random", 0.5), ("dre", 0.6)):
        for seed in range(3):
            put(tmp_path, protocol, strategy, "robust", seed, [0.2, level],
                {"pgd": [0.1, level]}, bias=[{}, {"entropy": level}])  # fmt: skip
    text = write_report(tmp_path).read_text()
    assert "no test: 3 pairs, at least 6 are needed for p < 0.05." in text
    assert "| dre | 3 | +10.00 | +10.00 to +10.00 | +1.00 | – | – |" in text
    assert "a correlation needs at least 3 strategies" in text


def test_studies_are_pooled_over_data_sets_and_seeds(tmp_path):
    for name in ("mnist", "fashion_mnist"):
        for strategy, level in (("random", 0.5), ("dre", 0.6)):
            for seed in range(3):
                accuracy = level + 0.01 * seed * (strategy == "dre")
                put(tmp_path, preset(name, stages=1), strategy, "standard", seed, [0.2, accuracy])
    text = write_report(tmp_path).read_text()
    assert "**all studies: accuracy, last stage**" in text
    assert "| dre | 6 | +11.00 |" in text
    assert "| 0.0312 | 0.0312 |" in text


def test_unfinished_tasks_are_left_out_and_counted(mnist):
    put(mnist, preset("mnist", stages=3), "margin", "robust", 0, [0.2, 0.3],
        {"pgd": [0, 0], "autoattack": [0, 0]})  # fmt: skip
    text = write_report(mnist).read_text()
    assert "1 runs are not finished and left out" in text
    assert "| margin |" not in text


def test_settings_are_printed_in_full(mnist):
    text = write_report(mnist).read_text()
    assert "per_stage = 200" in text
    assert "# train_attack: {'alpha': 0.01, 'bounds': (0, 1), 'eps': 0.3" in text


def test_table_3_has_the_initial_and_the_full_model(mnist):
    put(mnist, preset("mnist", stages=3), "full", "robust", 0, [0.2, 0.99],
        {"pgd": [0.0, 0.9], "autoattack": [0.0, 0.8]})  # fmt: skip
    text = write_report(mnist).read_text()
    assert "| Budget | 800 (5000) |" in text
    assert "| Initial accuracy | 20.00 ± 0.00 (29.65) |" in text
    assert "| Full accuracy | 99.00 (98.69) |" in text
    assert "| Full robustness, AutoAttack | 80.00 (76.17) |" in text
    assert "| full |" not in text.split("Table 5")[1].split("##")[0]


def test_the_papers_maximum_is_that_of_all_its_functions(tmp_path):
    protocol = preset("mnist", stages=3)
    robust = {"autoattack": [0.0, 0.0, 0.0, 0.01]}
    for name in ("random", "margin"):
        put(tmp_path, protocol, name, "standard", 0, [0.2, 0.8, 0.9, 0.98], robust)
    table = dre_tables(load_studies(tmp_path), tmp_path, None)[0]
    best = [(cell.ours, cell.paper) for cell in table.rows if cell.row == "Maximum"]
    assert best == [(98, 99.69), (1, 0)]  # entropy's, which did not run


def test_table_6_tells_counts_from_shares(mnist):
    spent = {"n_selected": 4, "select_time": 0.1, "retrain_time": 1.0}
    budgets = {0.0: "baseline", 0.01: "dre", 20: "dre"}
    rows = [{"strategy": s, "budget": b, "seed": 0, **spent, "accuracy": 0.5}
            for b, s in budgets.items()]  # fmt: skip
    rows += [{**rows[1], "budget": 1, "accuracy": 0.6}, {**rows[1], "budget": 1.0}]
    RetrainingReport(rows).to_csv(mnist / "retraining_mnist_lenet5.csv")
    head, body = dre_tables(load_studies(mnist), mnist, None)[-1].cells()
    asked = [name.removeprefix("mnist, lenet5, ") for name in head[1:]]
    assert asked == ["1 %: accuracy", "1: accuracy", "100 %: accuracy", "20: accuracy"]
    assert body[1] == ["dre", "50.00 (98.32)", "60.00", "50.00", "50.00"]


def test_table_6_is_read_from_a_retraining_report(mnist):
    rows = [
        {"strategy": strategy, "budget": budget, "seed": seed, "n_selected": 4,
         "select_time": 0.1, "retrain_time": 1.0, "accuracy": 0.98,
         "autoattack": 0.75 + seed / 100}
        for strategy, budget in (("baseline", 0.0), ("dre", 0.01), ("dre", 0.04), ("dre", 0.1))
        for seed in (0, 1)
    ]  # fmt: skip
    RetrainingReport(rows).to_csv(mnist / "retraining_mnist_lenet5.csv")
    table = write_report(mnist).read_text().split("Table 6")[1].split("##")[0]
    ours = "98.00 ± 0.00", "75.50 ± 0.71"
    expected = [f"{ours[0]} (98.32)", f"{ours[1]} (76.52)", f"{ours[0]} (98.54)",
                f"{ours[1]} (76.88)", *ours]  # fmt: skip
    assert f"| dre | {' | '.join(expected)} |" in table
    assert f"| baseline | {ours[0]} (98.69) | {ours[1]} (76.17) |" in table
    assert "the file does not say which variants ran; the paper's numbers are of dre with" in table
    assert "no checksum" not in table


def test_a_damaged_retraining_report_is_named(mnist, capsys):
    path = mnist / "retraining_mnist_lenet5.csv"
    row = {"strategy": "dre", "budget": 0.01, "seed": 0, "n_selected": 4, "select_time": 0.1,
           "retrain_time": 1.0, "accuracy": 0.98, "autoattack": 0.75}  # fmt: skip
    RetrainingReport([row | {"strategy": "baseline", "budget": 0.0}, row]).to_csv(path)
    assert RetrainingReport.from_csv(path)[1] == row
    path.write_text(path.read_text().replace("0.98", "0.99"))
    with pytest.raises(ValueError, match=r"lenet5.csv is damaged .*csv.sha256 beside it"):
        RetrainingReport.from_csv(path)
    assert main(["report", str(mnist)]) == 2
    assert "retraining_mnist_lenet5.csv is damaged" in capsys.readouterr().err
    path.with_name(f"{path.name}.sha256").unlink()
    assert "lenet5.csv has no checksum beside it" in write_report(mnist).read_text()
    for text in ("strategy,budget\ndre,0.1\n", "strategy,budget\ndre,0.1,2\n", "a\x00b\n1\n", "",
                 "strategy,seed\n" + "x" * 200_000 + ",1\n"):  # fmt: skip
        path.write_text(text)
        assert "is no file of RetrainingReport.to_csv" in write_report(mnist).read_text()


BEHIND_THE_PAPERS_NUMBERS = {
    "dre": {"egl": ("wrt", "input"), "coreset": ("embedding", "proba"),
            "dre": ("allocation", "ceil_tail")},
    "dfal": {"robust_coreset": ("embedding", "logits"), "egl": ("", "of its own")},
}  # fmt: skip


NOT_IN_THE_PAPERS = ("digits", "svhn_scaled", "cifar10_scaled")


@pytest.mark.parametrize("name", [name for name in PRESETS if name not in NOT_IN_THE_PAPERS])
def test_beside_the_papers_numbers_stand_its_variants_or_a_note(name, tmp_path):
    paper = PRESETS[name]["paper"]
    p = preset(name, stages=3 if paper == "dre" else 8)
    behind = BEHIND_THE_PAPERS_NUMBERS[paper]
    transfer = [{}] * p.stages + [dict.fromkeys(p.transfer, 0.5)]
    for strategy in behind:
        robust = {attack: [0.1] * (p.stages + 1) for attack in p.eval_attacks}
        put(tmp_path, p, strategy, p.modes[-1], 0, [0.5] * (p.stages + 1), robust,
            transfer=transfer)  # fmt: skip
    studies, checked = load_studies(tmp_path), 0
    for table in [*dre_tables(studies, tmp_path, None), *dfal_tables(studies, tmp_path)]:
        for strategy, (setting, released) in behind.items():
            if any(c.paper and c.n and strategy in (c.row, c.column) for c in table.rows):
                ran = make_strategy(strategy, p)
                ran = getattr(ran, "strategy", ran).get_params().get(setting)
                said = [note for note in table.notes if f"{strategy} is ours" in note]
                assert bool(said) == (ran != released), (table.key, strategy)
                checked += 1
    assert checked


def test_dfal_tables(tmp_path):
    protocol = preset("dfal_mnist_lenet5")
    n = protocol.stages + 1
    for strategy, best in (("dfal", 0.99), ("random", 0.95)):
        curve = np.linspace(0.5, best, n).tolist()
        twins = [10 * stage * (strategy == "dfal") for stage in range(n)]
        put(tmp_path, protocol, strategy, "standard", 0, curve, adversarial=twins,
            transfer=[{}] * (n - 1) + [{"vgg8": best - 0.01}])  # fmt: skip
    put(tmp_path, protocol, "full", "standard", 0, [0.5, 0.97])
    for strategy, seconds in (("dfal", 1.5), ("robust_coreset:outliers=0.0", 9.0)):
        put(tmp_path, preset("dfal_runtime"), strategy, "standard", 0, [0.5, 0.6],
            query_time=[0, seconds])  # fmt: skip
    text = write_report(tmp_path).read_text()
    at_100 = 100 * np.linspace(0.5, 0.99, n)[8]
    assert f"| dfal | {at_100:.2f} (82.77) |" in text
    assert "| all data |  |  |  | 97.00 (99.04) |" in text
    stage = int(np.argmax(np.linspace(0.5, 0.99, n) >= 0.965))
    labels = 20 + 10 * stage
    assert f"| dfal | {labels} (1210) | {labels + 10 * stage} (2410) |" in text
    assert "| random | – | – |" in text
    assert "| dfal | 1.50 (126.54) |" in text
    assert "| robust_coreset:outliers=0.0 | 9.00 (784.99) |" in text
    assert "| dfal_mnist_lenet5: lenet5 → vgg8 | 98.00 (97.80) | 94.00 (94.46) |" in text


def test_nothing_to_report_is_said(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert "There is no study in" in capsys.readouterr().err
    open_folder(tmp_path / "mnist", preset("mnist"), "data", "token")
    assert main(["report", str(tmp_path)]) == 2
    assert "No stage in" in capsys.readouterr().err
    put(tmp_path, preset("mnist"), "dre", "robust", 0, [0.1], {})
    with pytest.raises(StudyError, match="No task in"):
        write_report(tmp_path)


def test_where_it_cannot_be_written_is_said(mnist, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match="cannot be written to"):
        write_report(mnist, tmp_path / "file")


def test_a_report_without_random_sampling(tmp_path):
    put(tmp_path, preset("mnist", stages=1), "dre", "robust", 0, [0.1, 0.9], {"pgd": [0, 0.5]})
    text = write_report(tmp_path, tmp_path / "elsewhere").read_text()
    assert "Not possible: random sampling was not run." in text


def test_a_report_of_random_sampling_alone(tmp_path):
    put(tmp_path, preset("mnist", stages=1), "random", "robust", 0, [0.1, 0.9], {"pgd": [0, 0.5]})
    text = write_report(tmp_path, tmp_path / "elsewhere").read_text()
    assert "random sampling was not run" not in text
    assert "Nothing to compare: only random sampling was run." in text
    put(tmp_path, preset("mnist", stages=1), "full", "robust", 0, [0.9], {"pgd": [0.5]})
    text = write_report(tmp_path, tmp_path / "elsewhere").read_text()
    assert "Nothing to compare: only random sampling was run." in text  # "full" asks nothing
    put(tmp_path, preset("mnist", stages=1), "dre", "clean", 0, [0.1, 0.9], {"pgd": [0, 0.5]})
    text = write_report(tmp_path, tmp_path / "elsewhere").read_text()
    assert "Nothing to compare: random sampling and the others were trained differently." in text


def test_the_bias_of_a_report_is_the_analysis(mnist):
    proba = np.random.default_rng(0).dirichlet(np.ones(4), 300)
    bias = selection_bias(proba, range(30))
    put(mnist, preset("mnist", stages=3), "gini", "robust", 0, [0.2] * 4,
        {"pgd": [0.1] * 4, "autoattack": [0.1] * 4}, bias=[{}, bias, bias, bias])  # fmt: skip
    write_report(mnist)
    stages = pd.read_csv(mnist / "report" / "stages.csv")
    gini = stages[(stages.strategy == "gini") & (stages.stage == 1)]
    assert gini.bias_margin.item() == pytest.approx(bias["margin"], rel=1e-5)


def test_the_command_says_its_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"skactive {skactive.__version__}\n"


@pytest.fixture
def apart(tmp_path):
    """Two seeds on one machine; a third, and one strategy's fourth, on another."""
    protocol = preset("mnist", stages=3)

    def run(where, strategy, seeds, last=0.9, **columns):
        for seed in seeds:
            accuracies = [0.2, 0.5 + seed / 100, 0.8, last + seed / 1000]
            put(tmp_path / where, protocol, strategy, "standard", seed, accuracies, **columns)

    for where, seeds in (("here", (0, 1)), ("there", (2,)), ("at once", (0, 1, 2))):
        run(where, "random", seeds)
        run(where, "dre", seeds)
    return tmp_path, run


def test_studies_run_apart_are_reported_on_as_one(apart, capsys):
    folder, _ = apart
    one = write_report(folder / "at once", folder / "one")
    two = write_report([folder / "here", folder / "there"], folder / "two")
    for path in sorted(one.parent.iterdir()):
        if path.suffix in (".csv", ".md"):
            text = path.read_text().replace("at once", "here")
            assert (two.parent / path.name).read_text() == text, path.name
    assert main(["report", str(folder / "here"), str(folder / "there")]) == 0
    assert "6 runs, 2 strategies" in capsys.readouterr().out
    assert (folder / "here/report/report.md").exists()


def test_what_was_run_later_joins_an_earlier_report(apart):
    """As where the folder of the first runs is gone: only its report was kept."""
    folder, run = apart
    kept = write_report(folder / "here", folder / "kept").parent
    run("there", "random", (1,))  # of which the report has the same
    assert write_report([kept, folder / "there"]).parent == kept
    expected = pd.read_csv(write_report(folder / "at once", folder / "one").parent / "stages.csv")
    pd.testing.assert_frame_equal(pd.read_csv(kept / "stages.csv"), expected, rtol=1e-14)
    content = json.loads((kept / "protocols.json").read_text())
    assert content["protocols"][0]["data"] == "data"


def test_seconds_of_a_task_may_differ_where_it_was_run_twice(apart):
    folder, run = apart
    run("there", "random", (1,), query_time=[9.0] * 4)
    joined = study_report([folder / "here", folder / "there"]).to_frame()
    assert len(joined) == 6 * 4
    assert joined[(joined.strategy == "random") & (joined.seed == 1)].query_time.eq(0.5).all()


def test_a_task_that_was_finished_elsewhere_is_not_told_as_unfinished(apart):
    folder, _ = apart
    protocol = preset("mnist", stages=3)
    put(folder / "there", protocol, "random", "standard", 1, [0.2])
    put(folder / "there", protocol, "entropy", "standard", 1, [0.2])
    text = write_report([folder / "here", folder / "there"]).read_text()
    assert "1 runs are not finished" in text


def test_a_task_with_two_results_joins_nothing(apart, capsys):
    folder, run = apart
    run("there", "dre", (1,), last=0.95)
    with pytest.raises(StudyError, match="both hold the task dre, standard, 1 of mnist"):
        study_report([folder / "here", folder / "there"])
    assert main(["report", str(folder / "here"), str(folder / "there")]) == 2
    assert "report on one of them" in capsys.readouterr().err
    assert not (folder / "here/report").exists()


@pytest.mark.parametrize(
    ("changes", "data", "said"),
    [({"epochs": 3}, "data", r"epochs: \d+ -> 3"), ({}, "others", "images or labels: data… -> ")],
)
def test_studies_of_other_settings_or_data_are_not_joined(apart, changes, data, said):
    folder, _ = apart
    put(folder / "other", preset("mnist", stages=3, **changes), "dre", "standard", 4, [0.1] * 4,
        data=data)  # fmt: skip
    with pytest.raises(StudyError, match=said):
        study_report([folder / "here", folder / "other"])


def test_studies_of_other_names_stand_side_by_side(apart):
    folder, _ = apart
    put(folder / "other", preset("fashion_mnist", stages=3), "dre", "standard", 4, [0.1] * 4)
    report = study_report([folder / "here", folder / "other"])
    assert [study.name for study in report.studies] == ["mnist", "fashion_mnist"]
    with pytest.raises(StudyError, match="No folder"):
        study_report([])
