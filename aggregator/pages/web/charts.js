// The charts, drawn by uPlot. One object per chart: show() draws or redraws it.

const axisTimes = [
  // step, format, then what the first label of a new year, month or day shows
  [31536000, "{YYYY}", null, null, null, null, null, null, 1],
  [2419200, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [86400, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [3600, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
  [60, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// A value without neighbours has no visible line, so it is drawn as a point.
function lonePoints(plot, series) {
  const values = plot.data[series];
  const missing = (i) => values[i] === null || values[i] === undefined;
  const lone = [];
  for (let i = 0; i < values.length; i++) {
    if (!missing(i) && missing(i - 1) && missing(i + 1)) lone.push(i);
  }
  return lone;
}

// Draws diagonal lines over the time for which the data is incomplete.
function drawHatching(plot, hatched) {
  if (!hatched) return;
  const { ctx, bbox } = plot;
  const clamp = (x) => Math.min(Math.max(x, bbox.left), bbox.left + bbox.width);
  const left = clamp(plot.valToPos(hatched[0], "x", true));
  const right = clamp(plot.valToPos(hatched[1], "x", true));
  if (right - left < 1) return;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, bbox.top, right - left, bbox.height);
  ctx.clip();
  ctx.strokeStyle = colour("quiet");
  ctx.globalAlpha = 0.35;
  ctx.beginPath();
  for (let x = left - bbox.height; x < right; x += 9 * devicePixelRatio) {
    ctx.moveTo(x, bbox.top + bbox.height);
    ctx.lineTo(x + bbox.height, bbox.top);
  }
  ctx.stroke();
  ctx.restore();
}

export class Chart {
  // zoom(from, to): the user dragged over this range, in seconds
  constructor(place, title, format, zoom) {
    this.place = place;
    this.title = title;
    this.format = format;
    this.zoom = zoom;
    this.plot = null;
    this.shape = "";
    place.setAttribute("role", "img");
    new ResizeObserver(() => this.resize()).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.shape = "";
      if (this.last) this.show(this.last);
    });
  }

  size() {
    return { width: Math.max(260, this.place.clientWidth), height: 210 };
  }

  resize() {
    if (this.plot && this.plot.width !== this.size().width) this.plot.setSize(this.size());
  }

  // drawing: {xs, lines: [{label, colour, values, fill?}], range: [min, max], hatched: [from, to] or null,
  //   times: the range in words}. Times are Unix seconds; a null value is unknown.
  show(drawing) {
    this.last = drawing;
    this.range = drawing.range;
    this.hatched = drawing.hatched;
    this.describe(drawing);
    const { xs, lines } = drawing;
    const shape = lines.map((line) => line.label).join(",");
    const data = [xs, ...lines.map((line) => line.values)];
    if (this.plot && shape === this.shape) {
      this.plot.setData(data);
      return;
    }
    this.shape = shape;
    if (this.plot) this.plot.destroy();
    this.place.replaceChildren();
    this.plot = new uPlot(this.options(lines), data, this.place);
  }

  // For people who cannot see the chart, and for tests.
  describe({ xs, lines, hatched, times }) {
    const parts = lines.map(({ label, values }) => {
      const known = values.filter((value) => value !== null);
      if (known.length === 0) return `${label}: nothing`;
      return `${label}: lowest ${this.format(Math.min(...known))}, highest ${this.format(Math.max(...known))}, last ${this.format(known[known.length - 1])}`;
    });
    this.place.setAttribute("aria-label", `${this.title}, ${times}. ${parts.join("; ") || "Nothing is known"}.`);
    this.place.dataset.steps = xs.length ? `${xs[0]},${xs[xs.length - 1]}` : "";
    this.place.dataset.hatched = hatched ? hatched.join(",") : "";
  }

  options(lines) {
    const axis = { stroke: colour("quiet"), grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    return {
      ...this.size(),
      cursor: { sync: { key: "time" }, drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
      legend: { live: true },
      scales: { x: { time: true, range: () => this.range }, y: { range: (u, min, max) => [0, max > 0 ? max * 1.08 : 1] } },
      series: [
        { value: "{YYYY}-{MM}-{DD} {HH}:{mm}" },
        ...lines.map((line) => ({
          label: line.label,
          stroke: colour(line.colour),
          width: 1.5,
          fill: line.fill ? `${colour(line.colour)}26` : undefined,
          points: { show: false, filter: lonePoints, size: 5 },
          value: (u, value) => (value === null || value === undefined ? "–" : this.format(value)),
        })),
      ],
      axes: [
        { ...axis, values: axisTimes, space: 60 },
        { ...axis, size: 68, space: 30, values: (u, splits) => splits.map((value) => this.format(value)) },
      ],
      hooks: {
        drawClear: [(plot) => drawHatching(plot, this.hatched)],
        setSelect: [(plot) => {
          const { left, width } = plot.select;
          if (width < 5) return;
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          this.zoom(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
        }],
      },
    };
  }
}
