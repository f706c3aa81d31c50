// Whether every byte was counted: gaps in logs, and lines and messages that could not be read.
import { bytes, count, time } from "../format.js";
import { element, fillTable, tableIn } from "../table.js";

const maxGaps = 100;
const maxDeadLetters = 50;

function build(place) {
  const line = (id) => {
    const node = element("p");
    node.id = id;
    return node;
  };
  const details = element("details");
  details.id = "dead-details";
  details.append(element("summary", "Newest lines and messages that could not be read"));
  place.append(line("gaps-line"), line("dead-line"), details);
}

const plural = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;

function showGaps(sources, place) {
  const lossy = sources.sources.filter((source) => source.gap_bytes > 0);
  const lines = sources.sources.reduce((sum, source) => sum + source.lines, 0);
  const line = document.getElementById("gaps-line");
  line.classList.toggle("bad", lossy.length > 0);
  line.textContent = lossy.length > 0
    ? `${bytes(sources.gap_bytes)} of ${plural(lossy.length, "log", "logs")} are missing.`
    : `Every byte of ${plural(sources.sources.length, "log was", "logs was")} counted (${plural(lines, "line", "lines")}); none is missing.`;
  // For each log, the API returns only the first gaps and their total number.
  const gaps = lossy.flatMap((source) => source.gaps.map((gap) => ({ ...gap, host: source.host, path: source.path })));
  gaps.sort((a, b) => (b.since_ms ?? 0) - (a.since_ms ?? 0));
  const all = lossy.reduce((sum, source) => sum + source.gap_count, 0);
  const shown = Math.min(gaps.length, maxGaps);
  const table = tableIn(place, "losses-table");
  table.parentElement.hidden = gaps.length === 0;
  fillTable(table, [
    { title: "Host", text: (row) => row.host },
    { title: "Log", text: (row) => row.path },
    { title: "From byte", number: true, text: (row) => row.begin },
    { title: "To byte", number: true, text: (row) => row.end },
    { title: "Missing", number: true, text: (row) => bytes(row.end - row.begin) },
    { title: "Cause", text: (row) => row.cause },
    { title: "Noticed", text: (row) => (row.since_ms ? time(row.since_ms) : "") },
  ], gaps.slice(0, maxGaps), all > shown ? `${shown} of ${count(all)} gaps` : "");
}

function showUnreadable(dead) {
  const line = document.getElementById("dead-line");
  line.classList.toggle("bad", dead.total > 0);
  line.textContent = dead.total > 0 ? `${plural(dead.total, "line or message", "lines or messages")} could not be read.` : "Every line and message could be read.";
  const details = document.getElementById("dead-details");
  details.hidden = dead.newest.length === 0;
  fillTable(tableIn(details, "dead-table"), [
    { title: "Seen", text: (row) => (row.seen_ms ? time(row.seen_ms, true) : "") },
    { title: "Where", text: (row) => `${row.topic}/${row.partition} at ${row.offset}, line ${row.line + 1}` },
    { title: "Reason", text: (row) => row.reason },
    { title: "Text", text: (row) => row.text, className: () => "code" },
  ], dead.newest.slice(0, maxDeadLetters));
}

export default {
  id: "losses",
  order: 70,
  title: "Completeness",
  ask: () => ({ sources: ["sources", {}], dead: ["dead-letters", {}] }),
  show({ sources, dead }, place) {
    place.hidden = sources.sources.length === 0 && dead.total === 0;
    if (!document.getElementById("gaps-line")) build(place);
    showGaps(sources, place);
    showUnreadable(dead);
  },
};
