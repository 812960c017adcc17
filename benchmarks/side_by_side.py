"""This course and other packages on the same jobs: the same data, model and machine, in turns, several times.

`make bench` runs all jobs. All runs are kept in results/runs.csv, where a job's new runs replace its earlier ones in
the same number format. The tables (results/README.md), the two pictures and the README's lines are made from it.
"""
# ruff: noqa: E402

from course_lib import start_session

start_session()  # the processes started below inherit its settings, so that all ways run with the same

import functools
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from machine import FORMAT, describe
from matplotlib import pyplot
from sklearn.metrics import accuracy_score

from course_lib.intervals import interval
from course_lib.llm.bundled import bundled_model
from course_lib.tasks.builtin import packaged

HERE = Path(__file__).parent
RESULTS = HERE / "results"
CONTESTANTS = str(HERE / "contestants.py")
NBVAL = ("-m", "pytest", "--nbval-lax", "-n", "2", "--dist", "loadfile")  # two lessons at a time, as make test
JOBS: dict[str, dict[str, list[str]]] = {  # for each way of a job: what Python is called with
    "fine-tuning": {
        "this course": [CONTESTANTS, "fine_tuning_course_lib"],
        "TRL SFTTrainer": [CONTESTANTS, "fine_tuning_trl"],
        "transformers Trainer with PEFT": [CONTESTANTS, "fine_tuning_trainer"],
    },
    "scoring": {
        "this course": [CONTESTANTS, "scoring_course_lib"],
        "skorch.llm FewShotClassifier": [CONTESTANTS, "scoring_skorch"],
        "lm-eval HFLM": [CONTESTANTS, "scoring_lm_eval"],
    },
    "writing": {
        "this course": [CONTESTANTS, "writing_course_lib"],
        "transformers generate, batched": [CONTESTANTS, "writing_transformers"],
    },
    "start": {
        "this course": ["-c", "from course_lib import load_model, start_session; start_session(); load_model()"],
        "transformers alone": [
            "-c",
            "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
            f"[one.from_pretrained({str(bundled_model())!r}) for one in (AutoModelForCausalLM, AutoTokenizer)]",
        ],
    },
    "limit": {
        **{name: [CONTESTANTS, "limit_products", bits] for name, bits in (("float32", "32"), ("bfloat16", "16"))},
        **{name: [CONTESTANTS, f"limit_{name}"] for name in ("operations", "profile")},
    },
    "examples": {str(count): [CONTESTANTS, "growth_examples", str(count)] for count in (50, 100, 200, 400, 800, 1600)},
    "queries": {str(count): [CONTESTANTS, "growth_queries", str(count)] for count in (50, 100, 200, 400)},
    "shots": {str(count): [CONTESTANTS, "growth_shots", str(count)] for count in (1, 2, 4, 8, 16, 32)},
    "layers": {str(count): [CONTESTANTS, "layers", str(count)] for count in (2, 5, 10, 20, 30)},
    "course": {"this course": [*NBVAL, str(HERE.parent / "notebooks")]},
}
OTHERS = ("fine-tuning", "scoring", "writing", "start")  # what the table, the picture and the README show
GROWTH = ("examples", "queries", "shots")
COMPARED = "Time compared with this course (which is 1)"  # begins the lines in the README
REPEATS = dict.fromkeys(JOBS, 3) | dict.fromkeys((*GROWTH, "limit", "layers", "course"), 1)


def run(arguments: list[str]) -> dict:
    """One run in a process of its own: its seconds, and what a contestant says. RuntimeError where it fails."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{arguments} failed: {done.stdout[-2000:]} {done.stderr[-2000:]}")
    said = json.loads(done.stdout.splitlines()[-1]) if CONTESTANTS in arguments else {}
    if lessons := re.findall(r"^(\S+)\.ipynb: ([\d.]+) GB at its peak, (\d+) CPU seconds$", done.stdout, re.MULTILINE):
        said = {"came_out": lessons}
    return {"seconds": seconds, "peak": np.nan, **said}


def measure(job: str) -> pd.DataFrame:
    """All ways of a job in turns: a row per run."""
    rows = []
    for repeat in range(REPEATS[job]):
        for way, arguments in JOBS[job].items():
            rows.append({"job": job, "way": way, "repeat": repeat, **run(arguments)})
            print(f"{job}, {way}: {rows[-1]['seconds']:.1f} s", flush=True)
    table = pd.DataFrame(rows).assign(format=FORMAT, date=str(date.today()), machine=describe())
    return table.assign(came_out=table["came_out"].map(json.dumps)) if "came_out" in table else table


class Runs:
    """All kept runs in one number format, and what they say."""

    def __init__(self, table: pd.DataFrame):
        self.table = table
        self.format = table["format"].iloc[0]
        self.medians = table.groupby(["job", "way"], sort=False)[["seconds", "peak"]].median()

    def came_out(self, job: str, way: str):
        """What the last run of a contestant gave."""
        rows = self.table[(self.table["job"] == job) & (self.table["way"] == way)]
        return json.loads(rows["came_out"].iloc[-1])

    def beside(self, job: str) -> pd.DataFrame:
        """A row per way of a job: median seconds, their ratio to this course's, and the seconds of each run."""
        table = self.medians.loc[job].copy()
        table["ratio"] = table["seconds"] / table.loc["this course", "seconds"]
        table["runs"] = [
            self.table[(self.table["job"] == job) & (self.table["way"] == way)]["seconds"].round(1).tolist()
            for way in table.index
        ]
        return table

    def others(self) -> Iterator[tuple[str, str, pd.Series]]:
        """Job, way and its row of `beside`, for every way but this course."""
        for job in OTHERS:
            for way, row in self.beside(job).iloc[1:].iterrows():
                yield job, str(way), row

    def growth(self, job: str) -> tuple[np.ndarray, np.ndarray]:
        """The sizes of a job and the seconds of each."""
        table = self.medians.loc[job]
        return table.index.astype(float).to_numpy(), table["seconds"].to_numpy()

    def line(self, job: str) -> tuple[float, float, float]:
        """A straight line through a job's growth: seconds for each, fixed seconds, and the largest distance from it.

        The distance is a share of the longest time.
        """
        sizes, seconds = self.growth(job)
        slope, fixed = np.polyfit(sizes, seconds, 1)
        return slope, fixed, np.abs(fixed + slope * sizes - seconds).max() / seconds.max()


@functools.cache
def held_out_answers() -> list[str]:
    """The true answers to the 100 reviews that contestants.py holds out."""
    labels = pd.read_csv(packaged("imdb"))["label"][100:]
    return labels.map({1: "positive", 0: "negative"}).tolist()


def outcome(runs: Runs, job: str, way: str) -> str:
    """How good a way's result is, or how much of it equals this course's."""
    own = runs.came_out(job, way)
    if job in ("fine-tuning", "layers"):
        truth = held_out_answers()
        low, high = interval(accuracy_score, truth, own)
        return f"{accuracy_score(truth, own):.2f} ({low:.2f} to {high:.2f}) on held-out reviews"
    ours = runs.came_out(job, "this course")
    return f"{sum(map(str.__eq__, own, ours))} of {len(ours)} answers the same"


TARGETS = {
    "fine-tuning on 100 reviews for 3 epochs, to held-out scores whose intervals overlap": (
        "10 times as fast as TRL, a third of its memory"
    ),
    "its share of what the machine's matrix products reach": "60 %",
    "scoring 100 queries with 8 shots, the same answers": "10 times as fast",
    "writing 64 answers, the same text": "2 times as fast",
    "start: import and `load_model()`": "3 s",
    "growth with examples, queries and shots": "a straight line",
    "the whole course under nbval": "10 minutes on two cores",
    "memory of a lesson's kernel at its peak": "1.5 GB",
}


def reached(runs: Runs) -> list[str]:
    """What was reached of each target."""
    tuning, seconds = runs.beside("fine-tuning"), runs.medians["seconds"]
    trl = tuning.loc["TRL SFTTrainer"]
    own = tuning.loc["this course"]
    scoring, writing, start = (runs.beside(job)["ratio"].iloc[1:] for job in ("scoring", "writing", "start"))
    off = ", ".join(f"{job} {runs.line(job)[2]:.0%}" for job in GROWTH)
    peaks = [float(peak) for _, peak, _ in runs.came_out("course", "this course")]
    return [
        f"{trl['ratio']:.1f} times, {own['peak'] / trl['peak']:.0%} of its memory",
        f"{limit(runs)[2]:.0%}",
        f"{scoring.min():.1f} to {scoring.max():.1f} times",
        f"{writing.iloc[0]:.1f} times",
        f"{seconds['start', 'this course']:.1f} s (transformers alone: {start.iloc[0]:.1f} times)",
        f"distance from it at most: {off}",
        f"{seconds['course', 'this course'] / 60:.0f} minutes",
        f"{min(peaks):.1f} to {max(peaks):.1f} GB",
    ]


def limit(runs: Runs) -> tuple[float, float, float]:
    """A fine-tuning's operations in matrix products, the machine's operations per second, and the share reached."""
    operations, speed = (runs.came_out("limit", way) for way in ("operations", runs.format))
    return operations, speed, operations / runs.medians.loc[("fine-tuning", "this course"), "seconds"] / speed


def written(formats: list[Runs]) -> str:
    """The results in Markdown."""
    rows = zip(TARGETS.items(), *map(reached, formats), strict=True)
    lines = [
        "# Side by side",
        "",
        "Written by `make bench` from runs.csv. The course computes in bfloat16 where the processor does, else in "
        "float32; so do the others here. The targets, and what was reached:",
        "",
        f"| what | target | {' | '.join(runs.format for runs in formats)} |",
        "|---|---|" + "---|" * len(formats),
        *(f"| {' | '.join([*goal, *found])} |" for goal, *found in rows),
        "",
        "Why some were missed, and what was tried: [what limits the speed](../README.md).",
        "",
        "![Bars: the time of each other way compared with this course, by job and number format; the figures are those "
        "of the tables below](ratios.png)",
        "",
        "![Lines: seconds by number of examples, queries and shots, as listed below](growth.png)",
        "",
        "The tables show medians, and every run in brackets. The time compared with this course is the way's time "
        "divided by this course's. Peak memory is that of the whole process.",
        "",
        "The other packages are used as their documentation shows. So they adapt all 30 layers; the course adapts the "
        "upper 10 by default, which is part of why it is faster (the tables of layers show how much). And transformers "
        "is not given a prefilled cache of the requests' common beginning, although `generate` would take one. In "
        "bfloat16 every way rounds in its own order, so answers that are nearly a tie can differ.",
        "",
    ]
    for runs in formats:
        lines += of_format(runs)
    return "\n".join(lines)


def of_format(runs: Runs) -> list[str]:
    """All results in one number format, in lines of Markdown."""
    lines = [
        f"## In {runs.format}",
        "",
        "| job | way | seconds | time compared with this course | peak memory | result |",
        "|---|---|---|---|---|---|",
    ]
    for job in OTHERS:
        for way, row in runs.beside(job).iterrows():
            every = ", ".join(map(str, row["runs"]))
            peak = "" if np.isnan(row["peak"]) else f"{row['peak'] / 1e9:.2f} GB"
            result = outcome(runs, job, way) if job != "start" else "package and model ready"
            lines.append(f"| {job} | {way} | {row['seconds']:.1f} ({every}) | {row['ratio']:.1f} | {peak} | {result} |")
    operations, speed, share = limit(runs)
    peaks = {name: runs.came_out("limit", name) for name in ("float32", "bfloat16")}
    seconds = runs.medians["seconds"]
    lines += [
        "",
        "**The limit.** Matrix products of 2048 × 2048 reach "
        + " and ".join(f"{peak / 1e9:.3g} GFLOP/s in {name}" for name, peak in peaks.items())
        + f". The fine-tuning does {operations / 1e12:.1f} × 10¹² operations in matrix products (those of attention "
        f"not counted), so from its first second to its last {share * speed / 1e9:.0f} GFLOP/s: {share:.0%} of the "
        f"limit. At the limit itself it would be {seconds['fine-tuning', 'TRL SFTTrainer'] * speed / operations:.1f} "
        "times as fast as TRL. By the profiler its time goes to "
        + ", ".join(f"`{name}` {part:.0%}" for name, part in runs.came_out("limit", "profile").items())
        + ".",
        "",
    ]
    for job in GROWTH:
        sizes, times = runs.growth(job)
        steps = ", ".join(f"{size:.0f}: {time:.1f} s" for size, time in zip(sizes, times, strict=True))
        slope, fixed, off = runs.line(job)
        lines += [
            f"**More {job}.** {steps}. A straight line of {fixed:.1f} s and {slope:.3f} s for each is off by "
            f"{off:.0%} of the longest time at most.",
            "",
        ]
    lines += [
        "| upper layers with an adapter | seconds | result |",
        "|---|---|---|",
        *(
            f"| {way} | {row['seconds']:.1f} | {outcome(runs, 'layers', str(way))} |"
            for way, row in runs.medians.loc["layers"].iterrows()
        ),
        "",
        "**The whole course.** Every notebook under nbval, two at a time, model and data in the cache: "
        f"{seconds['course', 'this course'] / 60:.0f} minutes.",
        "",
        "| lesson | its kernel's peak memory | CPU seconds |",
        "|---|---|---|",
        *(f"| {lesson} | {peak} GB | {cpu} |" for lesson, peak, cpu in runs.came_out("course", "this course")),
        "",
    ]
    for (day, machine), rows in runs.table.groupby(["date", "machine"], sort=False):
        lines += [f"Measured on {day} ({', '.join(rows['job'].unique())}): {machine}.", ""]
    return lines


def sentence(runs: Runs) -> str:
    """The main ratios in one number format, for the course's README."""
    parts = [f"{job} with {way} {row.ratio:.1f}" for job, way, row in runs.others()]
    shown = runs.table[runs.table["job"].isin(OTHERS)]
    where = "; ".join(
        f"{', '.join(sorted(set(days)))}: {machine}" for machine, days in shown.groupby("machine")["date"]
    )
    return f"{COMPARED}, in {runs.format}: {'; '.join(parts)}. Medians, measured on {where}."


HATCHES = ("", "///")  # they differ without colour too


def draw_ratios(formats: list[Runs]) -> None:
    """The time of the other ways compared with this course, as bars: one per number format."""
    table = pd.DataFrame(
        {runs.format: {f"{job}: {way}": row["ratio"] for job, way, row in runs.others()} for runs in formats}
    )
    axes = table[::-1].plot.barh(figsize=(7, 0.6 * len(table) + 1.2), width=0.8, legend=False)
    for bars, hatch in zip(axes.containers, HATCHES, strict=False):
        axes.bar_label(bars, fmt="%.1f ×", padding=3, fontsize=8)
        for bar in bars:
            bar.set(hatch=hatch, edgecolor="white")
    axes.axvline(1, color="black", linewidth=1)
    axes.set(xlabel="time compared with this course (line: this course, 1)", title="The same job, the same machine")
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], frameon=False)
    axes.figure.savefig(RESULTS / "ratios.png", dpi=100, bbox_inches="tight")


def draw_growth(formats: list[Runs]) -> None:
    """How the time grows, one panel per job."""
    figure, panels = pyplot.subplots(1, len(GROWTH), figsize=(3.5 * len(GROWTH), 3), layout="constrained")
    for axes, job in zip(panels, GROWTH, strict=True):
        for runs, style in zip(formats, ("o-", "s--"), strict=False):
            axes.plot(*runs.growth(job), style, label=runs.format)
        axes.set(xlabel=job, title=f"{'fine-tuning' if job == 'examples' else 'scoring'}, more {job}", ylim=(0, None))
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("seconds")
    panels[0].legend(frameon=False)
    figure.savefig(RESULTS / "growth.png", dpi=100)


def publish(table: pd.DataFrame) -> None:
    """Write the results' page and pictures and the README's sentences; print the page."""
    complete = [runs for _, runs in table.groupby("format") if set(JOBS) <= set(runs["job"])]
    formats = [Runs(runs) for runs in complete]
    text = written(formats)
    (RESULTS / "README.md").write_text(text, encoding="utf-8")
    draw_ratios(formats)
    draw_growth(formats)
    readme = HERE.parent / "README.md"
    course = readme.read_text(encoding="utf-8")
    sentences = "".join(f"{sentence(runs)}\n\n" for runs in formats)
    course = re.sub(rf"^({re.escape(COMPARED)}.*\n+)+", sentences, course, flags=re.MULTILINE)
    readme.write_text(course, encoding="utf-8")
    print(text)


def main() -> None:
    path = RESULTS / "runs.csv"
    table = pd.read_csv(path, dtype={"way": str})
    for job in sys.argv[1:] or JOBS:
        others = table[(table["job"] != job) | (table["format"] != FORMAT)]
        table = pd.concat([others, measure(job)], ignore_index=True)
        table.to_csv(path, index=False)
    publish(table)


if __name__ == "__main__":
    main()
