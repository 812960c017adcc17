"""A prompt: what a task asks of a model, before any input is added. (llm/chat.py turns it into tokens.)"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..text import contains_words

MOST_CHOICES = 20


@dataclass(frozen=True)
class Prompt:
    """An instruction and, where the answer is one of a few, the choices.

    Without choices the model writes its answer, of up to `max_new_tokens` tokens (about three quarters as many words).
    """

    instruction: str = ""
    choices: tuple[str, ...] | None = None
    max_new_tokens: int = 32

    def with_choices_named(self) -> str:
        """The instruction with every choice in it, for a model that was not trained on them."""
        if not self.choices or all(contains_words(self.instruction, choice) for choice in self.choices):
            return self.instruction
        return f"{self.instruction} Answer with one of: {', '.join(self.choices)}.".strip()


def repeated_answers(answers: Sequence[str]) -> tuple[str, ...] | None:
    """The different answers, sorted, if they look like choices; else None.

    They do if there are at most 20 different ones and each stands five times on average.

    >>> repeated_answers(["yes", "no"] * 5)
    ('no', 'yes')
    """
    different = sorted(set(answers))
    return tuple(different) if len(different) <= MOST_CHOICES and len(answers) >= 5 * len(different) else None
