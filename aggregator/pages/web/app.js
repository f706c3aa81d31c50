// The page. It turns the address into the views' questions, and hands them the API's answers. A view is a
// file in views/: {id, order, title?, needsData?, ask(wanted), show(answers, place, context)}.
import { addressOf, readAddress } from "./address.js";
import { ask } from "./ask.js";
import { buildControls, fillSelect, showControls, showRangeText } from "./controls.js";
import { clean, time } from "./format.js";
import { element } from "./table.js";
import { views } from "./views.js";

const refreshMs = 10000;
const find = (id) => document.getElementById(id);
let chosen = readAddress();
let fallback = ""; // the range if none is chosen; "" until the age of the data is known
let generation = 0;
let timer = null;

const inOrder = [...views].sort((a, b) => a.order - b.order);
const places = new Map(inOrder.map((view) => {
  const found = find(view.id);
  const place = found ?? element("section");
  place.id = view.id;
  if (!found && view.title) {
    const title = element("h2", view.title);
    title.id = `${view.id}-title`;
    place.append(title);
    place.setAttribute("aria-labelledby", title.id);
  }
  find("content").append(place);
  return [view, place];
}));

// An old log is shown completely, a live one for its last day. Without data, decide later.
async function rangeToShow() {
  if (chosen.from || chosen.to) return { from: chosen.from, to: chosen.to };
  if (!fallback) {
    const { data, now_s } = await ask("summary", { from: "now" });
    if (!data) return { from: "-24h", to: "" };
    fallback = now_s - data.end_s > 86400 ? "all" : "-24h";
  }
  return { from: fallback, to: "" };
}

const wantedOf = (range) => (range.from === "all"
  ? { site: chosen.site, host: chosen.host }
  : { from: range.from, to: range.to || "now", site: chosen.site, host: chosen.host });

// Sends each question once, even if several views ask it.
function asker() {
  const asked = new Map();
  return async (questions) => {
    const answers = Object.entries(questions).map(([name, [path, params]]) => {
      const key = JSON.stringify([path, params]);
      if (!asked.has(key)) asked.set(key, ask(path, params));
      return asked.get(key).then((answer) => [name, answer]);
    });
    return Object.fromEntries(await Promise.all(answers));
  };
}

function showEmpty({ data, total }, agents) {
  const nothing = !data;
  const empty = nothing || total.requests === 0;
  find("empty").hidden = !empty;
  find("empty-help").hidden = !nothing;
  if (!empty) return;
  find("empty-title").textContent = nothing ? "No requests yet" : "No requests in this range";
  find("empty-text").textContent = nothing
    ? `weir is running${agents.length > 0 ? ` and receives data from ${agents.length === 1 ? "an agent" : `${agents.length} agents`}` : ""}; no request has been counted yet. The first line that it reads from a log will appear here.`
    : `The store has requests from ${time(data.first_s * 1000)} to ${time(data.end_s * 1000)}. Choose a longer range or other filters.`;
}

function problem(text) {
  find("banner").hidden = !text;
  find("banner").textContent = clean(text);
}

async function refresh() {
  const mine = ++generation;
  clearTimeout(timer);
  try {
    const range = await rangeToShow();
    if (mine !== generation) return;
    showControls(chosen, range);
    const wanted = wantedOf(range);
    const get = asker();
    const [common, ...answers] = await Promise.all([
      get({ summary: ["summary", wanted], sites: ["sites", {}], hosts: ["hosts", {}], agents: ["agents", {}], alerts: ["alerts", {}] }),
      ...inOrder.map((view) => get(view.ask(wanted))),
    ]);
    if (mine !== generation) return;
    const { summary } = common;
    const now = summary.now_s;
    const shown = { from: summary.from_s ?? summary.data?.first_s ?? now - 3600, to: summary.to_s ?? Math.min(now, summary.data?.end_s ?? now) };
    fillSelect("site", "all sites", common.sites.sites, chosen.site);
    fillSelect("host", "all hosts", common.hosts.hosts, chosen.host);
    showRangeText(range, shown);
    showEmpty(summary, common.agents.agents);
    find("content").hidden = false;
    inOrder.forEach((view, index) => {
      const place = places.get(view);
      place.hidden = Boolean(view.needsData && !summary.data);
      if (!place.hidden) view.show(answers[index], place, { shown, now, chosen, choose });
    });
    problem(common.alerts.problem);
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    find("updated").textContent = `As of ${time(now * 1000, true)} (${zone}), refreshed every ${refreshMs / 1000} s.`;
    document.body.dataset.state = "ready";
  } catch (error) {
    if (mine !== generation) return;
    problem(error.message);
    document.body.dataset.state = "failed";
  }
  timer = setTimeout(refresh, refreshMs);
}

// Each choice is a history entry, so Back undoes it.
function choose(change) {
  chosen = { ...chosen, ...change };
  history.pushState(null, "", addressOf(chosen));
  refresh();
}

buildControls(choose);
showControls(chosen, { from: chosen.from, to: chosen.to });
for (const name of ["popstate", "hashchange"]) {
  addEventListener(name, () => {
    chosen = readAddress();
    refresh();
  });
}
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});
refresh();
