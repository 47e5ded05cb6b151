// Shows the run as its state arrives. Each event is the whole state; everything
// is put in as text.
"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const put = (id, text) => {
    const e = at(id);
    if (e.textContent !== text) e.textContent = text;
  };
  const whole = charts.number(0);
  const mean = (v) => charts.number(Math.abs(v) > 0 && Math.abs(v) < 1 ? 3 : 1)(v);
  const ms = (v) => (Math.abs(v) < 1000 ? `${whole(v)} ms` : `${charts.number(1)(v / 1000)} s`);
  const order = ["starting", "streaming", "batch", "verdict", "done"];

  let reached = -1; // the step at which a failed run stopped; −1: not seen
  let unit = "";
  let chart = null;

  function phase(live) {
    const failed = live.phase === "failed";
    if (!failed) reached = Math.max(0, order.indexOf(live.phase));
    else if (live.outcome || reached < 0) reached = order.length - 1;
    document.querySelector(".steps").classList.toggle("failed", failed);
    document.querySelectorAll(".steps li").forEach((li, i) => {
      li.classList.toggle("past", i < reached);
      li.classList.toggle("now", i === reached);
      if (i === reached) li.setAttribute("aria-current", "step");
      else li.removeAttribute("aria-current");
    });
  }

  function answer(side, a) {
    document.querySelector(".answer." + side).classList.toggle("waiting", !a);
    if (!a) return;
    put(side + "-mean", mean(a.mean));
    put(side + "-of", `mean of ${whole(a.count)} events`);
  }

  function rows(id, list) {
    const body = at(id);
    while (body.rows.length > list.length) body.deleteRow(-1);
    list.forEach((texts, i) => {
      const row = body.rows[i] ?? body.insertRow();
      texts.forEach((text, c) => {
        const cell = row.cells[c] ?? row.insertCell();
        if (c > 0 && /^[−\d–]/.test(text) && !/:/.test(text)) cell.className = "num";
        if (cell.textContent !== text) cell.textContent = text;
      });
    });
  }

  function draw(windows) {
    const data = [
      windows.map((w) => w.start / 1e6),
      windows.map((w) => w.batch),
      windows.map((w) => w.stream),
    ];
    if (chart) return chart(data);
    if (windows.length < 2) return;
    chart = charts.plot(at("means"), {
      time: true, x: "Start of the window, UTC", y: unit ? `Mean of the window, ${unit}` : "Mean of the window", height: 300,
      series: [
        { label: "Batch, every event", colour: "batch", width: 3.5, unit },
        { label: "Stream, final rows", colour: "stream", width: 2.25, unit },
      ],
    }, data);
  }

  function show(live) {
    unit = live.unit;
    document.querySelectorAll("[data-unit]").forEach((e) => { e.textContent = unit; });
    phase(live);
    put("run", live.run ? "run " + live.run : "");
    put("elapsed", ms(live.elapsed_ms));
    put("note", live.note);
    put("view", live.view);
    at("so-far").hidden = live.phase !== "starting" && live.phase !== "streaming";
    answer("stream", live.stream);
    answer("batch", live.batch);
    const t = live.totals;
    for (const name of ["generated", "counted", "late", "duplicates", "dead_letters"]) put(name, whole(t[name]));
    put("progress", t.expected ? `${whole(t.generated)} of ${whole(t.expected)} events sent` : `${whole(t.generated)} events sent`);
    at("done").style.width = t.expected ? `${Math.min(100, (100 * t.generated) / t.expected)}%` : "0";
    put("p50", live.latency ? ms(live.latency.p50_ms) : "–");
    put("p99", live.latency ? ms(live.latency.p99_ms) : "–");
    const text = (v) => (v == null ? "–" : mean(v));
    const windows = live.windows ?? [];
    draw(windows);
    rows("windows", windows.slice(-24).reverse().map((w) => [charts.hour(w.start / 1e6), text(w.stream), text(w.batch)]));
    rows("views", (live.views ?? []).map((v) => [v.name, v.words, ...[v.rows, v.early, v.retracted, v.late].map(whole)]));
    rows("partitions", (live.partitions ?? []).map((p) => [String(p.id), p.watermark == null ? "none yet" : charts.hour(p.watermark / 1e6), whole(p.lag)]));
    const o = live.outcome;
    at("outcome").hidden = !o;
    if (o) {
      at("outcome").className = "verdict " + (o.explained ? "good" : "bad");
      put("outcome-word", o.explained ? "✓ Verdict: explained" : o.unexplained ? `✗ Verdict: ${whole(o.unexplained)} unexplained` : o.damaged ? "✗ Verdict: damaged" : "✗ Not compared");
      put("outcome-sentence", o.sentence);
      at("report").hidden = !o.report;
      document.title = (o.explained ? "✓" : "✗") + " Parallax";
    }
  }

  const state = (name, text) => {
    at("link").dataset.state = name;
    put("link", text);
  };
  const events = new EventSource("events");
  events.onopen = () => state("live", "live");
  events.onerror = () => state("lost", "the run has ended or cannot be reached");
  events.onmessage = (e) => show(JSON.parse(e.data));
})();
