"""Training: it learns, leaves the base model alone, and its adapters are read by PEFT elsewhere.

That losses, gradients and weights are those of plain.py is shown in test_plain.py.
"""

import hashlib
import json
from weakref import WeakKeyDictionary

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from course_lib import FineTuned, ZeroShot
from course_lib.llm.bundled import HUB_ID, bundled_model
from course_lib.llm.chat import encode_answer
from course_lib.llm.fast import trunk
from course_lib.llm.fast.trunk import run_trunk


def fingerprint(network):
    digest = hashlib.sha256()
    for name, weights in network.named_parameters():
        digest.update(name.encode())
        digest.update(weights.contiguous().view(torch.uint8).numpy())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def few(exact, pottery):
    """Ten examples of unlike length, as prompts and answers."""
    approach = FineTuned(prompt=pottery.prompt, model=exact)
    part = pottery.train[:10]
    return approach.encode_prompts(part["input"]), [encode_answer(exact, answer) for answer in part["output"]]


def test_the_lower_layers_run_once_for_an_example_and_are_the_same_in_any_company(exact, few, monkeypatch):
    prompts, answers = few
    monkeypatch.setattr(trunk, "_kept", WeakKeyDictionary())
    _, alone = run_trunk(exact, 10, prompts[:3], answers[:3])
    _, more = run_trunk(exact, 10, prompts, answers)
    assert all(one["states"] is other["states"] for one, other in zip(alone, more, strict=False))
    monkeypatch.setattr(trunk, "_kept", WeakKeyDictionary())
    _, together = run_trunk(exact, 10, prompts, answers)
    for one, other in zip(more, together, strict=True):
        torch.testing.assert_close(one["states"], other["states"], atol=1e-3, rtol=1e-3)
        assert torch.equal(one["labels"], other["labels"])
    _, elsewhere = run_trunk(exact, 12, prompts, answers)
    assert not torch.allclose(elsewhere[0]["states"], together[0]["states"], atol=0.1)
    monkeypatch.setattr(trunk, "KEEP", 0)
    run_trunk(exact, 10, prompts, answers)
    assert not trunk._kept[exact.network]


def test_only_the_upper_layers_get_an_adapter(tuned):
    changes = tuned.weight_changes()
    assert (changes.loc[:19] == 0).all(axis=None)
    assert (changes.loc[20:] > 0).all(axis=None)
    assert tuned.trained_parameters_ == sum(p.numel() for p in tuned.adapter_.parameters() if p.requires_grad)


def test_training_is_seeded_and_learns(pottery, tuned):
    part = pottery.train[:16]
    one, again, other = (
        FineTuned(layers=2, epochs=1, prompt=pottery.prompt, random_state=seed)
        .fit(part["input"], part["output"])
        .losses_
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
    assert (ZeroShot(prompt=pottery.prompt).predict(questions) == asked).all()
    memory = {weights.data_ptr() for weights in model.network.parameters()}
    own = [name for name, weights in tuned.adapter_.named_parameters() if weights.data_ptr() not in memory]
    assert own
    assert all("lora_" in name for name in own)


# peft 0.21 asks transformers 5 for a property by its old name.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_a_saved_adapter_is_read_by_plain_peft_on_the_unsplit_model(exact, tuned, pottery, tmp_path):
    """In float32: in bfloat16 a batch rounds otherwise than a single prompt, and now and then a word changes."""
    questions = pottery.test["input"][:4]
    tuned.save(tmp_path)
    loaded = FineTuned(prompt=pottery.prompt, model=exact).load(tmp_path)
    kept, trained = (dict(one.adapter_.named_parameters()) for one in (loaded, tuned))
    assert all(torch.equal(kept[name].float(), trained[name].float()) for name in trained if "lora_" in name)
    expected = loaded.predict(questions)
    saved = {path.name for path in tmp_path.iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors"} <= saved
    assert json.loads((tmp_path / "adapter_config.json").read_text())["base_model_name_or_path"] == HUB_ID
    fresh = AutoModelForCausalLM.from_pretrained(bundled_model(), dtype=torch.float32)
    plain = PeftModel.from_pretrained(fresh, tmp_path).eval()
    answers = []
    for prompt in loaded.encode_prompts(questions):
        tokens = torch.tensor([prompt])
        written = plain.generate(
            input_ids=tokens,
            attention_mask=torch.ones_like(tokens),
            max_new_tokens=32,
            do_sample=False,
            pad_token_id=exact.tokenizer.eos_token_id,
        )
        answers.append(exact.tokenizer.decode(written[0, len(prompt) :], skip_special_tokens=True).strip())
    assert answers == expected.tolist()
    assert answers != ZeroShot(prompt=pottery.prompt, model=exact).predict(questions).tolist()


def test_odd_numbers_of_examples_and_layers(model, pottery):
    part = pottery.train[:3]
    whole = FineTuned(layers=99, epochs=2, prompt=pottery.prompt).fit(part["input"], part["output"])
    assert (whole.weight_changes() > 0).all(axis=None)
