"""Sharing the prefix changes the work and not the answers."""

import copy
import math
from types import SimpleNamespace

import pytest
import torch
from transformers import DynamicCache

from course_lib import attention
from course_lib.adapter import add_adapter
from course_lib.inference import choose, generate, surprise
from course_lib.layers import share_weights, upper_layers
from course_lib.prompts import conversation, encode, encode_answer

EXAMPLES = [("Is ice cold?", "yes"), ("Is fire cold?", "no"), ("What is 0 divided by 0?", "no answer")]
QUESTIONS = [
    "Is snow white?",
    "Can a stone swim, on its own, across a lake in the middle of winter?",
    "Do birds have wings?",
    "Is the Moon made of cheese, as people said to children?",
    "What colour is thought?",
    "Hot?",
]


def requests(model, examples=EXAMPLES):
    return [encode(model, conversation("Answer yes, no or no answer.", examples, text)) for text in QUESTIONS]


@torch.inference_mode()
def plain_log_probability(model, request, answer):
    """One request and one answer at a time, with no cache and no padding."""
    logits = model.network(torch.tensor([request + answer])).logits[0].float().log_softmax(-1)
    return sum(logits[len(request) + place - 1, token].item() for place, token in enumerate(answer))


@pytest.mark.parametrize("choices", [["yes", "no"], ["yes", "no", "no answer"], ["of course not", "by all means"]])
def test_choices_get_the_same_log_probabilities_as_one_by_one(exact, choices):
    options = [encode_answer(exact, choice) for choice in choices]
    if "no answer" in choices:  # "no" begins "no answer": then the end of the answer counts as well
        options = [[*option, exact.tokenizer.eos_token_id] for option in options]
    expected = torch.tensor(
        [[plain_log_probability(exact, one, option) for option in options] for one in requests(exact)]
    )
    for batch_tokens in (1, 600, 8192):
        torch.testing.assert_close(
            choose(exact, requests(exact), choices, batch_tokens), expected, atol=1e-3, rtol=1e-4
        )


def test_attention_in_bfloat16_is_that_in_float32(monkeypatch):
    """There the scores are written out, here torch does it: for all rows together, and for one after the other."""
    generator = torch.Generator().manual_seed(0)
    prefix = DynamicCache()
    prefix.update(*torch.randn(2, 1, 3, 7, 16, generator=generator), 0)
    query, key, value = (torch.randn(4, heads, 5, 16, generator=generator) for heads in (9, 3, 3))
    sees = torch.ones(5, 5, dtype=torch.bool).tril().expand(4, 1, 5, 5).clone()
    sees[0, 0, 1:, 0] = False  # padding
    module = SimpleNamespace(layer_idx=0, num_key_value_groups=3, is_causal=True)
    expected, _ = attention.attend(module, query, key, value, sees, scaling=0.25, prefix=prefix)
    shared = prefix.layers[0]
    shared.keys, shared.values = shared.keys.bfloat16(), shared.values.bfloat16()
    for cached in (1, 10**9):
        monkeypatch.setattr(attention, "CACHED", cached)
        given = (whole.bfloat16() for whole in (query, key, value))
        found, _ = attention.attend(module, *given, sees, scaling=0.25, prefix=prefix)
        torch.testing.assert_close(found.float(), expected, atol=0.03, rtol=0.03)


def test_texts_are_the_same_as_one_by_one(exact):
    expected = []
    for request in requests(exact):
        written = exact.network.generate(
            torch.tensor([request]), attention_mask=torch.ones(1, len(request), dtype=torch.long),
            max_new_tokens=20, do_sample=False, pad_token_id=exact.tokenizer.eos_token_id,
        )  # fmt: skip
        expected.append(exact.tokenizer.decode(written[0, len(request) :], skip_special_tokens=True).strip())
    for batch_tokens in (1, 600, 8192):
        assert generate(exact, requests(exact), 20, batch_tokens) == expected
    assert len(set(expected)) > 1


def test_any_token_that_ends_an_answer_ends_it(exact, monkeypatch):
    asked = requests(exact)[1:2]
    first, second, *_ = encode_answer(exact, generate(exact, asked, 8)[0])
    ends = [exact.tokenizer.eos_token_id, second]
    monkeypatch.setattr(exact.network.generation_config, "eos_token_id", ends)
    assert generate(exact, asked, 8) == [exact.tokenizer.decode([first]).strip()]


def test_each_request_may_have_choices_of_its_own(exact):
    choices = [["yes", "no answer"], ["of course not", "by all means"], ["no", "no answer"]]
    together = choose(exact, requests(exact)[:3], choices)
    apart = [choose(exact, [request], own)[0] for request, own in zip(requests(exact), choices, strict=False)]
    torch.testing.assert_close(together, torch.stack(apart), atol=1e-3, rtol=1e-4)


def test_surprise_is_the_log_probability_of_the_whole_text(exact):
    texts = ["Snow is white.", "Paris is the capital of France, and Rome that of Italy.", "Café"]
    torch.manual_seed(0)
    adapter = add_adapter(share_weights(exact.network), layers=10, rank=8)
    for name, weights in adapter.named_parameters():
        if "lora_B" in name:  # it begins at zero, and the copy would be the model itself
            weights.data = torch.randn(weights.shape) * 0.05
    models = [exact, exact.with_network(adapter.get_base_model())]
    assert upper_layers([model.network for model in models]) == 10
    document = [exact.tokenizer.eos_token_id]
    for begins in ([document] * 3, requests(exact)[:3]):
        expected = [
            [
                -plain_log_probability(model, begin, encode_answer(model, text)) / math.log(2)
                for begin, text in zip(begins, texts, strict=True)
            ]
            for model in models
        ]
        for batch_size in (1, 8):
            bits = surprise(models, texts, None if begins[0] == document else begins, batch_size)
            torch.testing.assert_close(bits, torch.tensor(expected), rtol=1e-3, atol=0.01)
        assert (bits[0] - bits[1]).abs().max() > 0.1


def test_models_that_share_nothing_are_not_asked_together(exact):
    other = exact.with_network(copy.deepcopy(exact.network))
    with pytest.raises(ValueError, match="copies of one base model"):
        surprise([exact, other], ["Snow is white."])


def test_drawn_texts_differ_by_seed_and_repeat_with_it(exact):
    asked = requests(exact)[:2]
    drawn = [generate(exact, asked, 12, temperature=1.0, seed=seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert generate(exact, asked, 12, temperature=1e-4, seed=3) == generate(exact, asked, 12)


def test_no_request_one_request_and_requests_without_a_common_prefix(exact):
    assert choose(exact, [], ["yes", "no"]).shape == (0, 2)
    alone = requests(exact)[:1]
    assert choose(exact, alone, ["yes", "no"]).shape == (1, 2)
    unlike = [encode_answer(exact, text) for text in ("The sky is", "Every winter it")]
    together = choose(exact, unlike, [" blue", " snows"])
    apart = torch.cat([choose(exact, [one], [" blue", " snows"]) for one in unlike])
    torch.testing.assert_close(together, apart, atol=1e-3, rtol=1e-4)
    assert together[0, 0] > together[0, 1]
    assert together[1, 1] > together[1, 0]


def test_models_without_a_chat_template_or_a_system_role_are_served(model, monkeypatch):
    messages = conversation("Be brief.", [("One?", "1")], "Two?")
    monkeypatch.setattr(model.tokenizer, "chat_template", None)
    assert model.tokenizer.decode(encode(model, messages)) == "Be brief.\n\nOne?\n\n1\n\nTwo?\n\n"
    no_system = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        "[{{ m.role }}]{{ m.content }}{% endfor %}"
    )
    monkeypatch.setattr(model.tokenizer, "chat_template", no_system)
    assert model.tokenizer.decode(encode(model, messages)) == "[user]Be brief.\n\nOne?[assistant]1[user]Two?"


def test_a_model_that_thinks_aloud_is_asked_for_the_answer_alone(model, monkeypatch):
    template = "{{ 'Answer:' if enable_thinking is defined and not enable_thinking else '<think>' }}"
    monkeypatch.setattr(model.tokenizer, "chat_template", template)
    assert model.tokenizer.decode(encode(model, conversation("", [], "Who?"))) == "Answer:"
