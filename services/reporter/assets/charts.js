// Charts over uPlot, for the live page and for the report. A chart follows the
// width of its place and the colour scheme; times are shown in UTC.
"use strict";
const charts = (() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const utc = (t) => uPlot.tzDate(new Date(t * 1e3), "Etc/UTC");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
  const two = (n) => String(n).padStart(2, "0");
  const number = (digits) => {
    const f = new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
    return (v) => (v == null ? "" : f.format(v).replace("-", "−"));
  };
  const hour = (t) => {
    if (t == null) return "";
    const d = new Date(t * 1e3);
    return `${days[d.getUTCDay()]} ${d.getUTCDate()} ${months[d.getUTCMonth()]} ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`;
  };

  const axis = (more) => ({
    stroke: colour("soft"),
    font: '12px ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif',
    labelFont: '12px ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif',
    labelGap: 2,
    grid: { stroke: colour("grid"), width: 1 },
    ticks: { stroke: colour("rule"), width: 1, size: 5 },
    ...more,
  });

  // A day under its first hour; hours only where there is room for them.
  const times = (u, splits, _, __, step) =>
    splits.map((t) => {
      const d = new Date(t * 1e3);
      if (d.getUTCHours() === 0 && d.getUTCMinutes() === 0) return `${days[d.getUTCDay()]} ${d.getUTCDate()} ${months[d.getUTCMonth()]}`;
      return step >= 86400 ? "" : `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`;
    });

  const bars = { paths: (...a) => uPlot.paths.bars({ size: [0.86, 200], gap: 1 })(...a) };

  // A value between two gaps has no line: it is shown as a point.
  const alone = (u, i) => {
    const y = u.data[i];
    return y.flatMap((v, n) => (v != null && y[n - 1] == null && y[n + 1] == null ? [n] : []));
  };

  // Counts have no fractions, and the first and the last bar are whole.
  const steps = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9].flatMap((p) => [p, 2 * p, 5 * p]);
  const whole = (u, low, high) => {
    const x = u.data[0];
    const half = x.length > 1 ? (x[1] - x[0]) / 2 : 1800;
    return [low - half, high + half];
  };

  // draw makes a chart in host and keeps it in shape. build(width) gives uPlot's
  // options afresh, so that colours follow the scheme; data is [x, ...ys].
  function draw(host, build, data) {
    let plot = null;
    const make = () => {
      if (plot) plot.destroy();
      plot = new uPlot(build(host.clientWidth), data, host);
    };
    make();
    dark.addEventListener("change", make);
    new ResizeObserver(() => {
      const width = host.clientWidth;
      if (width > 0 && width !== plot.width) plot.setSize({ width, height: plot.height });
    }).observe(host);
    return (next) => {
      data = next;
      plot.setData(next);
    };
  }

  // x and y are the axes' titles, with units. series: [{label, colour, width,
  // bars, digits, unit}], one for each y. An x that is no time has its ticks at
  // splits(width) with the words of ticks(), and its points named by name().
  function plot(host, { time, x, y, series, height = 260, splits, ticks, name, from, to }, data) {
    const counts = series.every((s) => s.bars);
    return draw(host, (width) => ({
      width,
      height,
      padding: [12, 24, 0, 0],
      tzDate: utc,
      cursor: { y: false, drag: { x: true, y: false }, points: { size: 7 } },
      scales: {
        x: { time: !!time, ...(from !== undefined ? { range: [from, to] } : time && counts ? { range: whole } : {}) },
        y: { range: (u, low, high) => (low == null ? [0, 1] : uPlot.rangeNum(Math.min(0, low), Math.max(high, low + 1), { min: { pad: 0.08, soft: 0, mode: 1 }, max: { pad: 0.08 } })) },
      },
      axes: [
        axis({
          label: x, labelSize: 18, size: 30,
          ...(time ? { space: width < 500 ? 64 : 84, values: times } : {}),
          ...(splits ? { splits: (u) => splits(u.width), values: ticks } : {}),
        }),
        axis({ label: y, labelSize: 18, size: 56, ...(counts ? { incrs: steps } : {}), values: (u, v) => v.map((n) => number(n % 1 ? 1 : 0)(n)) }),
      ],
      series: [
        time ? { label: "", value: (u, v) => hour(v) } : { label: "", value: (u, v) => (v == null ? "" : name(v)) },
        ...series.map((s) => ({
          label: s.label,
          stroke: colour(s.colour),
          fill: s.bars ? colour(s.colour) : undefined,
          width: s.bars ? 0 : s.width,
          points: s.bars ? { show: false } : { show: true, size: 5, stroke: colour(s.colour), fill: colour(s.colour), filter: alone },
          value: (u, v) => number(s.digits ?? 1)(v) + (s.unit && v != null ? " " + s.unit : ""),
          ...(s.bars ? bars : {}),
        })),
      ],
    }), data);
  }

  return { plot, hour, number };
})();
