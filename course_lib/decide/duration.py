"""How long a comparison and its learning curve will take on this computer, known before anything runs."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from ..approaches import CALIBRATION_INPUTS, Approach
from ..llm.chat import Tokens, encode_answer
from ..llm.fast.prefix import common_prefix
from ..llm.inference import generate, score_choices
from ..llm.model import LanguageModel
from ..tasks.task import Task
from .rule import TUNED, candidates

LONG = 240  # seconds: a longer estimate says how to shorten it
# Measured: training an upper layer (forwards, backwards, step) takes so many times as long as reading with it.
TRAINING = 3.0
USUAL_EPOCHS = 20  # that early stopping takes, to choose and then to train


@dataclass(frozen=True)
class DurationEstimate:
    """How long a comparison takes on this computer: `parts` in seconds by name; as text it is a sentence.

    `cases` is how many inputs are read, `tokens` how long a zero-shot prompt is on average.
    """

    parts: dict[str, float]
    cases: int
    tokens: float

    @property
    def seconds(self) -> float:
        return sum(self.parts.values())

    def __str__(self) -> str:
        said = f"This will take {_duration(self.seconds)} on this computer, give or take half."
        if self.seconds > LONG:
            longest = sorted(self.parts, key=self.parts.__getitem__, reverse=True)[:2]
            said += (
                f" The time depends on the tokens to read: {self.cases} cases of {self.tokens:,.0f} on average. Most "
                f"of it is {' and '.join(f'{name} ({_duration(self.parts[name])})' for name in longest)}. To shorten "
                f"it, take fewer rows, or keep in each input only the part that decides, such as its last 40 words (on "
                f"the command line: --rows 100, --words -40)."
            )
        return said

    __repr__ = __str__


@dataclass(frozen=True)
class _Workload:
    """All that the approaches would read and write, as tokens; prompts by the name of the approach."""

    approaches: dict[str, Approach]
    training: dict[str, list[Tokens]]
    held_out: dict[str, list[Tokens]]
    answers: list[Tokens]
    choices: tuple[str, ...] | None
    longest_answer: int  # of a choice, or that the model may write


@dataclass(frozen=True)
class _Speed:
    """Seconds per token read and per token written."""

    read: float
    write: float


def estimate_duration(task: Task, model: LanguageModel, seed: int = 0) -> DurationEstimate:
    """How long the candidates for a task and the learning curve will take: their tokens times a speed measured now.

    Raises ValueError, with the case and the remedy, if an input is longer than what the model reads.
    """
    work = _build_prompts(task, model, seed)
    _check_lengths(task, model, work)
    speed = _measure_speed(model, work.held_out["zero-shot"], writes=not work.choices)
    parts = _answering_seconds(work, speed)
    tuned_answering = parts[TUNED]
    reading, training = _training_seconds(work, speed, model.network.config.num_hidden_layers)
    parts[TUNED] += reading + training
    # What the lower layers made of the examples is kept, so half of them are trained on but not read again.
    parts["half of the examples"] = tuned_answering + training / 2
    prompts = work.training["zero-shot"] + work.held_out["zero-shot"]
    return DurationEstimate(parts, len(prompts), sum(map(len, prompts)) / len(prompts))


def _build_prompts(task: Task, model: LanguageModel, seed: int) -> _Workload:
    inputs, questions = list(task.train["input"]), list(task.test["input"])
    approaches = _prepared_approaches(task, model, seed)
    answers = [encode_answer(model, answer) for answer in task.train["output"]]
    choices = task.prompt.choices
    return _Workload(
        approaches,
        training={name: approach.encode_prompts(inputs) for name, approach in approaches.items()},
        held_out={name: approach.encode_prompts(questions) for name, approach in approaches.items()},
        answers=answers,
        choices=choices,
        longest_answer=max(map(len, answers)) if choices else task.prompt.max_new_tokens,
    )


def _prepared_approaches(task: Task, model: LanguageModel, seed: int) -> dict[str, Approach]:
    """The candidates with a language model, ready to encode prompts: nothing is trained and nothing is read."""
    # Of a search, what it tries.
    every = {name: getattr(one, "estimator", one) for name, one in candidates(task).items()}
    approaches = {name: one for name, one in every.items() if isinstance(one, Approach)}
    given = {
        "prompt": task.prompt, "documents": task.documents, "model": model, "random_state": seed, "calibrate": False,
    }  # fmt: skip
    for name, approach in approaches.items():
        own = approach.get_params(deep=False)
        approach.set_params(**{parameter: value for parameter, value in given.items() if parameter in own})
        if name != TUNED:  # the others only draw examples or index documents
            approach.fit(list(task.train["input"]), list(task.train["output"]))
    return approaches


def _check_lengths(task: Task, model: LanguageModel, work: _Workload) -> None:
    limit = getattr(model.network.config, "max_position_embeddings", inf)
    room = max(work.longest_answer, *map(len, work.answers))
    for part, data, prompts in (("training", task.train, work.training), ("held-out", task.test, work.held_out)):
        lengths = [max(map(len, of_one_case)) + room for of_one_case in zip(*prompts.values(), strict=True)]
        most = max(lengths)
        if most > limit:
            case = lengths.index(most)
            raise ValueError(
                f"{task.name}: {part} case {case + 1} ({data[case]['input'][:40]!r}…) comes to {most:,} tokens with "
                f"the examples or passages before it and its answer, and the model reads {limit:,} at most. Shorten "
                f"such inputs or remove their rows, or take a model that reads more."
            )


def _measure_speed(model: LanguageModel, prompts: Sequence[Tokens], writes: bool) -> _Speed:
    """The speed of a small batch; writing is measured only if the approaches write."""
    count = next((n for n in range(1, len(prompts)) if sum(map(len, prompts[:n])) >= 600), len(prompts))
    sample = prompts[:count]
    score_choices(model, sample[:1], ["yes"])  # the first pass also sets up what later ones use
    start = time.perf_counter()
    score_choices(model, sample, ["yes"])
    read = (time.perf_counter() - start) / _tokens_to_read(sample)
    return _Speed(read, _measure_writing(model, sample[:8]) if writes else 0.0)


def _measure_writing(model: LanguageModel, prompts: Sequence[Tokens]) -> float:
    """Seconds per token written: what 4 more tokens take, so that reading the prompts does not count."""
    seconds = []
    for new_tokens in (2, 6):
        start = time.perf_counter()
        generate(model, prompts, max_new_tokens=new_tokens)
        seconds.append(time.perf_counter() - start)
    return max(seconds[1] - seconds[0], 0) / 4 / len(prompts)


def _answering_seconds(work: _Workload, speed: _Speed) -> dict[str, float]:
    """How long each approach takes to answer the held-out cases."""
    seconds = {}
    for name, prompts in work.held_out.items():
        if work.choices:
            read = prompts if name == TUNED else [*prompts, *work.training[name][:CALIBRATION_INPUTS]]
            later_tokens = len(read) * len(work.choices) * (work.longest_answer - 1)  # of each choice, after its first
            seconds[name] = speed.read * (_tokens_to_read(read) + later_tokens)
        else:
            # A tuned model stops after an answer of the usual length, any other often writes on to the limit.
            usual = sum(map(len, work.answers)) / len(work.answers) + 1
            written = (usual if name == TUNED else work.longest_answer) * len(prompts)
            seconds[name] = speed.read * _tokens_to_read(prompts) + speed.write * written
    return seconds


def _training_seconds(work: _Workload, speed: _Speed, layers: int) -> tuple[float, float]:
    """How long the lower layers take to read the examples once, and the upper layers to be trained on them."""
    tuned = work.approaches[TUNED]
    upper = min(tuned.layers / layers, 1)
    reading = speed.read * (_tokens_to_read(work.training[TUNED]) + sum(map(len, work.answers)))
    return reading * (1 - upper), reading * upper * (tuned.epochs or USUAL_EPOCHS) * TRAINING


def _tokens_to_read(prompts: Sequence[Tokens]) -> int:
    """Tokens that run through the network: the common beginning only once."""
    prefix = len(common_prefix(prompts))
    return prefix + sum(len(prompt) - prefix for prompt in prompts)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(5 * round(seconds / 5), 5)} seconds"
    return f"about {seconds / 60:.0f} minutes"
