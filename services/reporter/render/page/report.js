// Draws the pictures of the report from its data block. Each has a table beside
// it with the same figures.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const unit = data.unit;
  const places = (name) => document.querySelectorAll(`[data-chart="${name}"]`);

  // A picture in a closed part of the page is drawn when the part is opened.
  const when = (host, make) => {
    const closed = host.closest("details:not([open])");
    if (closed) closed.addEventListener("toggle", make, { once: true });
    else make();
  };

  // n counts between n+1 edges, side by side whatever their widths.
  const histogram = (host, h, label, y, colour) => {
    const n = h.counts.length;
    const at = h.counts.map((_, i) => i);
    const edge = (v) => (Number.isInteger(v + 0.5) ? (h.edges[v + 0.5] ?? "") : "");
    charts.plot(host, {
      x: label, y, height: 230, from: -0.5, to: n - 0.5,
      splits: (width) => {
        const step = Math.max(1, Math.ceil((n + 1) / Math.max(2, Math.floor(width / 72))));
        return Array.from({ length: n + 1 }, (_, i) => i - 0.5).filter((_, i) => i % step === 0);
      },
      ticks: (u, list) => list.map(edge),
      name: (v) => `${h.edges[v]} to ${h.edges[v + 1]}`,
      series: [{ label: y, colour, bars: true, digits: 0 }],
    }, [at, h.counts]);
  };

  const answers = [
    { label: "Batch, every event", colour: "batch", width: 4.5, unit },
    { label: "Stream, final rows", colour: "stream", width: 2.25, unit },
    { label: "Truth, from the ledger", colour: "truth", width: 1, unit },
  ];
  for (const host of places("means")) {
    const v = data.views[host.dataset.index];
    when(host, () => charts.plot(host, {
      time: true, x: "Start of the window, UTC", y: `Mean of the window, ${unit}`, height: 340, series: answers,
    }, [v.start, v.batch, v.stream, v.truth]));
  }
  for (const host of places("sofar")) {
    const v = data.views[host.dataset.index];
    when(host, () => charts.plot(host, {
      time: true, x: "Start of the window, UTC", y: `Mean up to here, ${unit}`, height: 260, series: answers,
    }, [v.start, v.so_far.batch, v.so_far.stream, v.so_far.truth]));
  }
  for (const host of places("late")) {
    const v = data.views[host.dataset.index];
    when(host, () => charts.plot(host, {
      time: true, x: "Start of the window, UTC", y: `Late ${data.nouns}`, height: 200,
      series: [{ label: `Late ${data.nouns}`, colour: "late", bars: true, digits: 0 }],
    }, [v.start, v.late]));
  }
  for (const host of places("hour")) {
    const h = data.views[host.dataset.index].hour;
    when(host, () => histogram(host, { counts: h, edges: [...h.keys(), h.length].map((i) => String(i).padStart(2, "0")) },
      "Hour of the day, UTC", `Late ${data.nouns}`, "late"));
  }
  for (const host of places("beyond")) {
    const h = data.views[host.dataset.index].beyond;
    when(host, () => histogram(host, h, "Too late by, in event time", `Late ${data.nouns}`, "late"));
  }
  for (const host of places("latency")) {
    const h = data.latency[host.dataset.index];
    when(host, () => histogram(host, h, "Latency", "Rows", "stream"));
  }
})();
