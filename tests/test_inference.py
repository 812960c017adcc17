"""Asking the model: what ends an answer, choices of each prompt's own, drawn texts, chat formats of many kinds.

That scores, texts and bits are those of plain.py is shown in test_plain.py.
"""

import copy

import pytest
import torch

from course_lib.llm.chat import conversation, encode, encode_answer
from course_lib.llm.inference import generate, score_choices, text_bits

QUESTIONS = ["Is snow white?", "Can a stone swim, on its own, across a lake?", "Do birds have wings?"]


def prompts(model):
    return [encode(model, conversation("Answer yes, no or no answer.", [], text)) for text in QUESTIONS]


def test_any_token_that_ends_an_answer_ends_it(exact, monkeypatch):
    asked = prompts(exact)[1:2]
    first, second, *_ = encode_answer(exact, generate(exact, asked, 8)[0])
    ends = [exact.tokenizer.eos_token_id, second]
    monkeypatch.setattr(exact.network.generation_config, "eos_token_id", ends)
    assert generate(exact, asked, 8) == [exact.tokenizer.decode([first]).strip()]


def test_each_prompt_may_have_choices_of_its_own(exact):
    choices = [["yes", "no answer"], ["of course not", "by all means"], ["no", "no answer"]]
    together = score_choices(exact, prompts(exact)[:3], choices)
    apart = [score_choices(exact, [prompt], own)[0] for prompt, own in zip(prompts(exact), choices, strict=False)]
    torch.testing.assert_close(together, torch.stack(apart), atol=1e-3, rtol=1e-4)


def test_models_that_share_nothing_are_not_asked_together(exact):
    other = exact.with_network(copy.deepcopy(exact.network))
    with pytest.raises(ValueError, match="copies of one base model"):
        text_bits([exact, other], ["Snow is white."])


def test_drawn_texts_differ_by_seed_and_repeat_with_it(exact):
    asked = prompts(exact)[:2]
    drawn = [generate(exact, asked, 12, temperature=1.0, seed=seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert generate(exact, asked, 12, temperature=1e-4, seed=3) == generate(exact, asked, 12)


def test_no_prompt_one_prompt_and_prompts_without_a_common_prefix(exact):
    assert score_choices(exact, [], ["yes", "no"]).shape == (0, 2)
    alone = prompts(exact)[:1]
    assert score_choices(exact, alone, ["yes", "no"]).shape == (1, 2)
    unlike = [encode_answer(exact, text) for text in ("The sky is", "Every winter it")]
    together = score_choices(exact, unlike, [" blue", " snows"])
    apart = torch.cat([score_choices(exact, [one], [" blue", " snows"]) for one in unlike])
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
