// A card of questions. Native controls only: radios that share a name, checkboxes, inputs, a button; each question
// is a fieldset with a legend, its feedback a live region. Everything shown is set as text, never as HTML.
// The kernel judges: the card sends {id, answer} and shows what comes back in the trait `state`.

let cards = 0;

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Each kind of question: its controls, the answer they hold (null: none yet), and how to show a given answer.
const kinds = {
  choice(question, name) {
    return options(question, name, "radio", {
      read: (inputs) => inputs.findIndex((input) => input.checked),
      isEmpty: (answer) => answer < 0,
      show: (inputs, answer) => inputs.forEach((input, place) => (input.checked = place === answer)),
    });
  },
  several(question, name) {
    return options(question, name, "checkbox", {
      read: (inputs) => inputs.flatMap((input, place) => (input.checked ? [place] : [])),
      isEmpty: (answer) => answer.length === 0,
      show: (inputs, answer) => inputs.forEach((input, place) => (input.checked = (answer ?? []).includes(place))),
    });
  },
  order(question, name) {
    const selects = question.options.map((_, place) =>
      make("select", { name: `${name}-${place}` }, make("option", { value: "" }, "choose"), ...question.options.map((text, number) => make("option", { value: number }, text))),
    );
    const rows = selects.map((select, place) => make("label", { class: "field" }, make("span", {}, `Place ${place + 1}`), select));
    return {
      node: make("div", {}, ...rows),
      read: () => (selects.every((select) => select.value) ? selects.map((select) => Number(select.value)) : null),
      show: (answer) => selects.forEach((select, place) => (select.value = answer?.[place] ?? "")),
    };
  },
  number: (question, name) => field(name, "Your answer, a number", { inputmode: "decimal" }),
  text: (question, name) => field(name, "Your answer", {}),
};

function options(question, name, type, { read, isEmpty, show }) {
  const inputs = question.options.map(() => make("input", { type, name }));
  const rows = question.options.map((text, place) => make("label", { class: "option" }, inputs[place], make("span", {}, text)));
  return {
    node: make("div", {}, ...rows),
    read: () => (isEmpty(read(inputs)) ? null : read(inputs)),
    show: (answer) => show(inputs, answer),
  };
}

function field(name, caption, attributes) {
  const input = make("input", { type: "text", name, autocomplete: "off", ...attributes });
  return {
    node: make("label", { class: "field" }, make("span", {}, caption), input),
    read: () => input.value.trim() || null,
    show: (answer) => (input.value = answer ?? ""),
  };
}

function render({ model, el }) {
  const card = ++cards;
  const root = make("section", { class: "course-card", "aria-label": model.get("title") });
  // JupyterLab's shortcuts (arrow keys move between cells) must not act on a key that is meant for a control.
  root.setAttribute("data-lm-suppress-shortcuts", "true");
  root.addEventListener("keydown", (event) => event.stopPropagation());
  root.append(make("p", { class: "title" }, model.get("title")));

  const several = model.get("questions").length > 1;
  const questions = model.get("questions").map((question, place) => {
    const control = kinds[question.kind](question, `card${card}-question${place}`);
    const feedback = make("p", { class: "feedback", role: "status", "aria-live": "polite" });
    const button = make("button", { type: "submit" }, model.get("button"));
    const form = make("form", {}, make("fieldset", {}, make("legend", {}, several ? `${place + 1}. ${question.text}` : question.text), control.node, button, feedback));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const answer = control.read();
      if (answer === null) {
        feedback.className = "feedback";
        feedback.textContent = "Choose or write an answer first.";
      } else {
        feedback.className = "feedback";
        feedback.textContent = "Waiting for the kernel. If this stays, run this cell again and then answer.";
        model.send({ id: question.id, answer });
      }
    });
    root.append(form);
    return { question, control, feedback };
  });

  const summary = make("p", { class: "summary", role: "status", "aria-live": "polite" });
  const reset = make("button", { type: "button", class: "quiet" }, "Start over");
  reset.addEventListener("click", () => model.send({ reset: true }));
  root.append(make("div", { class: "foot" }, summary, reset));

  const shown = {};
  function update() {
    const state = model.get("state");
    for (const { question, control, feedback } of questions) {
      const given = state[question.id];
      if (JSON.stringify(given) === shown[question.id]) continue; // an answer still being written stays
      shown[question.id] = JSON.stringify(given);
      control.show(given?.answer);
      feedback.className = `feedback ${given?.verdict ?? ""}`;
      feedback.textContent = given?.feedback ?? "";
    }
    summary.textContent = model.get("summary");
  }
  model.on("change:state change:summary", update);
  update();
  el.append(root);
  return () => model.off("change:state change:summary", update);
}

export default { render };
