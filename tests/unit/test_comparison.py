"""Runs side by side: what is better, what differs, what a run is called, and how the table looks."""

from __future__ import annotations

import json
import math

import pytest
from runs_side_by_side import curves, made, run_id

from jupyter_remote import better, comparison_looks
from jupyter_remote.compared import Compared, cards, differing, finals, given, titles
from jupyter_remote.comparison import Comparison, matching
from jupyter_remote.errors import UsageError
from jupyter_remote.masking import HIDDEN, Mask

HOSTILE = "<script>alert(1)</script>\x1b[31m|`$x$`\n"


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("val_loss", "min"), ("valLoss", "min"), ("TRAIN.loss", "min"), ("loss1", "min"), ("WER", "min"),
        ("accuracy_loss", "min"), ("step_time", "min"), ("peak_mem_gb", "min"), ("error_rate", "min"),
        ("acc", "max"), ("val_acc@5", "max"), ("top1", "max"), ("valF1", "max"), ("r2", "max"),
        ("TRAIN.gflops", "max"), ("tokens/s", "max"), ("samples_per_second", "max"), ("AUC", "max"),
        ("lr", None), ("epoch", None), ("seed", None), ("grad_norm", None), ("", None), ("…", None),
    ],
)  # fmt: skip
def test_what_is_better_is_in_the_name(name: str, way: str | None) -> None:
    assert better.direction(name) == way


def test_what_is_better_can_be_said() -> None:
    said = better.parse(["max", "val_loss=max", "a=b=min"])
    assert (better.of("val_loss", said), better.of("other", said), better.of("a=b", said)) == (
        "max",
        "max",
        "min",
    )
    for word in ("", "lower", "x=lower", "=", "min=x"):
        with pytest.raises(UsageError, match="say min or max"):
            better.parse([word])


def test_the_best_is_a_number_and_there_may_be_several() -> None:
    nan, inf = math.nan, math.inf
    assert better.best({"a": 1.0, "b": 2.0, "c": 1.0}, "min") == ("a", "c")
    assert better.best({"a": nan, "b": 2.0, "c": inf}, "max") == ("b",)
    assert better.best({"a": 1.0}, "min") == better.best({"a": 1.0, "b": 1.0}, "min") == ()
    assert better.best({"a": nan, "b": inf}, "min") == better.best({"a": 1.0, "b": 2.0}, None) == ()


def test_what_a_run_was_given() -> None:
    argv = [
        "{python}",
        "{script}",
        "--lr",
        "0.1",
        "--amp",
        "--opt=sgd",
        "--token",
        "t0k3n",
        "model.depth=4",
        "x",
    ]
    env = {"RANK": "0", "JUPYTER_REMOTE_STEP_DIR": "/x", "API_KEY": "k", "HF_HOME": "/hf"}
    options = {"params": {"lr": 0.5, "seed": 1}, "argv": argv, "env": env}
    assert given(options) == {
        "lr": "0.5", "seed": "1", "amp": "true", "opt": "sgd", "model.depth": "4", "HF_HOME": "/hf",
    }  # fmt: skip
    assert given({}) == {}


def test_final_metrics_are_numbers() -> None:
    kept = {"a": 1, "b": "NaN", "c": "Infinity", "d": None, "e": "x", "f": [1], "g": 10**400}
    found = finals(kept)
    assert list(found) == ["a", "b", "c"]
    assert math.isnan(found["b"])


def test_the_gpus_of_a_run_are_those_it_has_leased() -> None:
    gpus = [{"index": number, "name": name} for number, name in enumerate(["H100", "H100", "A100"])]
    assert cards({"gpus": gpus}) == "2 × H100, A100"
    assert cards({"gpus": gpus, "leased": [{"index": "2"}]}) == "A100"
    assert cards({"gpus": [None, {}]}) == "GPU"
    assert cards({}) == ""


def test_runs_are_called_by_what_tells_them_apart() -> None:
    def named(*runs: Compared) -> list[str]:
        return [*titles(runs).values()]

    a, b = {"params": {"lr": "1"}}, {"params": {"lr": "2"}}
    assert named(made(0, label="base"), made(1, label="new")) == ["base", "new"]
    assert named(made(0), made(1), made(2)) == ["dgx01", "dgx02", "dgx03"]
    assert named(made(0, **a), made(3, **b)) == ["lr=1", "lr=2"]
    assert named(made(0, **a), made(3, **b), made(6)) == ["lr=1", "lr=2", run_id(6)]
    assert named(made(0, **a), made(1, **a), made(3, **b)) == ["dgx01 · lr=1", "dgx02 · lr=1", "dgx01 · lr=2"]
    assert named(made(0), made(3)) == [f"dgx01 · {run_id(0)}", f"dgx01 · {run_id(3)}"]
    assert differing([made(0, params={"x": "1", "y": "2"}), made(1, params={"x": "1"})]) == ["y"]


def test_the_table_marks_the_best_and_leaves_out_what_nobody_has() -> None:
    compared, _ = curves(3)
    lines = repr(compared).splitlines()
    assert lines[0].split() == ["RUN", "HOST", "STATE", "WALL", "lr", "val_loss", "accuracy", "epoch_time_s"]
    assert lines[1].split()[-6:] == ["0.263498", "*", "0.912167", "*", "2", "*"]
    assert lines[2].count("*") == lines[3].count("*") == 0
    assert lines[4] == "* best: val_loss (min), accuracy (max), epoch_time_s (min)"
    assert len(lines) == 5


def test_a_run_may_lack_metrics_and_a_name_may_tell_nothing() -> None:
    runs = (made(0, metrics={"norm": 1.0, "nan": math.nan}), made(1, metrics={"norm": 2.0}), made(2))
    compared = Comparison(runs, ("norm", "nan"))
    assert compared.best == {"norm": (), "nan": ()}
    lines = repr(compared).splitlines()
    assert lines[1].split()[-2:] == ["1", "nan"]
    assert lines[3].split()[-1] == "s"
    assert lines[4] == "not marked: norm; --best NAME=min or NAME=max says what is better"
    assert Comparison(runs, ("norm",), {"norm": "max"}).best == {"norm": (run_id(1),)}
    assert "no metrics are known" in repr(Comparison((made(0),), ()))


def test_a_table_that_is_too_wide_has_a_column_for_each_run(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = {f"metric_number_{number}": float(number) for number in range(9)}
    compared = Comparison((made(0, metrics=metrics), made(1, metrics=metrics)), tuple(metrics))
    assert repr(compared).splitlines()[0].startswith("RUN ")
    monkeypatch.setattr(comparison_looks, "terminal_width", lambda: 80)
    lines = repr(compared).splitlines()
    assert lines[0].split() == ["RUN", run_id(0), run_id(1)]
    assert lines[-1].split() == ["metric_number_8", "8", "8"]


def test_the_document_is_json_also_where_values_are_no_numbers_of_json() -> None:
    values = {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 0.5}
    compared = Comparison((made(0, metrics=values), made(1, metrics={"d": 0.4})), ("a", "b", "c", "d"))
    document = json.loads(json.dumps(compared.document(), allow_nan=False))
    assert document["runs"][0]["metrics"] == {"a": "nan", "b": "inf", "c": "-inf", "d": 0.5}
    assert document["runs"][1]["metrics"] == {"d": 0.4}
    assert document["metrics"][3] == {"name": "d", "better": None, "best": []}
    assert document["runs"][0]["label"] is None


def test_nothing_that_a_run_says_gets_into_the_page() -> None:
    runs = tuple(
        made(n, label=HOSTILE + str(n), params={HOSTILE: str(n)}, metrics={HOSTILE: float(n), "x": math.nan})
        for n in range(2)
    )
    compared = Comparison(runs, (HOSTILE, "x"))
    page = compared._repr_html_()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 4
    assert "\x1b" not in repr(compared)
    assert len(repr(compared).splitlines()) == 4  # no line more than there should be


def test_a_data_frame_has_a_row_for_each_run() -> None:
    compared, _ = curves(2)
    table = compared.to_pandas()
    assert list(table.index) == [run_id(0), run_id(1)]
    assert table.loc[run_id(1), "epoch_time_s"] == 3.0
    assert table["lr"].tolist() == ["0.1", "0.01"]
    clash = Comparison(
        (made(0, params={"host": "x", "loss": "y"}, metrics={"loss": 1.0}), made(1)), ("loss",)
    )
    assert clash.records()[0]["param.host"] == "x"
    assert clash.records()[0]["host"] == "dgx01"
    assert math.isnan(clash.records()[1]["loss"])


def test_metrics_are_chosen_by_patterns() -> None:
    names = ["train_loss", "val_loss", "val_acc", "a[b]"]
    assert matching(names, None) == names
    assert matching(names, ["val_*", "train_loss"]) == ["val_loss", "val_acc", "train_loss"]
    assert matching(names, "a[b]") == ["a[b]"]
    with pytest.raises(UsageError, match=r"did you mean val_loss\?"):
        matching(names, "val_los")
    with pytest.raises(UsageError, match="these runs have none"):
        matching([], "loss")


def test_secrets_are_hidden_wherever_they_turn_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSED", "passed-value")
    mask = Mask({"API_TOKEN": "tok-123456", "MODE": "fast", "DB_PASSWORD": "abc"}, ["PASSED", "UNSET"])
    assert mask.env == {"API_TOKEN": HIDDEN, "MODE": "fast", "DB_PASSWORD": HIDDEN}
    assert mask.text("a tok-123456 passed-value fast abc") == f"a {HIDDEN} {HIDDEN} fast abc"
