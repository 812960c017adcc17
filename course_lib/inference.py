"""Asking the model, for many requests at once: which choice is likeliest, what it writes, how a text surprises it.

Requests of one task begin alike: the same instruction, the same examples. That common prefix runs through the
network once; its keys and values are held once, and all requests of a batch look at them (attention.py). The answers
are the same as without (tests/test_inference.py shows it); the work is not: with 8 examples, a request is mostly
prefix.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import Cache, DynamicCache

from .bars import progress_bar
from .layers import split, upper_layers
from .model import LanguageModel, enough_memory, give_back_memory
from .prompts import encode_answer

Tokens = list[int]
PADDING = -1  # no token
# Tokens of requests in memory at once, without their prefix. Reading is fastest while what a layer makes of them fits
# the processor's cache; writing reads all weights anew for every token, so there the more requests together the
# better (their keys and values, those of the tokens to come included, take 190 MB in float32).
READING, WRITING = 2048, 4096


@enough_memory()
@torch.inference_mode()
def choose(
    model: LanguageModel,
    requests: Sequence[Tokens],
    choices: Sequence[str] | Sequence[Sequence[str]],
    batch_tokens: int = READING,
) -> Tensor:
    """How likely each choice is as the answer to each request.

    `choices` are the same for all requests, or as many for each request. Returns float32 log-probabilities of shape
    (requests, choices), each the sum over the tokens of the choice.
    """
    if not requests:
        return torch.empty(0, len(choices))
    each: list[Any] = (
        [tuple(choices)] * len(requests) if isinstance(choices[0], str) else [tuple(own) for own in choices]
    )
    encoded = {own: _encode_choices(model, own) for own in set(each)}
    longest = max(len(option) for options in encoded.values() for option in options)
    padded = torch.tensor([[option + [PADDING] * (longest - len(option)) for option in encoded[own]] for own in each])
    if longest > 1:  # then the cache is held once for each choice
        batch_tokens //= padded.shape[1]
    scores = torch.empty(padded.shape[:2])
    for batch in _batches(model, requests, batch_tokens, "Scoring"):
        options = padded[batch.rows].to(model.device)
        first = batch.read(batch.tokens, keep=1)[:, -1].float().log_softmax(-1).gather(-1, options[..., 0])
        scores[batch.rows] = (first + _later_tokens(batch, options) if longest > 1 else first).cpu()
    return scores


def _encode_choices(model: LanguageModel, choices: Sequence[str]) -> list[Tokens]:
    options = [encode_answer(model, choice) for choice in choices]
    if any(one is not other and other[: len(one)] == one for one in options for other in options):
        return [[*option, model.tokenizer.eos_token_id] for option in options]  # "no" also begins "no answer"
    return options


@enough_memory()
@torch.inference_mode()
def generate(
    model: LanguageModel,
    requests: Sequence[Tokens],
    max_new_tokens: int = 32,
    batch_tokens: int = WRITING,
    temperature: float = 0.0,
    seed: int = 0,
) -> list[str]:
    """What the model writes after each request, until it ends its answer or has used its tokens up.

    At temperature 0 it always takes the likeliest token; above, it draws one, the more freely the higher.
    """
    dice = torch.Generator(model.device).manual_seed(seed)
    ends = model.network.generation_config.eos_token_id or model.tokenizer.eos_token_id  # some models have several
    ends = torch.tensor([ends] if isinstance(ends, int) else ends, device=model.device)
    answers: list[Tokens] = [[] for _ in requests]
    for batch in _batches(model, requests, batch_tokens, "Writing", max_new_tokens):
        tokens = batch.tokens
        for _ in range(max_new_tokens):
            logits = batch.read(tokens, keep=1)[:, -1]
            if temperature:
                tokens = (logits.float() / temperature).softmax(-1).multinomial(1, generator=dice)
            else:
                tokens = logits.argmax(-1, keepdim=True)
            goes_on = ~torch.isin(tokens[:, 0], ends)
            if not goes_on.all():  # who has ended leaves the batch
                batch.keep(goes_on)
                tokens = tokens[goes_on]
            if not batch.rows:
                break
            for row, token in zip(batch.rows, tokens[:, 0].tolist(), strict=True):
                answers[row].append(token)
    return [text.strip() for text in model.tokenizer.batch_decode(answers, skip_special_tokens=True)]


@enough_memory()
@torch.inference_mode()
def surprise(
    models: Sequence[LanguageModel],
    texts: Sequence[str],
    requests: Sequence[Tokens] | None = None,
    batch_size: int = 8,
) -> Tensor:
    """How many bits of surprise each text is to each model, shape (models, texts): less is more at home.

    The models are one base model and adapted copies of it; the layers that they share run once. Each text follows its
    request; without requests each stands as the beginning of a document. Divide the sum by the texts' bytes (UTF-8)
    for bits per byte, which compares texts and models whatever their tokens are.
    """
    base, *_ = models
    above = upper_layers([model.network for model in models])
    lower, _ = split(base.network, above)
    uppers = [(split(model.network, above)[1], model.network.get_output_embeddings()) for model in models]
    requests = requests or [[base.tokenizer.eos_token_id]] * len(texts)  # what stands between documents
    pairs = [(list(request), encode_answer(base, text)) for request, text in zip(requests, texts, strict=True)]
    by_length = sorted(range(len(pairs)), key=lambda row: sum(map(len, pairs[row])))
    groups = [by_length[start : start + batch_size] for start in range(0, len(by_length), batch_size)]
    bits = torch.zeros(len(models), len(pairs))
    with progress_bar(len(groups), "Reading") as advance:
        for rows in groups:
            tokens = [torch.tensor(pairs[row][0] + pairs[row][1]) for row in rows]
            padded = pad_sequence(tokens, batch_first=True).to(base.device)
            # What the text's tokens are guessed from: the position before each.
            guesses = [slice(len(pairs[row][0]) - 1, len(own) - 1) for row, own in zip(rows, tokens, strict=True)]
            states = lower(padded[:, :-1], use_cache=False).last_hidden_state
            for which, (upper, head) in enumerate(uppers):
                hidden = upper(inputs_embeds=states, use_cache=False).last_hidden_state
                for place, (row, own) in enumerate(zip(rows, guesses, strict=True)):
                    logits = head(hidden[place, own])
                    truth = padded[place, own.start + 1 : own.stop + 1]
                    nats = nn.functional.cross_entropy(logits.float(), truth, reduction="sum")
                    bits[which, row] = nats.cpu() / math.log(2)
            advance()
    return bits


def common_prefix(requests: Sequence[Tokens]) -> Tokens:
    """The tokens that all requests begin with, short of the last of any: its output is what an answer begins from."""
    columns = zip(*(request[:-1] for request in requests), strict=False)
    return [column[0] for column in takewhile(lambda column: len(set(column)) == 1, columns)]


@dataclass
class Batch:
    """Requests that are read together: `rows` of them, `tokens` (rows, longest) after the prefix, padded in front.

    `real` says which of the tokens in the cache and of the next ones are no padding.
    """

    model: LanguageModel
    prefix: Cache | None
    rows: list[int]
    tokens: Tensor
    real: Tensor
    cache: Cache

    def read(self, tokens: Tensor, keep: int = 0) -> Tensor:
        """Logits of the last `keep` positions (0: all) of `tokens`, which follow what was read."""
        before, new = self.cache.get_seq_length(), tokens.shape[1]
        if before + new > self.real.shape[1]:
            self.real = nn.functional.pad(self.real, (0, before + new - self.real.shape[1]), value=True)
        begins = self.prefix.get_seq_length() if self.prefix else 0
        places = torch.arange(before + new, device=tokens.device)
        now = places[before:, None]
        # Padding looks at itself, or it would look at nothing and be no number.
        sees = (self.real[:, None, :] & (places <= now)) | (places == now)
        return self.model.network(
            tokens,
            attention_mask=sees[:, None],
            position_ids=begins + (self.real.cumsum(-1) - 1).clamp(min=0)[:, before:],
            past_key_values=self.cache,
            logits_to_keep=keep,
            prefix=self.prefix,
        ).logits

    def keep(self, which: Tensor) -> None:
        """Go on with these rows only; `which` is True for each that stays."""
        self.rows = [row for row, stays in zip(self.rows, which.tolist(), strict=True) if stays]
        self.real = self.real[which]
        self.cache.batch_select_indices(which)

    def repeat(self, times: int) -> None:
        """Hold each row so many times, one after the other."""
        self.real = self.real.repeat_interleave(times, dim=0)
        self.cache.batch_repeat_interleave(times)


def _batches(
    model: LanguageModel, requests: Sequence[Tokens], batch_tokens: int, label: str, new_tokens: int = 0
) -> Iterator[Batch]:
    """Batches of requests of like length, the longest first.

    No batch is over `batch_tokens`, counting padding and `new_tokens` a request but not the prefix, unless a single
    request is.
    """
    give_back_memory()
    beginning = common_prefix(requests)
    prefix = DynamicCache(config=model.network.config) if beginning else None
    if beginning:
        model.network(torch.tensor([beginning], device=model.device), past_key_values=prefix, logits_to_keep=1)
    own = [list(request[len(beginning) :]) for request in requests]
    by_length = sorted(range(len(own)), key=lambda row: len(own[row]), reverse=True)
    groups: list[list[int]] = []
    for row in by_length:
        if groups and (len(groups[-1]) + 1) * (len(own[groups[-1][0]]) + new_tokens) <= batch_tokens:
            groups[-1].append(row)
        else:
            groups.append([row])
    with progress_bar(len(groups), label) as advance:
        for rows in groups:
            longest = len(own[rows[0]])
            tokens = torch.tensor([[0] * (longest - len(own[row])) + own[row] for row in rows])
            sizes = torch.tensor([len(own[row]) for row in rows])
            real = torch.arange(longest) >= longest - sizes[:, None]
            cache = DynamicCache(config=model.network.config)
            yield Batch(model, prefix, rows, tokens.to(model.device), real.to(model.device), cache)
            advance()


def _later_tokens(batch: Batch, options: Tensor) -> Tensor:
    """Log-probabilities, shape (rows, options), of each option's tokens after its first."""
    tokens = options.flatten(0, 1)
    batch.repeat(options.shape[1])
    logits = batch.read(tokens[:, :-1].clamp(min=0)).float().log_softmax(-1)
    later = tokens[:, 1:]
    each = logits.gather(-1, later.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return (each * (later != PADDING)).sum(-1).view(options.shape[:2])
