"""The study: what is kept stays whole, nothing is run twice, its tables show the kept runs, and runs come out again."""

import json

import pytest

from course_lib.intervals import interval
from course_lib.study import run as study
from course_lib.study import tables
from course_lib.study.store import RESULTS, keep, read_runs

KEPT = read_runs()


def line(task="finds", approach="few-shot", seed=0, **more):
    return {"task": task, "approach": approach, "seed": seed, "score": 0.5, **more}


def test_runs_are_read_as_they_were_kept(tmp_path):
    assert read_runs(tmp_path).empty
    runs = [line(), line(seed=1, predictions=["vase – flagon"]), line(task="notices")]
    for one in runs:
        keep(one, tmp_path)
    assert json.loads(read_runs(tmp_path).query("task == 'finds'").to_json(orient="records"))[1]["predictions"] == [
        "vase – flagon"
    ]
    assert len(read_runs(tmp_path)) == 3


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_line_that_was_torn_is_left_out_and_then_written_again(tmp_path, cut):
    keep(line(), tmp_path)
    keep(line(seed=1), tmp_path)
    path = tmp_path / "finds.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    assert list(read_runs(tmp_path)["seed"]) == [0]
    keep(line(seed=1), tmp_path)
    assert list(read_runs(tmp_path)["seed"]) == [0, 1]


def test_what_is_kept_is_not_run_again(tmp_path):
    names = ["town-loans", "town-notices"]
    first = [(name, way, seed) for name, _, way, _, seed in study.still_to_run(names, tmp_path)]
    assert len(first) == len(set(first))
    assert [seed for *_, seed in first] == sorted(seed for *_, seed in first)  # every task once, then all again
    for name, way, seed in first[::2]:
        keep(line(name, way, seed), tmp_path)
    assert [(name, way, seed) for name, _, way, _, seed in study.still_to_run(names, tmp_path)] == first[1::2]


def test_a_task_that_the_study_does_not_have_is_refused():
    with pytest.raises(ValueError, match="The study has no task 'moon'. It has: question-types, "):
        study.run_missing(["moon"])


def test_every_kept_run_is_one_of_the_study_and_its_figures_are_those_of_its_answers():
    tasks = {
        (name, seed): study.task_of(name, seed) for name, seed in set(zip(KEPT["task"], KEPT["seed"], strict=True))
    }
    for one in KEPT.itertuples():
        task = tasks[one.task, one.seed]
        assert one.approach in study.approaches_to(one.task, task)
        truth = list(task.test["output"])
        assert task.metric(truth, one.predictions) == pytest.approx(one.score, abs=1e-4), one
        assert interval(task.metric, truth, one.predictions, one.seed) == pytest.approx((one.low, one.high), abs=1e-4)
    assert not KEPT.duplicated(["task", "approach", "seed"]).any()


@pytest.mark.parametrize("way", ["word counts", "nearest example", "embeddings", "few-shot"])
def test_a_run_drawn_by_chance_comes_out_as_it_was_kept(way, model):
    quick = KEPT["task"].eq("town-notices") | (way != "few-shot")  # elsewhere that takes minutes
    kept = KEPT[(KEPT["approach"] == way) & quick].sample(1).iloc[0]
    print(kept["task"], kept["seed"])
    task = study.task_of(kept["task"], kept["seed"])
    again = study.run(kept["task"], task, way, study.approaches_to(kept["task"], task)[way], kept["seed"], model)
    assert kept["low"] <= again["score"] <= kept["high"]  # other processors round otherwise
    same = sum(a == b for a, b in zip(again["predictions"], kept["predictions"], strict=True))
    assert same / len(kept["predictions"]) > (0.8 if way == "few-shot" else 0.98)


def test_the_tables_are_those_of_the_kept_runs():
    assert (RESULTS / "README.md").read_text(encoding="utf-8") == tables.page(KEPT)
