"""The page on what the learner predicted and decided."""

from course_lib.lessons import progress
from course_lib.lessons.exercises import exercise
from course_lib.lessons.journal import Journal, note_decision
from course_lib.lessons.widgets import DecisionGuide, Guess


def test_the_page_says_what_was_done_in_words_and_as_text():
    assert repr(Journal()).count("nothing yet") == 4
    Guess("03-task-performance/sql", "Share?").answer("sql", "0.5")
    card = Guess("06-cost-and-efficiency/best", "Which?", options=["few-shot", "fine-tuned"])
    card.answer("best", 0)
    card.answer("best", 1)
    guide = DecisionGuide()
    first = guide.questions[0]
    guide.answer(first["id"], 0)
    note_decision("<b>mails</b>", "Recommended: word counts.\nMore.")
    exercise("06-cost-and-efficiency/payback").check("many", None)
    text, page = repr(Journal()), Journal()._repr_html_()
    for said in (
        "03 sql",
        "Your guess: 0.5",
        "Your guess: fine-tuned",
        first["options"][0],
        "Recommended: word counts.",
    ):
        assert said in text
    assert "few-shot" not in text
    assert "More." not in text
    assert "(not yet right)" in text
    assert "<b>" not in page
    assert "&lt;b&gt;mails" in page


def test_an_empty_entry_is_ignored():
    progress.append("03-task-performance/predict/sql", reset=True)
    assert repr(Journal()).count("nothing yet") == 4
