"use strict";
(() => {
  const form = document.querySelector(".filters");
  if (!form) return;
  const rows = [...document.querySelectorAll(".runs tbody tr")];
  const wanted = ["notebook", "status"].map((name) => [name, document.getElementById(name)]);
  const apply = () => {
    for (const row of rows) {
      row.hidden = wanted.some(([name, select]) => select.value && row.dataset[name] !== select.value);
    }
    const shown = rows.filter((row) => !row.hidden).length;
    document.getElementById("count").textContent = shown === rows.length ? "" : `${shown} of ${rows.length} shown`;
  };
  form.hidden = false;
  form.addEventListener("change", apply);
  apply(); // a browser may have kept the choice over a reload
})();
