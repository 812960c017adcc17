// A native slider over a list of values: a label, the range and the value beside it.

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "course-slider";
  root.dataset.lmSuppressShortcuts = "true";
  root.addEventListener("keydown", (event) => event.stopPropagation());
  const label = document.createElement("label");
  const range = document.createElement("input");
  const output = document.createElement("output");
  label.append(model.get("description"), range);
  range.type = "range";
  range.max = model.get("labels").length - 1;
  range.value = model.get("place");

  function show() {
    output.textContent = model.get("labels")[range.value];
    range.setAttribute("aria-valuetext", output.textContent);
  }
  range.addEventListener("input", show);
  range.addEventListener("change", () => {
    model.set("place", Number(range.value)); // once it is let go, or the picture could not follow
    model.save_changes();
  });
  show();
  root.append(label, output);
  el.append(root);
}

export default { render };
