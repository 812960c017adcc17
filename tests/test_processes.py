"""Two processes train together as one would: each example once an epoch, the same result within tolerance."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from course_lib import load_task

TRAIN = """
import json, os, sys
from course_lib import FineTuned, load_task
from course_lib.llm import training
seen, numbers, pack, run_trunk = [], {}, training.pack, training.run_trunk
def numbered(*given):
    beginning, examples = run_trunk(*given)
    numbers.update({id(example): number for number, example in enumerate(examples)})
    return beginning, examples
def noted(beginning, examples):
    seen.extend(numbers[id(example)] for example in examples)
    return pack(beginning, examples)
training.run_trunk, training.pack = numbered, noted
task = load_task("help-topics")
pairs = task.train.shuffle(seed=0).select(range(48))
tuned = FineTuned(layers=2, epochs=2, prompt=task.prompt, random_state=0).fit(pairs["input"], pairs["output"])
said = {"seen": seen, "losses": tuned.losses_, "scores": tuned.decision_function(task.test["input"][:24]).tolist()}
with open(os.path.join(sys.argv[1], os.environ.get("RANK", "alone") + ".json"), "w") as file:
    json.dump(said, file)
"""

# What a person with two GPUs calls; without them the processes compute on the CPU. Port 0: any that is free.
LAUNCH = [sys.executable, "-m", "accelerate.commands.launch"]
LAUNCH += ["--multi_gpu", "--num_processes=2", "--main_process_port=0"]


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    return {path.stem: json.loads(path.read_text()) for path in Path(folder).glob("*.json")}


def test_two_processes_see_each_example_once_and_agree_with_one(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(TRAIN)
    said = run([*LAUNCH, str(script), str(tmp_path)], tmp_path)
    alone = run([sys.executable, str(script), str(tmp_path)], tmp_path)["alone"]
    assert set(said) == {"0", "1"}
    together = Counter(said["0"]["seen"]) + Counter(said["1"]["seen"])
    assert together == Counter(alone["seen"]) == Counter([*range(48)] * 2)
    assert len(said["0"]["seen"]) == len(said["1"]["seen"]) == 48
    assert said["0"]["scores"] == said["1"]["scores"]  # both hold the same weights
    assert said["0"]["losses"] == pytest.approx(alone["losses"], rel=0.2)
    best = [[max(range(6), key=row.__getitem__) for row in one["scores"]] for one in (said["0"], alone)]
    agree = sum(first == second for first, second in zip(*best, strict=True))
    assert agree >= 20, f"{agree} of 24 answers agree"


def test_of_two_processes_that_compare_one_speaks_and_writes(tmp_path):
    load_task("town-notices").train.select(range(12)).to_csv(tmp_path / "notices.csv")
    compare = ["-m", "course_lib", "compare", "notices.csv", "--report", "report.html"]
    done = subprocess.run([*LAUNCH, *compare], cwd=tmp_path, capture_output=True, text=True, timeout=1000)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("The report is in report.html") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notices.csv", "report-predictions.csv", "report.html"]
