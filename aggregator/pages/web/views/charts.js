// Requests, bandwidth and request times over the range.
import { iso } from "../address.js";
import { Chart } from "../charts.js";
import { bits, millis, rate, time } from "../format.js";
import { element } from "../table.js";

const classes = [["2xx", "class-2"], ["3xx", "class-3"], ["4xx", "class-4"], ["5xx", "class-5"], ["1xx", "class-1"], ["other", "class-0"]];
let charts = null;

function build(place, choose) {
  // Whole minutes, because windows are not split.
  const zoom = (from, to) => choose({ from: iso(Math.floor(from / 60) * 60), to: iso(Math.ceil(to / 60) * 60) });
  const figure = (id, title, detail, format) => {
    const node = element("figure");
    const caption = element("figcaption", `${title} `);
    caption.append(element("span", detail, "quiet"));
    const chart = element("div", undefined, "chart");
    chart.id = `chart-${id}`;
    node.append(caption, chart);
    place.append(node);
    return new Chart(chart, title, format, zoom);
  };
  place.setAttribute("aria-label", "Charts");
  const note = element("p", "Hatched: the data is not complete yet.", "quiet");
  note.id = "hatched-note";
  const out = {
    requests: figure("requests", "Requests per second", "by status class", rate),
    bandwidth: figure("bandwidth", "Bandwidth", "bits per second", bits),
    latency: figure("latency", "Request time", "p50, p95, p99", millis),
  };
  place.append(note);
  return out;
}

// The steps that the API lets the chart draw, each with the number of seconds it covers.
function steps(answer, now) {
  const { known, step_s } = answer;
  const out = [];
  for (let start = known.draw_from_s; start < known.draw_to_s; start += step_s) {
    const cut = Math.min(start + step_s, answer.to_s, now) - Math.max(start, answer.from_s);
    out.push({ start, seconds: known.draw_whole ? step_s : Math.max(1, cut) });
  }
  return out;
}

// The part [from, to) of the shown range for which data is still expected.
function hatching({ complete_s, awaited_s }, shown) {
  const from = Math.max(complete_s, shown.from);
  const to = Math.min(awaited_s, shown.to);
  return from < to ? [from, to] : null;
}

export default {
  id: "charts",
  order: 30,
  needsData: true,
  ask: (wanted) => ({
    byClass: ["traffic", { ...wanted, step: "auto", by: "class" }],
    total: ["traffic", { ...wanted, step: "auto" }],
  }),
  show({ byClass, total }, place, { shown, now, choose }) {
    charts ??= build(place, choose);
    if (!total.known) return;
    const points = steps(total, now);
    const line = (rows, value) => {
      const at = new Map(rows.map((row) => [row.start_s, row]));
      return points.map((point) => value(at.get(point.start), point.seconds));
    };
    const common = {
      xs: points.map((point) => point.start),
      range: [shown.from, Math.max(shown.to, shown.from + 1)],
      hatched: hatching(total.known, shown),
      times: `${time(shown.from * 1000)} to ${time(shown.to * 1000)}`,
    };
    // In a long range, the current minute is too narrow to be visible.
    const [from, to] = common.hatched ?? [0, 0];
    document.getElementById("hatched-note").hidden = to - from < (shown.to - shown.from) / 100;
    const present = classes.filter(([name]) => byClass.rows.some((row) => row.class === name && row.requests > 0));
    // Without any requests, still draw one line, at 0.
    const drawn = present.length > 0 ? present : classes.slice(0, 1);
    charts.requests.show({ ...common, lines: drawn.map(([name, colour], index) => ({
      label: name, colour, fill: index === 0,
      values: line(byClass.rows.filter((row) => row.class === name), (row, seconds) => (row ? row.requests / seconds : 0)),
    })) });
    charts.bandwidth.show({ ...common, lines: [{ label: "sent", colour: "accent", fill: true, values: line(total.rows, (row, seconds) => (row ? (8 * row.flow_bytes) / seconds : 0)) }] });
    const quantile = (name) => line(total.rows, (row) => row?.latency?.[name] ?? null);
    charts.latency.show({ ...common, lines: [
      { label: "p50", colour: "class-2", values: quantile("p50_ms") },
      { label: "p95", colour: "class-4", values: quantile("p95_ms") },
      { label: "p99", colour: "class-5", values: quantile("p99_ms") },
    ] });
  },
};
