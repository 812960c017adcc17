"""What the model reads: a task's instruction, its examples and one input, as the tokens of a conversation."""

from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import TemplateError

from .metrics import answer_found
from .model import LanguageModel

Message = dict[str, str]


@dataclass(frozen=True)
class Prompt:
    """What a task asks of a model: an instruction and, where the answer is one of a few, the choices.

    Where there are none the model writes, up to `max_new_tokens` tokens (about three quarters as many words).
    """

    instruction: str = ""
    choices: tuple[str, ...] | None = None
    max_new_tokens: int = 32

    def spelled_out(self) -> str:
        """The instruction with every choice named, for a model that was not trained on them."""
        if not self.choices or all(answer_found([choice], [self.instruction]) for choice in self.choices):
            return self.instruction
        return f"{self.instruction} Answer with one of: {', '.join(self.choices)}.".strip()


def conversation(instruction: str, examples: Sequence[tuple[str, str]], request: str) -> list[Message]:
    """The chat messages: the instruction to the system, each example as a turn already taken, then the request."""
    messages = [{"role": "system", "content": instruction}]
    for question, answer in examples:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return [*messages, {"role": "user", "content": request}]


def with_passages(passages: Sequence[str], question: str) -> str:
    """A question under the passages that were found for it."""
    return "\n".join(["Use these notes:", *(f"- {passage}" for passage in passages), "", f"Question: {question}"])


def encode(model: LanguageModel, messages: list[Message]) -> list[int]:
    """The token ids of a conversation, up to where the model's answer begins."""
    tokenizer = model.tokenizer
    if not tokenizer.chat_template:  # a base model never saw a chat: plain text serves it better
        lines = "\n\n".join(message["content"] for message in messages if message["content"])
        return tokenizer(lines + "\n\n")["input_ids"]
    try:
        return _apply_template(tokenizer, messages)
    except TemplateError:  # some chat templates know no system role
        system, first, *rest = messages
        together = {"role": "user", "content": f"{system['content']}\n\n{first['content']}"}
        return _apply_template(tokenizer, [together, *rest])


def _apply_template(tokenizer, messages: list[Message]) -> list[int]:
    # Some models would first think aloud, with all the tokens of a short answer; other templates ignore the word.
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False, enable_thinking=False)


def encode_answer(model: LanguageModel, answer: str) -> list[int]:
    """The token ids of an answer, without the mark that ends it."""
    return model.tokenizer(answer, add_special_tokens=False)["input_ids"]
