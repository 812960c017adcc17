"""Progress: kept at once, whole, and never overwritten."""

import json
import multiprocessing
import os
import random
import signal
import time

import pytest

from course_lib.__main__ import main
from course_lib.lessons import progress
from course_lib.lessons.progress_summary import summary
from course_lib.lessons.widgets import ProgressPanel, Quiz

KILLS = 100


def test_an_entry_is_on_the_disk_when_append_returns(tmp_path):
    progress.append("lesson/quiz/a", answer="é\u2028", right=True)
    kept = json.loads((tmp_path / "progress.json").read_text(encoding="utf-8"))
    assert kept["entries"]["lesson/quiz/a"][0]["answer"] == "é\u2028"
    assert progress.entries("lesson/quiz") == kept["entries"]
    assert progress.entries("other") == {}


def test_a_damaged_file_is_set_aside_and_named(tmp_path, capsys):
    path = tmp_path / "progress.json"
    for damage in ('{"entries": {', "[]", '{"entries": {"a": [{"time": "x"}]}}', "\x00"):
        path.write_text(damage)
        progress.append("lesson/quiz/a", answer=1)
        (aside,) = tmp_path.glob("progress.json.damaged-*")
        assert aside.read_text() == damage
        assert f"It is kept as {aside.name}" in capsys.readouterr().err
        assert len(progress.entries()["lesson/quiz/a"]) == 1
        aside.unlink()


def _answer_many(name: str, times: int) -> None:
    for number in range(times):
        progress.append(f"lesson/quiz/{name}", answer=number)


def test_two_notebooks_at_once_lose_nothing():
    context = multiprocessing.get_context("spawn" if os.name == "nt" else "fork")
    both = [context.Process(target=_answer_many, args=(name, 50)) for name in "ab"]
    for process in both:
        process.start()
    for process in both:
        process.join()
    kept = progress.entries()
    for name in "ab":
        assert [entry["answer"] for entry in kept[f"lesson/quiz/{name}"]] == list(range(50))


def _answer_until_killed(accepted) -> None:
    card = Quiz("01-why-fine-tune")
    number = 0
    while True:
        card.answer("primary-benefit", number % 4)
        os.write(accepted, b".")  # the learner has seen the feedback
        number += 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_kill_at_any_moment_loses_no_accepted_answer(tmp_path, fault):
    """What stands in a kernel while it answers is killed a hundred times, each time at another moment."""
    key, dice, total = "01-why-fine-tune/quiz/primary-benefit", random.Random(0), 0
    for _ in range(KILLS):
        (tmp_path / "progress.json").unlink(missing_ok=True)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _answer_until_killed(writing)
        os.close(writing)
        os.read(reading, 1)  # it has begun
        time.sleep(dice.uniform(0, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        accepted = 1
        while seen := os.read(reading, 65536):
            accepted += len(seen)
        os.close(reading)
        with fault:
            kept = progress.entries()[key]
            # One more may have reached the disk than the learner was told of, never one less.
            assert accepted <= len(kept) <= accepted + 1
            assert [entry["answer"] for entry in kept] == [number % 4 for number in range(len(kept))]
        total += accepted
    assert not list(tmp_path.glob("progress.json.damaged-*"))
    print(f"{KILLS} kills, {total} accepted answers, 0 lost")


def test_a_download_restores_what_is_missing_and_nothing_twice(tmp_path, monkeypatch):
    Quiz("01-why-fine-tune").answer("primary-benefit", 1)
    text = progress.as_text(progress.entries())
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "other.json"))
    Quiz("01-why-fine-tune").answer("share-trained", "0.6")
    panel = ProgressPanel()
    panel.restore(text)
    assert panel.said.startswith("1 entries restored")
    panel.restore(text)
    assert panel.said.startswith("0 entries restored")
    assert Quiz("01-why-fine-tune").summary == "2 of 6 right"
    panel.restore("<html>")
    assert "not a progress file" in panel.said
    assert ["01-why-fine-tune", "2 of 6"] in [row[:2] for row in panel.rows]
    assert "2 of 6" in panel._repr_mimebundle_()[0]["text/html"]


def test_minutes_leave_out_what_is_longer_than_a_pause():
    at = ("10:00:00", "10:06:00", "10:08:00", "11:30:00", "11:34:00")  # 8 minutes, a long pause, 4 minutes
    kept = [{"time": f"2026-01-01T{time}+00:00"} for time in at]
    entries = {"00-start-here/quiz/a": kept[::2], "00-start-here/exercise/b": kept[1::2]}
    assert summary(entries)["minutes"].to_dict() == dict.fromkeys(summary({}).index, 0) | {"00-start-here": 12}


def test_what_learners_hand_in_becomes_one_table(tmp_path, capsys):
    Quiz("01-why-fine-tune").answer("primary-benefit", 1)
    ada = tmp_path / "ada.json"
    ada.write_text(progress.as_text(progress.entries()))
    (tmp_path / "bob.json").write_text("not his progress")
    table = tmp_path / "table.csv"
    assert main(["progress", "export", str(ada), str(tmp_path / "bob.json"), "--to", str(table)]) == 1
    assert "bob.json: This is not a progress file" in capsys.readouterr().err
    lines = table.read_text().splitlines()
    assert lines[0] == "lesson,quiz,exercises,predictions,minutes,file"
    assert f"01-why-fine-tune,1 of 6,0 of 1,0,0,{ada}" in lines
    before = ada.read_bytes()
    for target, said in ((ada, "File exists"), (tmp_path / "none" / "table.csv", "cannot be written")):
        assert main(["progress", "export", str(ada), "--to", str(target)]) == 1
        error = capsys.readouterr().err
        assert said in error
        assert "nothing is overwritten: give the table another name" in error
    assert ada.read_bytes() == before


def test_the_name_of_a_file_that_was_handed_in_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Quiz("01-why-fine-tune").answer("primary-benefit", 1)
    (tmp_path / "=1+1.json").write_text(progress.as_text(progress.entries()))
    assert main(["progress", "export", "=1+1.json", "--to", "table.csv"]) == 0
    assert (tmp_path / "table.csv").read_text().splitlines()[1].endswith(",'=1+1.json")
