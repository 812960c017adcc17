"""Jobs as this course does them, and as other packages' documentation says to do them.

`python contestants.py NAME [NUMBER]` runs one job once and prints, as JSON, the seconds it took, the peak memory of its
process until then in bytes, and what came out. Each is a generator of three steps: what is not timed (imports, loading
the model), the job, and what came out of it.
"""
# ruff: noqa: E402

from course_lib import start_session

start_session()  # before torch is imported, and for all ways alike

import json
import resource
import statistics
import sys
import tempfile
import time

import pandas as pd
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, DataCollatorForSeq2Seq, Trainer, TrainingArguments

from course_lib import FewShot, FineTuned, Task, load_model, load_task
from course_lib.llm.bundled import bundled_model
from course_lib.llm.chat import conversation, encode, encode_answer
from course_lib.llm.inference import generate, score_choices
from course_lib.llm.model import LanguageModel, best_dtype
from course_lib.tasks.builtin import packaged

FOLDER = str(bundled_model())  # the same weights for all
DTYPE = best_dtype("cpu")


def plain():
    """Model and tokenizer as transformers loads them."""
    return AutoModelForCausalLM.from_pretrained(FOLDER, dtype=DTYPE), AutoTokenizer.from_pretrained(FOLDER)


def film_reviews() -> Task:
    """The last 40 words of 200 film reviews, positive or negative, half of them held out.

    It is no task of the course any more: on 100 reviews the split decides the score. Here only the time counts, and the
    figures that are kept were measured on it.
    """
    table = pd.read_csv(packaged("imdb"))
    ends = table["text"].str.replace(r"<br\s*/?>", " ", regex=True).str.split().str[-40:].str.join(" ")
    pairs = list(zip(ends, table["label"].map({1: "positive", 0: "negative"}), strict=True))
    question = "Is this film review positive or negative?"
    return Task.from_examples("film-reviews", question, pairs[:100], pairs[100:], choices=("positive", "negative"))


# Fine-tuning on 100 film reviews for 3 epochs, LoRA of rank 8; judged on the 100 held-out reviews.
REVIEWS = film_reviews()
EPOCHS, BATCH = 3, 8
EVERYWHERE = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
COMMON = {
    "num_train_epochs": EPOCHS,
    "per_device_train_batch_size": BATCH,
    "learning_rate": 1e-3,
    "use_cpu": True,
    "bf16": torch.bfloat16 == DTYPE,
    "report_to": "none",
    "save_strategy": "no",
    "disable_tqdm": True,
    "seed": 0,
}


def asked(text):
    return conversation(REVIEWS.prompt.instruction, [], text)


def judged(network):
    """The answers of a trained network to the held-out reviews, by the same code for all ways."""
    model = load_model()
    prompts = [encode(model, asked(text)) for text in REVIEWS.test["input"]]
    network = network.merge_and_unload().eval()
    network.set_attn_implementation(model.network.config._attn_implementation)
    best = score_choices(model.with_network(network), prompts, REVIEWS.prompt.choices).argmax(1)
    return [REVIEWS.prompt.choices[place] for place in best.tolist()]


def fine_tuning_course_lib():
    model = load_model()
    yield
    tuned = FineTuned(epochs=EPOCHS, prompt=REVIEWS.prompt, model=model, random_state=0)
    tuned.fit(REVIEWS.train["input"], REVIEWS.train["output"])
    yield
    yield tuned.predict(REVIEWS.test["input"]).tolist()


def layers(count):
    """The same with an adapter on fewer or more layers: 30 is all of them, so that no lower ones run only once."""
    tuned = FineTuned(layers=count, epochs=EPOCHS, prompt=REVIEWS.prompt, model=load_model(), random_state=0)
    yield
    tuned.fit(REVIEWS.train["input"], REVIEWS.train["output"])
    yield
    yield tuned.predict(REVIEWS.test["input"]).tolist()


def fine_tuning_trl():
    from trl import SFTConfig, SFTTrainer

    model, tokenizer = plain()
    yield
    rows = [
        {"prompt": asked(text), "completion": [{"role": "assistant", "content": answer}]}
        for text, answer in zip(REVIEWS.train["input"], REVIEWS.train["output"], strict=True)
    ]
    trainer = SFTTrainer(
        model,
        args=SFTConfig(tempfile.mkdtemp(), gradient_checkpointing=False, **COMMON),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=EVERYWHERE,
    )
    trainer.train()
    yield
    yield judged(trainer.model)


def fine_tuning_trainer():
    model, tokenizer = plain()
    yield

    def tokenize(row):
        prompt = tokenizer.apply_chat_template(asked(row["input"]), add_generation_prompt=True, return_dict=False)
        answer = tokenizer(row["output"])["input_ids"] + [tokenizer.eos_token_id]
        return {"input_ids": prompt + answer, "labels": [-100] * len(prompt) + answer}

    trainer = Trainer(
        get_peft_model(model, EVERYWHERE),
        TrainingArguments(tempfile.mkdtemp(), **COMMON),
        train_dataset=REVIEWS.train.map(tokenize, remove_columns=REVIEWS.train.column_names),
        data_collator=DataCollatorForSeq2Seq(tokenizer),
    )
    trainer.train()
    yield
    yield judged(trainer.model)


# Scoring: 8 shots, 100 reviews; all ways read the very text that skorch's classifier makes of them.
def skorch_prompts(model, tokenizer):
    from skorch.llm import FewShotClassifier

    classifier = FewShotClassifier(model=model, tokenizer=tokenizer, max_samples=8, random_state=0)
    classifier.fit(list(REVIEWS.train["input"]), list(REVIEWS.train["output"]))
    return classifier, [classifier.get_prompt(text) for text in REVIEWS.test["input"]]


def scoring_course_lib():
    model = load_model()
    classifier, texts = skorch_prompts(model.network, model.tokenizer)
    yield
    tokens = [encode_answer(model, text) for text in texts]
    best = score_choices(model, tokens, classifier.classes_.tolist()).argmax(1)
    yield
    yield [classifier.classes_[place] for place in best.tolist()]


def scoring_skorch():
    classifier, _ = skorch_prompts(*plain())
    yield
    answers = classifier.predict(list(REVIEWS.test["input"]))
    yield
    yield answers.tolist()


def scoring_lm_eval():
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    network, tokenizer = plain()
    classifier, texts = skorch_prompts(network, tokenizer)
    classes = classifier.classes_.tolist()
    model = HFLM(pretrained=network, tokenizer=tokenizer, device="cpu", batch_size=BATCH)
    yield
    asked = [
        Instance(request_type="loglikelihood", doc={}, arguments=(text, choice), idx=0)
        for text in texts
        for choice in classes
    ]
    scores = torch.tensor([score for score, _ in model.loglikelihood(asked, disable_tqdm=True)])
    yield
    yield [classes[place] for place in scores.view(len(texts), -1).argmax(1).tolist()]


# Writing: 64 queries of up to 48 tokens to the course's databases, 8 shots, greedily.
def database_prompts(model):
    databases = load_task("databases")
    few = FewShot(8, prompt=databases.prompt, model=model, random_state=0)
    few.fit(databases.train["input"], databases.train["output"])
    return few.encode_prompts(databases.test["input"][:64])


def writing_course_lib():
    model = load_model()
    given = database_prompts(model)
    yield
    answers = generate(model, given, max_new_tokens=48)
    yield
    yield answers


def writing_transformers():
    network, tokenizer = plain()
    given = database_prompts(LanguageModel(FOLDER, network, tokenizer))
    yield
    tokenizer.padding_side = "left"
    batch = tokenizer.pad({"input_ids": given}, return_tensors="pt")  # all at once: faster than in smaller batches
    written = network.generate(**batch, max_new_tokens=48, do_sample=False)
    answers = tokenizer.batch_decode(written[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    yield
    yield [answer.strip() for answer in answers]


# The physical limit: how fast the machine multiplies large matrices, and how much of that a fine-tuning reaches.
def limit_products(bits):
    one, other = torch.rand(2, 2048, 2048).to({32: torch.float32, 16: torch.bfloat16}[bits])
    yield
    seconds = []
    while sum(seconds) < 3:  # without bfloat16 in the processor one product may take longer than that
        start = time.perf_counter()
        one @ other
        seconds.append(time.perf_counter() - start)
    yield
    yield 2 * 2048**3 / statistics.median(seconds)  # operations per second


def limit_operations():
    from torch.utils.flop_counter import FlopCounterMode

    model = load_model()
    tuned = FineTuned(epochs=EPOCHS, prompt=REVIEWS.prompt, model=model, random_state=0)
    yield
    with FlopCounterMode(display=False) as counter:
        tuned.fit(REVIEWS.train["input"], REVIEWS.train["output"])
    yield
    yield counter.get_total_flops()


def limit_profile():
    from torch.profiler import ProfilerActivity, profile

    tuned = FineTuned(epochs=EPOCHS, prompt=REVIEWS.prompt, model=load_model(), random_state=0)
    yield
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        tuned.fit(REVIEWS.train["input"], REVIEWS.train["output"])
    yield
    times = {event.key: event.self_cpu_time_total for event in recorded.key_averages()}
    whole = sum(times.values())
    yield {name: times[name] / whole for name in sorted(times, key=times.get, reverse=True)[:8]}


# How the time grows: film reviews in pieces of 28 words, more of them; the same queries, more shots.
def pieces(count):
    words = " ".join(pd.read_csv(packaged("imdb"))["text"]).split()
    texts = [" ".join(words[start : start + 28]) for start in range(0, 28 * count, 28)]
    assert all(texts)
    return texts


def growth_examples(count):
    model = load_model()
    texts = pieces(count)
    answers = ["yes" if len(text) % 2 else "no" for text in texts]  # what is learned does not matter here
    yield
    FineTuned(epochs=1, prompt=REVIEWS.prompt, model=model, random_state=0).fit(texts, answers)
    yield
    yield len(texts)


def growth_queries(count):
    model = load_model()
    few = FewShot(8, calibrate=False, prompt=REVIEWS.prompt, model=model, random_state=0)
    few.fit(REVIEWS.train["input"], REVIEWS.train["output"])
    texts = pieces(count)
    yield
    few.predict(texts)
    yield
    yield len(texts)


def growth_shots(count):
    model = load_model()
    few = FewShot(count, calibrate=False, prompt=REVIEWS.prompt, model=model, random_state=0)
    few.fit(REVIEWS.train["input"], REVIEWS.train["output"])
    texts = pieces(100)
    yield
    few.predict(texts)
    yield
    yield len(few.encode_prompts(texts[:1])[0])  # tokens


def main() -> None:
    name, *numbers = sys.argv[1:]
    steps = globals()[name](*map(int, numbers))
    next(steps)
    start = time.perf_counter()
    next(steps)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # bytes, on Linux
    print(json.dumps({"seconds": seconds, "peak": peak, "came_out": next(steps)}))


if __name__ == "__main__":
    main()
