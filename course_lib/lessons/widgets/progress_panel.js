// Course progress as a table, a button that downloads the file and one that restores it.

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function render({ model, el }) {
  const root = make("section", { class: "course-card", "aria-label": "Course progress", "data-lm-suppress-shortcuts": "true" });
  root.addEventListener("keydown", (event) => event.stopPropagation());
  const table = make("table", {});
  const said = make("p", { role: "status", "aria-live": "polite" });
  const download = make("button", { type: "button" }, "Download my progress");
  download.addEventListener("click", () => model.send({ download: true }));
  const file = make("input", { type: "file", accept: ".json,application/json" });
  file.addEventListener("change", async () => {
    if (file.files.length) model.send({ restore: await file.files[0].text() });
    file.value = "";
  });
  const wide = make("div", { class: "wide", role: "group", "aria-label": "The table", tabindex: "0" }, table);
  root.append(wide, download, make("label", { class: "field" }, make("span", {}, "Restore from a file"), file), said);

  function update() {
    const head = make("tr", {}, ...model.get("columns").map((text) => make("th", { scope: "col" }, text)));
    const rows = model.get("rows").map(([lesson, ...cells]) =>
      make("tr", {}, make("th", { scope: "row" }, lesson), ...cells.map((text) => make("td", {}, text))),
    );
    table.replaceChildren(make("caption", {}, "Course progress"), make("thead", {}, head), make("tbody", {}, ...rows));
    said.textContent = model.get("said");
  }
  function save(message) {
    if (!message.file) return;
    const link = make("a", { download: "progress.json", href: URL.createObjectURL(new Blob([message.file], { type: "application/json" })) });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // some browsers read it after the click
  }
  model.on("change:rows", update);
  model.on("change:said", update);
  model.on("msg:custom", save);
  update();
  el.append(root);
  return () => {
    model.off("change:rows", update);
    model.off("change:said", update);
    model.off("msg:custom", save);
  };
}

export default { render };
