"""The lessons and their interactive parts as a person meets them: JupyterLab in a real browser.

All lessons are opened as they are committed. Three are run there from beginning to end, and used; the six others, which
nbval runs as well, take half an hour: `pytest -m long`.

Needs Chromium (Debian: apt-get install chromium; elsewhere name it in the environment variable CHROMIUM). Without it
these tests are skipped, except in continuous integration (CI=true), where they fail.
"""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from course_lib import load_task
from course_lib.lessons import guide
from course_lib.lessons.exercises import exercise
from course_lib.lessons.places import QUIZZES
from course_lib.lessons.quizzes import load_quiz
from course_lib.lessons.widgets import Quiz

COURSE = Path(__file__).parents[1]
expect.set_options(timeout=20_000)  # milliseconds: a busy machine answers late
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
LESSON = "01-why-fine-tune"
LESSONS = sorted((COURSE / "notebooks").glob("*.ipynb"))
OUTPUT = ".jp-OutputArea-output"
CELLS = [
    """from course_lib import start_session

start_session()

from course_lib.lessons.widgets import DecisionGuide, Guess, ProgressPanel, Quiz""",
    f'Quiz("{LESSON}")',
    'Guess("00-start-here/order", "In which order?", options=["zero-shot", "few-shot"], order=True)',
    """evil = "<img src=x onerror='window.hacked = true'><script>window.hacked = true</script>"
Quiz("evil", [{"id": kind, "heading": evil, "question": evil, "type": kind, "answers": [
    {"answer": evil, "correct": True, "feedback": evil}, {"type": "default", "answer": evil, "correct": False,
    "feedback": evil}]} for kind in ("multiple_choice", "many_choice", "string")])""",
    "import pandas as pd\npd.DataFrame({'price': ['from $5 to $7']})",
    "ProgressPanel()",
    "card = DecisionGuide()\ncard",
    "card.advice",
]


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM and not os.environ.get("CI"):
        pytest.skip("there is no chromium: the tests in a browser are left out")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab as `make lab` starts it, in a folder with the lessons and one small notebook; yields its address."""
    folder = tmp_path_factory.mktemp("lab")
    for path in LESSONS:
        shutil.copy(path, folder)
    settings = folder / "config" / "lab" / "user-settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')  # all cells are in the page
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "small.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex()
    environment = os.environ | {
        "COURSE_PROGRESS": str(folder / "progress.json"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_TOKEN": token,
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        for _ in range(120):
            time.sleep(0.5)
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={token}").close()
                break
            except OSError:
                continue
        yield f"http://127.0.0.1:{port}/lab/tree/small.ipynb?token={token}&reset", folder
    finally:
        server.terminate()
        server.wait()


def menu(page, name, entry):
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(f"^{name}$")).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{entry}$")).click()


def run_all(page):
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=60_000)
    menu(page, "Run", "Run All Cells")
    expect(page.get_by_role("region", name="Course progress")).to_be_visible(timeout=120_000)


def question(page, number):
    return page.get_by_role("region", name="Quiz").first.locator("fieldset").nth(number - 1)


def serious(page, within):
    """axe-core's serious and critical findings inside the course's own outputs."""
    found = Axe().run(page, context={"include": [[within]]}).response["violations"]
    return [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]


def in_both_themes(page, name, within=OUTPUT):
    """The serious findings in the light and in the dark theme; a screenshot of each is kept."""
    faults = []
    for theme, light in (("Light", "true"), ("Dark", "false")):
        page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Settings$")).click()
        page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Theme$")).hover()
        page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^JupyterLab {theme}$")).click()
        expect(page.locator("body")).to_have_attribute("data-jp-theme-light", light)
        time.sleep(1)
        faults += serious(page, within)
        screenshot(page, f"{name}-{theme.lower()}")
    return faults


def screenshot(page, name):
    folder = COURSE / "screenshots"
    folder.mkdir(exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")


def pictures(page):
    """The width of every picture in the outputs by its alternative text."""
    return [
        (one.get_attribute("alt"), one.evaluate("it => it.naturalWidth")) for one in page.locator(f"{OUTPUT} img").all()
    ]


def test_a_quiz_by_keyboard_survives_reload_and_restart(browser, lab):
    address, folder = lab
    page = browser.new_page(viewport={"width": 1200, "height": 2600})
    elsewhere = []
    page.on("request", lambda request: elsewhere.append(request.url))
    page.goto(address)
    page.wait_for_selector(".jp-Notebook")
    run_all(page)

    first = question(page, 1)
    radios = first.get_by_role("radio")
    assert len({radio.get_attribute("name") for radio in radios.all()}) == 1
    radios.first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")  # one tab stop a group: the next one is the button
    assert page.evaluate("document.activeElement.textContent") == "Check"
    page.keyboard.press("Enter")
    expect(first.get_by_role("status")).to_contain_text("Not yet. Fine-tuning keeps the size.")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowDown")
    expect(radios.nth(1)).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(first.get_by_role("status")).to_contain_text("Right. That is the point")
    expect(page.get_by_text("1 of 6 right")).to_be_visible()

    # An answer that is still being written stays while another one is judged.
    number = question(page, 4).get_by_role("textbox")
    number.fill("0.6")
    question(page, 5).get_by_role("checkbox").nth(1).check()
    question(page, 5).get_by_role("button").click()
    expect(question(page, 5).get_by_role("status")).to_contain_text("Not yet.")
    expect(number).to_have_value("0.6")
    number.press("Enter")
    expect(question(page, 4).get_by_role("status")).to_contain_text("Right.")

    order = page.get_by_role("region", name="Predict")
    order.get_by_role("combobox").nth(0).select_option("few-shot")
    order.get_by_role("combobox").nth(1).select_option("zero-shot")
    order.get_by_role("button", name="Commit").click()
    expect(order.get_by_text("Your guess: few-shot, then zero-shot")).to_be_visible()

    def still_there():
        expect(question(page, 1).get_by_role("radio").nth(1)).to_be_checked()
        expect(question(page, 1).get_by_role("status")).to_contain_text("Right.")
        expect(question(page, 4).get_by_role("textbox")).to_have_value("0.6")
        expect(page.get_by_text("2 of 6 right")).to_be_visible()
        expect(page.get_by_text("Your guess: few-shot, then zero-shot")).to_be_visible()

    menu(page, "File", "Save Notebook")
    page.reload()
    page.wait_for_selector(".jp-Notebook")
    still_there()  # the kernel lives on, so nothing need be run again
    menu(page, "Kernel", "Restart Kernel and Clear Outputs of All Cells…")
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    expect(page.get_by_role("region", name="Course progress")).to_have_count(0)
    run_all(page)
    still_there()

    kept = json.loads((folder / "progress.json").read_text())["entries"]
    assert [entry["right"] for entry in kept[f"{LESSON}/quiz/primary-benefit"]] == [False, True]

    # What a quiz file says is shown as text, and nothing of it runs.
    expect(page.get_by_text("<img src=x onerror=", exact=False).first).to_be_visible()
    evil = page.get_by_role("region", name="Quiz").nth(1)
    evil.get_by_role("radio").first.check()
    evil.get_by_role("button", name="Check").first.click()
    expect(evil.get_by_role("status").first).to_contain_text("<img src=x")
    assert page.evaluate("window.hacked") is None
    assert evil.locator("img, script").count() == 0
    # Nor is what stands between two dollar signs in a table a formula.
    expect(page.get_by_role("cell", name="from $5 to $7")).to_be_visible()

    with page.expect_download() as download:
        page.get_by_role("button", name="Download my progress").click()
    assert (
        json.loads(Path(download.value.path()).read_text())["entries"]
        == kept | json.loads((folder / "progress.json").read_text())["entries"]
    )
    page.get_by_label("Restore from a file").set_input_files(download.value.path())
    expect(page.get_by_text("0 entries restored")).to_be_visible()

    assert in_both_themes(page, "quiz", ".course-card") == []
    assert [
        url for url in elsewhere if not url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:"))
    ] == []
    page.close()


def test_the_decision_guide_by_keyboard_alone(browser, lab):
    address, folder = lab
    page = browser.new_page(viewport={"width": 1200, "height": 5000})
    page.goto(address)
    page.wait_for_selector(".jp-Notebook")
    run_all(page)
    card = page.get_by_role("region", name="Decision guide")
    asked = guide.questions()
    places = {"missing": 2, "examples": 3, "changes": 2}  # knowledge, several hundred, daily; of the rest the first
    card.get_by_role("radio").first.focus()
    for number, question in enumerate(asked):
        for _ in range(places.get(question["id"], 0)):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Answer"
        page.keyboard.press("Enter")
        fieldset = card.get_by_role("group", name=question["text"])
        expect(fieldset.get_by_role("status")).to_contain_text(f"Your answer: {chosen(question, places)}.")
        advice = card.locator(".foot").get_by_role("status")
        expect(advice).to_contain_text("Start with: retrieval. " if number + 1 == len(asked) else f"{number + 1} of 8")
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Start over"
    kept = json.loads((folder / "progress.json").read_text())["entries"]
    assert sum(key.startswith("08-choose-your-approach/decide/") for key in kept) == len(asked)

    run_all(page)  # the card is made anew, and the next cell shows the reasons, each with its lesson
    expect(page.get_by_role("link", name="lesson 07").first).to_be_visible()
    expect(page.get_by_text("What would change the advice:")).to_be_visible()
    expect(card.get_by_role("radio", checked=True)).to_have_count(len(asked))
    assert serious(page, ".course-card") == []
    page.close()


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_committed_lesson_is_whole_before_anything_is_run(browser, lab, path):
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    page.goto(lab[0].replace("small", path.stem))
    stored = [
        "".join(output["data"].get("text/html", ""))
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", [])
        if "data" in output
    ]
    expect(page.locator(f"{OUTPUT} img")).to_have_count(sum(html.count("<img") for html in stored))
    assert all(alt and width > 300 for alt, width in pictures(page))
    assert serious(page, OUTPUT) == []
    page.close()


def run_lesson(page, entry="Run All Cells"):
    """Run a lesson by an entry of the menu and wait until its last cell is done; no cell may show an error."""
    menu(page, "Run", entry)
    # By its attribute: to work out the roles of a whole page, again and again, would take time from the kernel.
    expect(page.locator("[aria-label='Course progress']")).to_be_visible(timeout=900_000)
    expect(page.locator(".jp-InputPrompt", has_text="[*]")).to_have_count(0, timeout=60_000)
    for kind in ("error", "stderr"):
        expect(page.locator(f"{OUTPUT}[data-mime-type='application/vnd.jupyter.{kind}']")).to_have_count(0)
    assert all(alt and width > 300 for alt, width in pictures(page))


def open_lesson(browser, lab, name, **context):
    page = browser.new_page(**context)
    page.goto(lab[0].replace("small", name))
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=60_000)
    return page


def answer_a_question(page):
    asked = page.get_by_role("region", name="Quiz").first.locator("fieldset")
    first = asked.filter(has=page.get_by_role("radio")).first
    first.get_by_role("radio").first.check()
    first.get_by_role("button").click()
    expect(first.get_by_role("status")).to_contain_text(re.compile("Right|Not yet"))


def solve_the_exercise(page, lesson):
    """Write the solution where the learner's answer belongs, and run the cell."""
    sources = [cell.source for cell in nbformat.read(COURSE / "notebooks" / f"{lesson}.ipynb", as_version=4).cells]
    source = next(source for source in sources if "answer = ..." in source)
    key = re.search(r'exercise\("(.+?)"\)', "\n".join(sources))[1]
    page.locator(".jp-CodeCell", has_text="answer = ...").locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.insert_text(source.replace("answer = ...", exercise(key).solution_code))
    page.keyboard.press("Shift+Enter")
    expect(page.get_by_text("Correct:")).to_be_visible()


@pytest.mark.long
def test_lesson_00_at_twice_the_size(browser, lab):
    page = open_lesson(browser, lab, "00-start-here", viewport={"width": 640, "height": 500}, device_scale_factor=2)
    run_lesson(page)
    guess = page.get_by_role("region", name="Predict").first
    guess.get_by_role("radio").first.check()
    guess.get_by_role("button", name="Commit").click()
    expect(guess.get_by_text("Your guess: zero-shot")).to_be_visible()
    answer_a_question(page)
    solve_the_exercise(page, "00-start-here")
    for card in page.locator(".course-card").all():
        assert card.evaluate("it => it.scrollWidth <= it.clientWidth"), "something is cut off at the right"
    screenshot(page, "00-start-here-at-twice-the-size")
    page.close()


@pytest.mark.long
@pytest.mark.parametrize("lesson", [path.stem for path in LESSONS if path.stem[:2] not in ("00", "06", "08")])
def test_every_other_lesson_run_and_used(browser, lab, lesson):
    page = open_lesson(browser, lab, lesson, viewport={"width": 1200, "height": 1000})
    run_lesson(page)
    guess = page.get_by_role("region", name="Predict").first
    for place, choice in enumerate(guess.get_by_role("combobox").all()):
        choice.select_option(index=place + 1)
    for number in guess.get_by_role("textbox").all():
        number.fill("0.5")
    for option in guess.get_by_role("radio").all()[:1]:
        option.check()
    guess.get_by_role("button", name="Commit").click()
    expect(guess.get_by_text("Your guess: ")).to_be_visible()
    answer_a_question(page)
    solve_the_exercise(page, lesson)
    assert in_both_themes(page, lesson) == []
    page.close()


@pytest.mark.long
def test_lesson_06_and_its_sliders(browser, lab):
    page = open_lesson(browser, lab, "06-cost-and-efficiency", viewport={"width": 1200, "height": 1000})
    run_lesson(page)
    answer_a_question(page)
    names = [
        "requests per day",
        "price of a million tokens read",
        "price of a million tokens written",
        "training, once",
    ]
    for name in (*names, "extra per day for the tuned model"):
        expect(page.get_by_role("slider", name=name, exact=True)).to_have_count(1)
    before = pictures(page)
    page.get_by_role("slider", name="requests per day").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "before => [...document.querySelectorAll('.jp-OutputArea-output img')].some(it => !before.includes(it.alt))",
        arg=[alt for alt, _ in before],
    )
    assert in_both_themes(page, "06-cost-and-efficiency") == []
    page.close()


def test_lesson_08_with_a_table_of_one_s_own(browser, lab, tmp_path):
    folder = lab[1]
    mine = load_task("town-notices").train.select(range(24)).to_pandas()
    mine.to_csv(tmp_path / "mine.csv", index=False)
    page = open_lesson(browser, lab, "08-choose-your-approach", viewport={"width": 1200, "height": 1000})
    reads = page.locator(".jp-CodeCell", has_text="if upload.value:")
    reads.click()
    menu(page, "Run", "Run All Above Selected Cell")
    for state in ("Busy", "Idle"):
        expect(page.get_by_text(f"Python 3 (ipykernel) | {state}")).to_be_visible(timeout=120_000)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a file").click()
    chooser.value.set_files(tmp_path / "mine.csv")
    expect(page.get_by_text("Choose a file (1)")).to_be_visible()
    reads.click()
    run_lesson(page, "Run Selected Cell and All Below")
    answer_a_question(page)
    made = {file.name for file in (folder / "my-decision").iterdir()}
    assert any(name.endswith(".html") for name in made)
    assert (folder / "my-decision" / "mine.csv").read_bytes() == (tmp_path / "mine.csv").read_bytes()
    assert in_both_themes(page, "08-choose-your-approach") == []
    page.close()


def chosen(question, places):
    return list(question["options"].values())[places.get(question["id"], 0)]


def test_stored_output_shows_html_of_a_quiz_as_text():
    evil = "<img src=x onerror=alert(1)>"
    answers = [{"answer": evil, "correct": True, "feedback": evil}]
    card = Quiz("evil", [{"id": "a", "question": evil, "type": "multiple_choice", "answers": answers}])
    assert "<img" not in card._repr_mimebundle_()[0]["text/html"]


@pytest.mark.parametrize("path", sorted(QUIZZES.glob("*.json")), ids=lambda path: path.stem)
def test_the_unmodified_package_jupyterquiz_shows_every_file(browser, path, monkeypatch):
    from jupyterquiz.dynamic import display

    shown = []
    monkeypatch.setattr(display, "display", shown.append)
    display.display_quiz(str(path), shuffle_answers=False)
    page = browser.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(error))
    html, javascript = (part.data for part in shown)
    page.set_content(f"{html}<script type='module'>{javascript}</script>")
    for asked in load_quiz(path.stem):
        expect(page.get_by_text(asked["question"])).to_be_visible()
    assert not faults
    page.close()
