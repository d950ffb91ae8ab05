"use strict";
(() => {
  const figures = [...document.querySelectorAll("figure.figure")];
  if (!("DecompressionStream" in window) || !("IntersectionObserver" in window)) return;
  const root = document.documentElement;
  const inks = JSON.parse(document.getElementById("inks").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paperWidth = 680; // CSS pixels between the margins of an A4 page
  const narrow = 520;
  const config = {
    displaylogo: false,
    responsive: true,
    showSendToCloud: false,
    plotlyServerURL: "",
    modeBarButtonsToRemove: ["lasso2d", "select2d"],
  };
  const drawn = new Set();
  let inflating = null;

  const inflate = async () => {
    const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
    if (!window.Plotly) throw new Error("plotly.js did not start");
  };

  const merge = (base, over) => {
    const both = { ...base };
    for (const [key, value] of Object.entries(over)) {
      const nested = value && typeof value === "object" && !Array.isArray(value);
      both[key] = nested ? merge(both[key] ?? {}, value) : value;
    }
    return both;
  };

  // One that plotly cannot draw takes no other along; a line stands in its place.
  const draw = async (figure, ink, width) => {
    if (figure.classList.contains("broken")) return;
    drawn.add(figure);
    try {
      await plotted(figure, ink, width);
      figure.classList.add("drawn");
    } catch (error) {
      figure.classList.replace("drawn", "broken") || figure.classList.add("broken");
      figure.querySelector(".plot").replaceChildren();
      figure.querySelector(".undrawn").textContent = `This chart cannot be drawn: its data is malformed (${error.message}).`;
    }
  };

  const plotted = (figure, ink, width) => {
    const spec = JSON.parse(figure.querySelector(".figure-data").textContent);
    if (!Array.isArray(spec?.data)) throw new Error("no list of traces");
    const layout = spec.layout ?? {};
    const template = layout.template ?? {};
    layout.template = { ...template, layout: merge(template.layout ?? {}, ink) };
    layout.autosize = !width;
    delete layout.width;
    // On a phone the legend needs several lines and would run into the title, which the caption can say.
    const caption = figure.querySelector("figcaption");
    delete caption.dataset.title;
    if (!width && figure.clientWidth < narrow && layout.title?.text) {
      caption.dataset.title = layout.title.text;
      delete layout.title;
      layout.margin = { ...layout.margin, t: 24 };
    }
    if (width) layout.width = width;
    // WebGL traces compile code at run time, which the page's policy forbids.
    const data = spec.data.map((trace) => ({ ...trace, type: trace.type?.replace(/gl$/, "") }));
    const plot = figure.querySelector(".plot");
    return plot.data
      ? Plotly.react(plot, data, layout, config)
      : Plotly.newPlot(plot, data, layout, config);
  };

  const ink = () => (dark.matches ? inks.dark : inks.light);

  const drawSoon = async (figure) => {
    if (drawn.has(figure)) return;
    try {
      inflating ??= inflate();
      await inflating;
    } catch (error) {
      root.classList.remove("draws");
      console.error(error);
      return;
    }
    if (!drawn.has(figure)) await draw(figure, ink());
  };

  root.classList.add("draws");
  const near = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        near.unobserve(entry.target);
        drawSoon(entry.target);
      }
    },
    { rootMargin: "600px" },
  );
  figures.forEach((figure) => near.observe(figure));

  // Printing cannot wait for plotly.js, so the rest is drawn as soon as nothing else is going on.
  const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 300));
  const drawRest = async () => {
    const next = figures.find((figure) => !drawn.has(figure));
    if (!next) return;
    await drawSoon(next);
    if (drawn.has(next)) idle(drawRest);
  };
  addEventListener("load", () => idle(drawRest));

  const redraw = (mode, width) => {
    if (window.Plotly) figures.forEach((figure) => draw(figure, mode, width));
  };
  dark.addEventListener("change", () => redraw(ink()));
  addEventListener("beforeprint", () => redraw(inks.light, paperWidth));
  addEventListener("afterprint", () => redraw(ink()));
})();
