"""The chat format: an instruction, examples and an input become the tokens that the model reads."""

from collections.abc import Sequence

from jinja2 import TemplateError

from .model import LanguageModel

Message = dict[str, str]
Tokens = list[int]


def conversation(instruction: str, examples: Sequence[tuple[str, str]], question: str) -> list[Message]:
    """The chat messages: the instruction as the system's, each example as a turn already taken, then the question."""
    messages = [{"role": "system", "content": instruction}]
    for example, answer in examples:
        messages += [{"role": "user", "content": example}, {"role": "assistant", "content": answer}]
    return [*messages, {"role": "user", "content": question}]


def with_passages(passages: Sequence[str], question: str) -> str:
    """A question below the passages that were found for it."""
    return "\n".join(["Use these notes:", *(f"- {passage}" for passage in passages), "", f"Question: {question}"])


def encode(model: LanguageModel, messages: list[Message]) -> Tokens:
    """The token ids of a conversation, up to where the model's answer begins."""
    tokenizer = model.tokenizer
    if not tokenizer.chat_template:  # a base model never saw a chat: plain text serves it better
        lines = "\n\n".join(message["content"] for message in messages if message["content"])
        return tokenizer(lines + "\n\n")["input_ids"]
    try:
        return _apply_template(tokenizer, messages)
    except TemplateError:  # some chat templates know no system role
        system, first, *rest = messages
        merged = {"role": "user", "content": f"{system['content']}\n\n{first['content']}"}
        return _apply_template(tokenizer, [merged, *rest])


def _apply_template(tokenizer, messages: list[Message]) -> Tokens:
    # Some models would think aloud first and use up the tokens of a short answer; other templates ignore the argument.
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False, enable_thinking=False)


def encode_answer(model: LanguageModel, answer: str) -> Tokens:
    """The token ids of an answer, without the token that ends it."""
    return model.tokenizer(answer, add_special_tokens=False)["input_ids"]
