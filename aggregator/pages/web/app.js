// The page: asks the JSON API every few seconds and shows what it says.
import { Chart } from "./charts.js";
import { ago, bits, bytes, clean, count, element, fillTable, millis, percent, rate, scaled, time } from "./format.js";

const refreshMs = 10000;
const ranges = [["1h", 3600], ["6h", 21600], ["24h", 86400], ["7d", 604800], ["30d", 2592000], ["all", null]];
const classes = [["2xx", "class-2"], ["3xx", "class-3"], ["4xx", "class-4"], ["5xx", "class-5"], ["1xx", "class-1"], ["other", "class-0"]];
const tableRows = 100;

const find = (id) => document.getElementById(id);
const charts = {
  requests: new Chart(find("chart-requests"), rate),
  bandwidth: new Chart(find("chart-bandwidth"), bits),
  latency: new Chart(find("chart-latency"), millis),
};

// What is shown stands in the address, so that it can be sent to somebody.
const chosen = { range: null, site: "", host: "" };
function readAddress() {
  const params = new URLSearchParams(location.hash.slice(1));
  chosen.range = ranges.some(([name]) => name === params.get("range")) ? params.get("range") : null;
  chosen.site = params.get("site") ?? "";
  chosen.host = params.get("host") ?? "";
}
function writeAddress() {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(chosen)) if (value) params.set(name, value);
  history.replaceState(null, "", `#${params}`);
}

async function ask(path, params = {}) {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== "" && value !== null));
  let answer;
  try {
    answer = await fetch(`/api/v1/${path}${query.size ? `?${query}` : ""}`, { signal: AbortSignal.timeout(30000) });
  } catch {
    throw new Error("weir does not answer. It may be stopped, or this machine cannot reach it.");
  }
  const body = await answer.json();
  if (!answer.ok) throw new Error(`${body.error.what}. ${body.error.hint}`);
  return body;
}

function filters(withRange = true) {
  const seconds = ranges.find(([name]) => name === chosen.range)?.[1];
  return { from: withRange && seconds ? `-${seconds}s` : null, site: chosen.site, host: chosen.host };
}

function setValue(id, text, value) {
  find(id).textContent = text;
  find(id).dataset.value = value ?? "";
}

function fillSelect(id, all, names) {
  const select = find(id);
  const current = chosen[id];
  if (current && !names.includes(current)) names = [current, ...names];
  const wanted = JSON.stringify(names);
  if (select.dataset.names !== wanted) {
    select.dataset.names = wanted;
    const options = [["", all], ...names.map((name) => [name, name])].map(([value, text]) => {
      const option = element("option", text);
      option.value = value;
      return option;
    });
    select.replaceChildren(...options);
  }
  select.value = current;
}

function showRanges() {
  find("ranges").replaceChildren(...ranges.map(([name]) => {
    const button = element("button", name);
    button.type = "button";
    button.setAttribute("aria-pressed", String(name === chosen.range));
    button.addEventListener("click", () => {
      undecided = false;
      choose({ range: name });
    });
    return button;
  }));
}

function showTotals(summary, shown) {
  const { total } = summary;
  const seconds = Math.max(1, shown.to - shown.from);
  setValue("total-requests", count(total.requests), total.requests);
  setValue("total-bytes", bytes(total.bytes_sent), total.bytes_sent);
  setValue("share-5xx", percent(total.classes["5xx"], total.requests), total.classes["5xx"]);
  setValue("p95", millis(total.latency?.p95_ms), total.latency?.p95_ms);
  find("rate").textContent = `${rate(total.requests / seconds)} on average`;
  find("bandwidth").textContent = `${bits((8 * total.flow_bytes) / seconds)} on average`;
  find("count-5xx").textContent = `${count(total.classes["5xx"])} of ${count(total.requests)}`;
  find("p50-p99").textContent = total.latency ? `p50 ${millis(total.latency.p50_ms)}, p99 ${millis(total.latency.p99_ms)}` : "the log has no request times";
}

// The steps of a chart, each with the seconds of it that are covered: the first and the
// last one may be cut by the range or by the present.
function steps(answer, now) {
  const end = Math.min(answer.to_s, now);
  const out = [];
  for (let start = Math.floor(answer.from_s / answer.step_s) * answer.step_s; start < end; start += answer.step_s) {
    const covered = Math.min(start + answer.step_s, end) - Math.max(start, answer.from_s);
    // A rate over the first moments of a step says nothing yet.
    if (start + answer.step_s > now && covered < answer.step_s / 2 && out.length > 0) break;
    out.push({ start, covered: Math.max(1, covered) });
  }
  return out;
}

function showCharts(byClass, total, now, shown) {
  const points = steps(total, now);
  const xs = points.map((point) => point.start);
  const line = (rows, value) => {
    const at = new Map(rows.map((row) => [row.start_s, row]));
    return points.map((point) => value(at.get(point.start), point.covered));
  };
  const range = [shown.from, Math.max(shown.to, shown.from + 1)];
  const present = classes.filter(([name]) => byClass.rows.some((row) => row.class === name && row.requests > 0));
  charts.requests.show(xs, present.map(([name, colour], index) => ({
    label: name, colour, fill: index === 0,
    values: line(byClass.rows.filter((row) => row.class === name), (row, covered) => (row ? row.requests / covered : 0)),
  })), range, "time");
  charts.bandwidth.show(xs, [{ label: "sent", colour: "accent", fill: true, values: line(total.rows, (row, covered) => (row ? (8 * row.flow_bytes) / covered : 0)) }], range, "time");
  const quantile = (name) => line(total.rows, (row) => row?.latency?.[name] ?? null);
  charts.latency.show(xs, [
    { label: "p50", colour: "class-2", values: quantile("p50_ms") },
    { label: "p95", colour: "class-4", values: quantile("p95_ms") },
    { label: "p99", colour: "class-5", values: quantile("p99_ms") },
  ], range, "time");
}

function showSites(summary) {
  const sites = [...summary.sites].sort((a, b) => b.requests - a.requests);
  fillTable(find("sites-table"), [
    { title: "Site", text: (row) => row.site },
    { title: "Requests", number: true, text: (row) => count(row.requests) },
    { title: "Sent", number: true, text: (row) => bytes(row.bytes_sent) },
    { title: "4xx", number: true, text: (row) => percent(row.classes["4xx"], row.requests) },
    { title: "5xx", number: true, text: (row) => percent(row.classes["5xx"], row.requests), className: (row) => (row.classes["5xx"] > 0 ? "bad" : "") },
    { title: "p50", number: true, text: (row) => millis(row.latency?.p50_ms) },
    { title: "p95", number: true, text: (row) => millis(row.latency?.p95_ms) },
    { title: "p99", number: true, text: (row) => millis(row.latency?.p99_ms) },
  ], sites.slice(0, tableRows));
  if (sites.length > tableRows) find("sites-table").append(element("caption", `and ${sites.length - tableRows} more sites with fewer requests`));
}

function showAlerts(alerts) {
  const open = alerts.alerts.filter((alert) => alert.state !== "ok");
  find("alerts").hidden = open.length === 0;
  document.title = alerts.firing > 0 ? `(${alerts.firing}) weir` : "weir";
  fillTable(find("alerts-table"), [
    { title: "State", text: (row) => row.state, className: (row) => (row.state === "firing" ? "bad" : "quiet") },
    { title: "Rule", text: (row) => row.rule },
    { title: "Site", text: (row) => row.subject || "all sites" },
    { title: "Value", number: true, text: (row) => (Math.abs(row.value) < 1 ? Number(row.value.toPrecision(3)) : scaled(row.value, "")) },
    { title: "Since", text: (row) => time(row.since_s * 1000) },
  ], open);
}

function showAgents(agents) {
  const line = find("agents-line");
  find("hosts-section").hidden = agents.agents.length === 0;
  line.classList.toggle("bad", agents.past < agents.known);
  line.textContent = agents.known === 0 ? "" : `${agents.past} of ${agents.known} ${agents.known === 1 ? "agent is" : "agents are"} past ${time(agents.until_s * 1000)}`;
  const sorted = [...agents.agents].sort((a, b) => (a.watermark_ms ?? 0) - (b.watermark_ms ?? 0));
  fillTable(find("agents-table"), [
    { title: "Host", text: (row) => row.host },
    { title: "Agent", text: (row) => row.agent_id },
    { title: "Heard of", number: true, text: (row) => (row.last_heartbeat_ms ? `${ago((agents.now_ms - row.last_heartbeat_ms) / 1000)} ago` : "never"), className: (row) => (row.silent ? "bad" : "") },
    { title: "Behind", number: true, text: (row) => (row.watermark_ms ? ago(Math.max(0, (agents.now_ms - row.watermark_ms) / 1000)) : "–") },
    { title: "Not shipped", number: true, text: (row) => bytes(row.lag_bytes) },
  ], sorted.slice(0, tableRows));
  find("agents-count").textContent = sorted.length > tableRows ? `the ${tableRows} furthest behind of ${sorted.length}` : "";
}

function showLoss(sources, dead) {
  const lossy = sources.sources.filter((source) => source.gap_bytes > 0);
  const lines = sources.sources.reduce((sum, source) => sum + source.lines, 0);
  find("gaps-line").classList.toggle("bad", lossy.length > 0);
  find("gaps-line").textContent = lossy.length > 0
    ? `${bytes(sources.gap_bytes)} of ${lossy.length} ${lossy.length === 1 ? "log" : "logs"} never came.`
    : `Every byte of ${count(sources.sources.length)} ${sources.sources.length === 1 ? "log" : "logs"} is counted (${count(lines)} lines), none is missing.`;
  // The newest first; of each log the API tells the first gaps alone, and how many there are.
  const gaps = lossy.flatMap((source) => source.gaps.map((gap) => ({ ...gap, host: source.host, path: source.path })));
  gaps.sort((a, b) => (b.since_ms ?? 0) - (a.since_ms ?? 0));
  const allGaps = lossy.reduce((sum, source) => sum + source.gap_count, 0);
  find("losses").hidden = gaps.length === 0;
  find("losses-count").textContent = allGaps > Math.min(gaps.length, tableRows) ? `${Math.min(gaps.length, tableRows)} of ${count(allGaps)} gaps` : "";
  fillTable(find("losses-table"), [
    { title: "Host", text: (row) => row.host },
    { title: "Log", text: (row) => row.path },
    { title: "From byte", number: true, text: (row) => row.begin },
    { title: "To byte", number: true, text: (row) => row.end },
    { title: "Missing", number: true, text: (row) => bytes(row.end - row.begin) },
    { title: "Cause", text: (row) => row.cause },
    { title: "Since", text: (row) => (row.since_ms ? time(row.since_ms) : "") },
  ], gaps.slice(0, tableRows));
  find("dead-line").classList.toggle("bad", dead.total > 0);
  find("dead-line").textContent = dead.total > 0 ? `${count(dead.total)} ${dead.total === 1 ? "line or message" : "lines or messages"} could not be read.` : "No line and no message was unreadable.";
  find("dead-details").hidden = dead.newest.length === 0;
  fillTable(find("dead-table"), [
    { title: "Seen", text: (row) => (row.seen_ms ? time(row.seen_ms, true) : "") },
    { title: "Where", text: (row) => `${row.topic}/${row.partition} at ${row.offset}, line ${row.line + 1}` },
    { title: "Reason", text: (row) => row.reason },
    { title: "Text", text: (row) => row.text, className: () => "code" },
  ], dead.newest.slice(0, 50));
}

function showEmpty(summary) {
  const nothing = !summary.data;
  const empty = nothing || summary.total.requests === 0;
  find("empty").hidden = !empty;
  for (const id of ["tiles", "charts", "sites-section"]) find(id).hidden = nothing;
  find("empty-help").hidden = !nothing;
  if (!empty) return;
  find("empty-title").textContent = nothing ? "No requests yet" : "No requests in this range";
  find("empty-text").textContent = nothing
    ? "weir runs, and nothing was counted so far. As soon as a log that it reads has a line, it shows here."
    : `What is stored reaches from ${time(summary.data.first_s * 1000)} to ${time(summary.data.end_s * 1000)}: choose a longer range, or other filters.`;
}

function problem(text) {
  find("banner").hidden = !text;
  find("banner").textContent = clean(text);
}

let generation = 0;
let timer = null;
let undecided = false;

async function refresh() {
  const mine = ++generation;
  clearTimeout(timer);
  try {
    if (chosen.range === null || undecided) {
      // An old log shows itself; a live one shows its last day. Without data that waits.
      const all = await ask("summary");
      if (mine !== generation) return;
      undecided = !all.data;
      chosen.range = all.data && all.now_s - all.data.end_s > 86400 ? "all" : "24h";
      showRanges();
    }
    const wanted = filters();
    const [summary, byClass, total, sites, hosts, sources, agents, alerts, dead] = await Promise.all([
      ask("summary", wanted),
      ask("traffic", { ...wanted, step: "auto", by: "class" }),
      ask("traffic", { ...wanted, step: "auto" }),
      ask("sites"), ask("hosts"), ask("sources"), ask("agents"), ask("alerts"), ask("dead-letters"),
    ]);
    if (mine !== generation) return;
    const now = summary.now_s;
    const seconds = ranges.find(([name]) => name === chosen.range)[1];
    const first = summary.data?.first_s ?? now - 3600;
    const shown = seconds ? { from: now - seconds, to: now } : { from: first, to: Math.min(now, summary.data?.end_s ?? now) };
    find("content").hidden = !summary.data && agents.agents.length === 0 && sources.sources.length === 0 && dead.total === 0;
    showEmpty(summary);
    showTotals(summary, { from: Math.max(shown.from, Math.min(first, now)), to: shown.to });
    if (summary.data) showCharts(byClass, total, now, shown);
    showSites(summary);
    fillSelect("site", "all sites", sites.sites);
    fillSelect("host", "all hosts", hosts.hosts);
    showAlerts(alerts);
    showAgents(agents);
    showLoss(sources, dead);
    problem(alerts.problem);
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    find("updated").textContent = `As of ${time(now * 1000, true)} (${zone}), again every ${refreshMs / 1000} s.`;
    document.body.dataset.state = "ready";
  } catch (error) {
    if (mine !== generation) return;
    problem(error.message);
    document.body.dataset.state = "failed";
  }
  timer = setTimeout(refresh, refreshMs);
}

function choose(change) {
  Object.assign(chosen, change);
  writeAddress();
  showRanges();
  refresh();
}

readAddress();
showRanges();
for (const id of ["site", "host"]) find(id).addEventListener("change", (event) => choose({ [id]: event.target.value }));
addEventListener("hashchange", () => {
  readAddress();
  showRanges();
  refresh();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});
refresh();
