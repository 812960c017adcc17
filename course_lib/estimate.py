"""How long a comparison and its learning curve will take on this computer, before anything runs."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from .approaches import Approach
from .inference import Tokens, choose, common_prefix, generate
from .model import LanguageModel
from .prompts import encode_answer
from .tasks import Task
from .verdict import TUNED, approaches_for

LONG = 240  # seconds: an estimate above this says how to shorten it
# Measured: what an upper layer costs in training (forwards, backwards, step) in terms of reading with it.
TRAINING = 3.0


@dataclass(frozen=True)
class Estimate:
    """How long a comparison takes on this computer: `parts` in seconds, by name; its text says it in a sentence."""

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
                f" The time goes with the tokens to read: {self.cases} cases of {self.tokens:,.0f} on average. Most of "
                f"it is {' and '.join(f'{name} ({_duration(self.parts[name])})' for name in longest)}. To shorten it, "
                f"take fewer rows, or keep in each input only the part that decides, such as its last 40 words (on the "
                f"command line: --rows 100, --words -40)."
            )
        return said

    __repr__ = __str__


def estimate(task: Task, model: LanguageModel, seed: int = 0) -> Estimate:
    """How long the approaches for a task and its learning curve will take: tokens times a short measured pass.

    Raises ValueError, with the case and the remedy, where an input is longer than what the model reads.
    """
    inputs, questions = list(task.train["input"]), list(task.test["input"])
    answers = [encode_answer(model, answer) for answer in task.train["output"]]
    given = {"prompt": task.prompt, "documents": task.documents, "model": model, "seed": seed, "calibrate": False}
    approaches = {name: one for name, one in approaches_for(task).items() if isinstance(one, Approach)}
    learned, asked = {}, {}
    for name, approach in approaches.items():
        own = approach.get_params(deep=False)
        approach.set_params(**{parameter: value for parameter, value in given.items() if parameter in own})
        if name != TUNED:
            approach.fit(inputs, task.train["output"])  # draws examples or indexes documents: nothing is read
        learned[name], asked[name] = approach.requests(inputs), approach.requests(questions)
    choices = task.prompt.choices
    longest = max(map(len, answers)) if choices else task.prompt.max_new_tokens
    _check_lengths(task, model, learned, asked, max(longest, *map(len, answers)))

    read, write = _speed(model, asked["zero-shot"], writes=not choices)
    parts = {}
    for name, requests in asked.items():
        if choices:
            # Few-shot also reads some training inputs, to calibrate; each choice is read beyond its first token.
            requests = [*requests, *learned[name][:32]] if name == "few-shot" else requests
            parts[name] = read * (_to_read(requests) + len(requests) * len(choices) * (longest - 1))
        else:
            new = sum(map(len, answers)) / len(answers) + 1 if name == TUNED else longest
            parts[name] = read * _to_read(requests) + write * new * len(requests)
    tuned = approaches[TUNED]
    share = min(tuned.layers / model.network.config.num_hidden_layers, 1)
    reading = read * (_to_read(learned[TUNED]) + sum(map(len, answers)))
    training = reading * share * tuned.epochs * TRAINING
    parts["half of the examples"] = parts[TUNED] + training / 2  # what the lower layers made of them is kept
    parts[TUNED] += training + reading * (1 - share)
    cases = [*learned["zero-shot"], *asked["zero-shot"]]
    return Estimate(parts, len(cases), sum(map(len, cases)) / len(cases))


def _check_lengths(
    task: Task,
    model: LanguageModel,
    learned: dict[str, list[Tokens]],
    asked: dict[str, list[Tokens]],
    room: int,
) -> None:
    limit = getattr(model.network.config, "max_position_embeddings", inf)
    for part, data, requests in (("training", task.train, learned), ("held-out", task.test, asked)):
        lengths = [max(map(len, of_one)) + room for of_one in zip(*requests.values(), strict=True)]
        most = max(lengths)
        if most > limit:
            case = lengths.index(most)
            raise ValueError(
                f"{task.name}: {part} case {case + 1} ({data[case]['input'][:40]!r}…) comes to {most:,} tokens with "
                f"the examples or passages before it and its answer, and the model reads {limit:,} at most. Shorten "
                f"such inputs or remove their rows, or take a model that reads more."
            )


def _to_read(requests: Sequence[Tokens]) -> int:
    """Tokens that run through the network: the common beginning once."""
    prefix = len(common_prefix(requests))
    return prefix + sum(len(request) - prefix for request in requests)


def _speed(model: LanguageModel, requests: Sequence[Tokens], writes: bool) -> tuple[float, float]:
    """Seconds for a token read and, where the answers are written, for a token written, from a small batch of each."""
    count = next((n for n in range(1, len(requests)) if sum(map(len, requests[:n])) >= 600), len(requests))
    sample = requests[:count]
    choose(model, sample[:1], ["yes"])  # the first pass also sets up what later ones use
    start = time.perf_counter()
    choose(model, sample, ["yes"])
    read = time.perf_counter() - start
    read = read / _to_read(sample)
    if not writes:
        return read, 0.0
    few, times = sample[:8], []
    for new in (2, 6):
        start = time.perf_counter()
        generate(model, few, max_new_tokens=new)
        times.append(time.perf_counter() - start)
    return read, max(times[1] - times[0], 0) / 4 / len(few)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(5 * round(seconds / 5), 5)} seconds"
    return f"about {seconds / 60:.0f} minutes"
