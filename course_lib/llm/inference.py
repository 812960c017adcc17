"""Asking the model, many prompts at once: which choice is likeliest, what it writes, how well it expects a text.

Each function gives what plain.py gives, prompt by prompt (tests/test_plain.py shows it), with less work: the beginning
that all prompts share is computed once (fast/prefix.py), and so are layers that models share.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from .bars import progress_bar
from .chat import Tokens, encode_answer
from .fast.layers import layers_above_shared, split
from .fast.prefix import Batch, batches
from .memory import enough_memory
from .model import LanguageModel

PADDING = -1  # stands where a choice has no more tokens
# Tokens of prompts in memory at once, without their prefix. Reading is fastest while a layer's output fits into the
# processor's cache. Writing reads all weights again for every token, so the more prompts together, the better (their
# keys and values, those of the tokens to come included, take 190 MB in float32).
READING, WRITING = 2048, 4096


@enough_memory()
@torch.inference_mode()
def score_choices(
    model: LanguageModel,
    prompts: Sequence[Tokens],
    choices: Sequence[str] | Sequence[Sequence[str]],
    batch_tokens: int = READING,
) -> Tensor:
    """The log-probability of each choice as the answer to each prompt: float32, shape (prompts, choices), in nats.

    `choices` are the same for all prompts, or a sequence of as many for each prompt. A choice's log-probability is the
    sum over its tokens; where one choice begins another, the end of the answer counts as a token too.
    """
    if not prompts:
        return torch.empty(0, len(choices))
    options = _choice_tokens(model, prompts, choices)
    has_several_tokens = options.shape[2] > 1
    if has_several_tokens:  # then the cache is held once for each choice
        batch_tokens //= options.shape[1]
    scores = torch.empty(options.shape[:2])
    for batch in batches(model, prompts, batch_tokens, "Scoring"):
        own = options[batch.rows].to(model.device)
        logits = batch.forward(batch.tokens, last=1)[:, -1]
        log_probabilities = logits.float().log_softmax(-1).gather(-1, own[..., 0])
        if has_several_tokens:
            log_probabilities += _later_tokens(batch, own)
        scores[batch.rows] = log_probabilities.cpu()
    return scores


def _choice_tokens(
    model: LanguageModel, prompts: Sequence[Tokens], choices: Sequence[str] | Sequence[Sequence[str]]
) -> Tensor:
    """The tokens of each prompt's choices, padded behind: shape (prompts, choices, longest)."""
    each: list[Any] = (
        [tuple(choices)] * len(prompts) if isinstance(choices[0], str) else [tuple(own) for own in choices]
    )
    encoded = {own: encode_choices(model, own) for own in set(each)}
    longest = max(len(option) for options in encoded.values() for option in options)
    return torch.tensor([[option + [PADDING] * (longest - len(option)) for option in encoded[own]] for own in each])


def encode_choices(model: LanguageModel, choices: Sequence[str]) -> list[Tokens]:
    """The tokens of each choice; all end with the end-of-answer token where one begins another, as "no" "no answer"."""
    options = [encode_answer(model, choice) for choice in choices]
    if any(one is not other and other[: len(one)] == one for one in options for other in options):
        return [[*option, model.tokenizer.eos_token_id] for option in options]
    return options


def _later_tokens(batch: Batch, options: Tensor) -> Tensor:
    """Log-probabilities, shape (rows, choices), of each choice's tokens after its first."""
    tokens = options.flatten(0, 1)
    batch.repeat(options.shape[1])
    logits = batch.forward(tokens[:, :-1].clamp(min=0))
    later = tokens[:, 1:]
    each = logits.float().log_softmax(-1).gather(-1, later.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return (each * (later != PADDING)).sum(-1).view(options.shape[:2])


@enough_memory()
@torch.inference_mode()
def generate(
    model: LanguageModel,
    prompts: Sequence[Tokens],
    max_new_tokens: int = 32,
    batch_tokens: int = WRITING,
    temperature: float = 0.0,
    seed: int = 0,
) -> list[str]:
    """What the model writes after each prompt, until it ends its answer or has written `max_new_tokens` tokens.

    At temperature 0 it always takes the likeliest token (greedy decoding). Above, it draws one by `seed`; the higher
    the temperature, the more often an unlikely one.
    """
    generator = torch.Generator(model.device).manual_seed(seed)
    ends = torch.tensor(end_tokens(model), device=model.device)
    answers: list[Tokens] = [[] for _ in prompts]
    for batch in batches(model, prompts, batch_tokens, "Writing", max_new_tokens):
        tokens = batch.tokens
        for _ in range(max_new_tokens):
            logits = batch.forward(tokens, last=1)[:, -1]
            tokens = _next_tokens(logits, temperature, generator)
            goes_on = ~torch.isin(tokens[:, 0], ends)
            if not goes_on.all():  # a finished answer leaves the batch
                batch.select(goes_on)
                tokens = tokens[goes_on]
            if not batch.rows:
                break
            for row, token in zip(batch.rows, tokens[:, 0].tolist(), strict=True):
                answers[row].append(token)
    return [text.strip() for text in model.tokenizer.batch_decode(answers, skip_special_tokens=True)]


def end_tokens(model: LanguageModel) -> list[int]:
    """The tokens that end an answer: mostly one, but some models have several."""
    ends = model.network.generation_config.eos_token_id or model.tokenizer.eos_token_id
    return [ends] if isinstance(ends, int) else ends


def _next_tokens(logits: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """A token per row, shape (B, 1), from logits (B, vocabulary)."""
    if temperature:
        return (logits.float() / temperature).softmax(-1).multinomial(1, generator=generator)
    return logits.argmax(-1, keepdim=True)


@enough_memory()
@torch.inference_mode()
def text_bits(
    models: Sequence[LanguageModel],
    texts: Sequence[str],
    prompts: Sequence[Tokens] | None = None,
    batch_size: int = 8,
) -> Tensor:
    """How many bits each model needs for each text, shape (models, texts): the fewer, the better it expects the text.

    That is minus the log2 of the text's probability. Divide by the text's bytes in UTF-8 for bits per byte, which
    compares texts and models whatever their tokens are. The models are a base model and adapted copies of it; the
    layers that they share run once. Each text follows its prompt; without prompts, each begins a document. Raises
    ValueError where the models are not copies of one base model.
    """
    base = models[0]
    above = layers_above_shared([model.network for model in models])
    lower, _ = split(base.network, above)
    uppers = [(split(model.network, above)[1], model.network.get_output_embeddings()) for model in models]
    prompts = prompts or [[base.tokenizer.eos_token_id]] * len(texts)  # what stands between documents
    pairs = [(list(prompt), encode_answer(base, text)) for prompt, text in zip(prompts, texts, strict=True)]
    by_length = sorted(range(len(pairs)), key=lambda row: sum(map(len, pairs[row])))
    groups = [by_length[start : start + batch_size] for start in range(0, len(by_length), batch_size)]
    bits = torch.zeros(len(models), len(pairs))
    with progress_bar(len(groups), "Reading") as advance:
        for rows in groups:
            tokens = [torch.tensor(pairs[row][0] + pairs[row][1]) for row in rows]
            padded = pad_sequence(tokens, batch_first=True).to(base.device)
            states = lower(padded[:, :-1], use_cache=False).last_hidden_state
            for which, (upper, head) in enumerate(uppers):
                hidden = upper(inputs_embeds=states, use_cache=False).last_hidden_state
                for place, row in enumerate(rows):
                    begin, end = len(pairs[row][0]), len(tokens[place])
                    logits = head(hidden[place, begin - 1 : end - 1])  # at the token before each of the text's
                    labels = padded[place, begin:end]
                    nats = nn.functional.cross_entropy(logits.float(), labels, reduction="sum")
                    bits[which, row] = nats.cpu() / math.log(2)
            advance()
    return bits
