"use strict";
(() => {
  const form = document.querySelector(".filters");
  if (!form) return;
  const PAGE = 500;
  const body = document.querySelector(".runs tbody");
  const more = document.getElementById("more");
  const wanted = ["notebook", "status"].map((name) => [name, document.getElementById(name)]);
  // A run with its row; those of older runs are made when they are to be seen.
  const runs = [...body.rows].map((row) => ({ notebook: row.dataset.notebook, status: row.dataset.status, row }));
  const model = runs[0].row.cloneNode(true);
  let pages = 1;

  const part = (parent, tag, text, css) => {
    const made = parent.appendChild(document.createElement(tag));
    made.textContent = text;
    if (css) made.className = css;
    return made;
  };
  const link = (cell, address, word, label) => {
    if (!address) return;
    const made = part(cell, "a", word);
    made.href = address;
    made.setAttribute("aria-label", label);
    cell.append(" ");
  };
  const drawn = (run) => {
    const row = model.cloneNode(true);
    const cell = (name) => row.querySelector(name);
    row.dataset.notebook = run.notebook;
    row.dataset.status = run.status;
    cell("time").dateTime = run.iso;
    cell("time").textContent = run.started;
    cell("th").textContent = run.notebook;
    cell(".verdict").innerHTML = run.badge; // the kit's own markup, escaped where it was made
    cell(".took").textContent = run.took;
    cell(".finding").textContent = run.sentence || "–";
    if (run.parameters.length) {
      const list = part(cell(".finding"), "span", "", "parameters");
      for (const [name, value] of run.parameters) {
        part(list, "span", `${name} = ${value}`);
        list.append(" ");
      }
    }
    if (run.remarks.length) part(cell(".finding"), "span", run.remarks.join("; "), "remarks");
    cell(".files").replaceChildren();
    link(cell(".files"), run.html, "report", `Report of ${run.notebook}, ${run.started}`);
    link(cell(".files"), run.ipynb, "ipynb", `Notebook of ${run.notebook}, ${run.started}`);
    return row;
  };

  const apply = () => {
    const found = runs.filter((run) => wanted.every(([name, select]) => !select.value || run[name] === select.value));
    const shown = found.slice(0, pages * PAGE);
    body.replaceChildren(...shown.map((run) => (run.row ??= drawn(run))));
    const all = shown.length === runs.length;
    document.getElementById("count").textContent = all ? "" : `${shown.length} of ${runs.length} shown`;
    if (more) more.hidden = shown.length === found.length;
  };
  form.addEventListener("change", () => {
    pages = 1;
    apply();
  });

  const unpack = async () => {
    const packed = document.getElementById("older");
    if (!packed) return;
    const bytes = Uint8Array.from(atob(packed.textContent), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const [names, rows] = await new Response(stream).json();
    for (const row of rows) runs.push(Object.fromEntries(names.map((name, i) => [name, row[i]])));
    document.getElementById("unpacked").hidden = true;
    more.addEventListener("click", () => {
      pages += 1;
      apply();
    });
    apply();
  };

  // The page may have been made long ago: whether a run was missed is seen by the reader's own clock.
  const spoken = (minutes) =>
    minutes < 60 ? `${minutes} min` : minutes < 2880 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1440)} d`;
  const late = () => {
    for (const next of document.querySelectorAll(".next")) {
      const missed = Date.now() > Date.parse(next.dataset.due);
      next.closest("li").classList.toggle("late", missed);
      next.querySelector(".waiting").hidden = missed;
      next.querySelector(".missed").hidden = !missed;
      next.querySelector(".ago").textContent = spoken(Math.floor((Date.now() - Date.parse(next.dataset.since)) / 60000));
    }
  };

  form.hidden = false;
  apply(); // a browser may have kept the choice over a reload
  late();
  setInterval(late, 30000);
  unpack().catch(() => {}); // an old browser: the page says what it needs
})();
