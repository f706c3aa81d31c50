// The charts, drawn by uPlot. One object per chart: show() draws or redraws.

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

// A value with none beside it has no line to be seen by: it is drawn as a point.
function lonePoints(plot, series) {
  const values = plot.data[series];
  const missing = (i) => values[i] === null || values[i] === undefined;
  const lone = [];
  for (let i = 0; i < values.length; i++) {
    if (!missing(i) && missing(i - 1) && missing(i + 1)) lone.push(i);
  }
  return lone;
}

export class Chart {
  constructor(place, format) {
    this.place = place;
    this.format = format;
    this.plot = null;
    this.shape = "";
    new ResizeObserver(() => this.resize()).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.shape = "";
      if (this.last) this.show(...this.last);
    });
  }

  size() {
    return { width: Math.max(260, this.place.clientWidth), height: 210 };
  }

  resize() {
    if (this.plot && this.plot.width !== this.size().width) this.plot.setSize(this.size());
  }

  // lines: [{label, colour, values, fill?}], range: [min, max] of x in seconds
  show(xs, lines, range, synced) {
    this.last = [xs, lines, range, synced];
    this.range = range;
    const shape = lines.map((line) => line.label).join(",");
    const data = [xs, ...lines.map((line) => line.values)];
    if (this.plot && shape === this.shape) {
      this.plot.setData(data);
      return;
    }
    this.shape = shape;
    if (this.plot) this.plot.destroy();
    const axis = { stroke: colour("quiet"), grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const options = {
      ...this.size(),
      cursor: { sync: { key: synced }, drag: { x: false, y: false }, points: { size: 6 } },
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
        { ...axis, size: 68, space: 38, values: (u, splits) => splits.map((value) => this.format(value)) },
      ],
    };
    this.place.replaceChildren();
    this.plot = new uPlot(options, data, this.place);
  }
}
