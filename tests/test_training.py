"""Training on the split model is training on the whole one, and it leaves the base model alone."""

import hashlib
import json
from weakref import WeakKeyDictionary

import pytest
import torch
from peft import PeftModel
from peft.tuners.lora import Linear
from transformers import AutoModelForCausalLM

from course_lib import FineTuned, ZeroShot, attention, training
from course_lib.adapter import Adapted, add_adapter
from course_lib.layers import share_weights, split
from course_lib.model import HUB_ID, embedded_model
from course_lib.prompts import encode_answer
from course_lib.training import Top, _batch, _Loss, _run_trunk


def fingerprint(network):
    digest = hashlib.sha256()
    for name, weights in network.named_parameters():
        digest.update(name.encode())
        digest.update(weights.contiguous().view(torch.uint8).numpy())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def few(exact, pottery):
    """Ten examples of unlike length, as requests and answers."""
    approach = FineTuned(prompt=pottery.prompt, model=exact)
    part = pottery.train[:10]
    return approach.requests(part["input"]), [encode_answer(exact, answer) for answer in part["output"]]


# Attention to long pieces, and to short ones; rows as they are, and filled up as in bfloat16; requests that begin
# alike, that do not, and that begin alike for longer than a short piece.
@pytest.mark.parametrize(
    ("short", "fill", "begin"),
    [(0, 0, "alike"), (128, 0, "alike"), (128, 5, "alike"), (128, 0, "unlike"), (128, 0, "alike for long")],
)
def test_the_split_model_has_the_loss_and_the_gradients_of_the_whole_one(exact, few, short, fill, begin, monkeypatch):
    requests, answers = few
    if begin == "unlike":
        requests = [[number, *request] for number, request in enumerate(requests)]
    if begin == "alike for long":
        requests = [[*range(100, 250), *request] for request in requests]
    monkeypatch.setattr(attention, "SHORT", short)
    monkeypatch.setattr(training, "_fill", lambda *_: fill)
    monkeypatch.setattr(training, "_kept", WeakKeyDictionary())
    adapted = add_adapter(share_weights(exact.network), layers=10, rank=8)
    generator = torch.Generator().manual_seed(0)
    trained = {name: weights for name, weights in adapted.named_parameters() if weights.requires_grad}
    for weights in trained.values():  # LoRA begins at zero, where half of the gradients vanish
        weights.data = torch.randn(weights.shape, generator=generator) * 0.02
    _, upper = split(adapted.get_base_model(), layers=10)
    top = Top(upper, adapted.get_base_model().get_output_embeddings())
    loss = top(**_batch(*_run_trunk(exact, 10, requests, answers)))["loss"]
    loss.backward()
    of_split = {name: weights.grad.clone() for name, weights in trained.items()}
    adapted.zero_grad()

    own = [part for part in adapted.modules() if type(part) is Adapted]
    assert len(own) == 10 * 7
    for part in own:
        part.__class__ = Linear  # PEFT's own
    losses = []
    for request, answer in zip(requests, answers, strict=True):  # one by one, all layers, every position
        tokens = torch.tensor([[*request, *answer, exact.tokenizer.eos_token_id]])
        labels = tokens.clone()
        labels[0, : len(request)] = -100
        logits = adapted.get_base_model()(tokens).logits[0, :-1]
        losses.append(torch.nn.functional.cross_entropy(logits, labels[0, 1:], ignore_index=-100, reduction="sum"))
    whole = sum(losses) / sum(len(answer) + 1 for answer in answers)
    whole.backward()

    torch.testing.assert_close(loss, whole, atol=1e-4, rtol=1e-4)
    assert len(trained) == 10 * 7 * 2
    for name, weights in trained.items():
        torch.testing.assert_close(of_split[name], weights.grad, atol=1e-4, rtol=1e-2, msg=name)


def test_the_loss_part_by_part_is_that_of_all_tokens_at_once(exact):
    head = exact.network.get_output_embeddings()
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(400, head.in_features, generator=generator, requires_grad=True)
    labels = torch.randint(head.out_features, (400,), generator=generator)
    whole = torch.nn.functional.cross_entropy(head(states), labels)
    parts = _Loss.apply(states, head, labels)
    torch.testing.assert_close(parts, whole)
    of_parts, of_whole = (torch.autograd.grad(2 * loss, states)[0] for loss in (parts, whole))
    torch.testing.assert_close(of_parts, of_whole, atol=1e-6, rtol=1e-4)


def test_the_lower_layers_run_once_for_an_example_and_are_the_same_in_any_company(exact, few, monkeypatch):
    requests, answers = few
    monkeypatch.setattr(training, "_kept", WeakKeyDictionary())
    _, alone = _run_trunk(exact, 10, requests[:3], answers[:3])
    _, more = _run_trunk(exact, 10, requests, answers)
    assert all(one["states"] is other["states"] for one, other in zip(alone, more, strict=False))
    monkeypatch.setattr(training, "_kept", WeakKeyDictionary())
    _, together = _run_trunk(exact, 10, requests, answers)
    for one, other in zip(more, together, strict=True):
        torch.testing.assert_close(one["states"], other["states"], atol=1e-3, rtol=1e-3)
        assert torch.equal(one["labels"], other["labels"])
    _, elsewhere = _run_trunk(exact, 12, requests, answers)
    assert not torch.allclose(elsewhere[0]["states"], together[0]["states"], atol=0.1)
    monkeypatch.setattr(training, "KEEP", 0)
    _run_trunk(exact, 10, requests, answers)
    assert not training._kept[exact.network]


def test_only_the_upper_layers_get_an_adapter(tuned):
    changes = tuned.weight_changes()
    assert (changes.loc[:19] == 0).all(axis=None)
    assert (changes.loc[20:] > 0).all(axis=None)
    assert tuned.trained_parameters_ == sum(p.numel() for p in tuned.adapter_.parameters() if p.requires_grad)


def test_training_is_seeded_and_learns(pottery, tuned):
    part = pottery.train[:16]
    one, again, other = (
        FineTuned(layers=2, epochs=1, prompt=pottery.prompt, seed=seed).fit(part["input"], part["output"]).losses_
        for seed in (0, 0, 1)
    )
    assert again == one != other
    assert len(tuned.losses_) == 2 * 48 / 8
    assert sum(tuned.losses_[6:]) < 0.8 * sum(tuned.losses_[:6])  # the second time round it knows more


def test_the_base_model_is_shared_and_never_changed(model, pottery):
    before = fingerprint(model.network)
    questions = pottery.test["input"][:4]
    asked = ZeroShot(prompt=pottery.prompt).predict(questions)
    part = pottery.train[:8]
    tuned = FineTuned(layers=2, epochs=1, prompt=pottery.prompt).fit(part["input"], part["output"])
    tuned.predict(questions)
    assert fingerprint(model.network) == before
    assert ZeroShot(prompt=pottery.prompt).predict(questions) == asked
    memory = {weights.data_ptr() for weights in model.network.parameters()}
    own = [name for name, weights in tuned.adapter_.named_parameters() if weights.data_ptr() not in memory]
    assert own
    assert all("lora_" in name for name in own)


def test_a_saved_adapter_is_read_by_plain_peft_on_the_unsplit_model(exact, tuned, pottery, tmp_path):
    """In float32: in bfloat16 a batch rounds otherwise than a single request, and now and then a word changes."""
    questions = pottery.test["input"][:4]
    tuned.save(tmp_path)
    loaded = FineTuned(prompt=pottery.prompt, model=exact).load(tmp_path)
    kept, trained = (dict(one.adapter_.named_parameters()) for one in (loaded, tuned))
    assert all(torch.equal(kept[name].float(), trained[name].float()) for name in trained if "lora_" in name)
    expected = loaded.predict(questions)
    saved = {path.name for path in tmp_path.iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors"} <= saved
    assert json.loads((tmp_path / "adapter_config.json").read_text())["base_model_name_or_path"] == HUB_ID
    fresh = AutoModelForCausalLM.from_pretrained(embedded_model(), dtype=torch.float32)
    plain = PeftModel.from_pretrained(fresh, tmp_path).eval()
    answers = []
    for request in loaded.requests(questions):
        tokens = torch.tensor([request])
        written = plain.generate(
            input_ids=tokens,
            attention_mask=torch.ones_like(tokens),
            max_new_tokens=32,
            do_sample=False,
            pad_token_id=exact.tokenizer.eos_token_id,
        )
        answers.append(exact.tokenizer.decode(written[0, len(request) :], skip_special_tokens=True).strip())
    assert answers == expected
    assert answers != ZeroShot(prompt=pottery.prompt, model=exact).predict(questions)


def test_odd_numbers_of_examples_and_layers(model, pottery):
    part = pottery.train[:3]
    whole = FineTuned(layers=99, epochs=2, prompt=pottery.prompt).fit(part["input"], part["output"])
    assert (whole.weight_changes() > 0).all(axis=None)
