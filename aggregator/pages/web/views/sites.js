// The sites in the range, busiest first.
import { addressOf } from "../address.js";
import { bytes, count, millis, percent, tooMany5xx } from "../format.js";
import { fillTable, stateLink, tableIn } from "../table.js";

const maxRows = 100;

export default {
  id: "sites",
  order: 40,
  title: "Sites",
  needsData: true,
  ask: (wanted) => ({ summary: ["summary", wanted] }),
  show({ summary }, place, { chosen, choose }) {
    const sites = [...summary.sites].sort((a, b) => b.requests - a.requests);
    const more = sites.length - maxRows;
    fillTable(tableIn(place, "sites-table"), [
      { title: "Site", text: (row) => row.site, link: (row, text) => stateLink(text, addressOf({ ...chosen, site: row.site }), () => choose({ site: row.site })) },
      { title: "Requests", number: true, text: (row) => count(row.requests) },
      { title: "Sent", number: true, text: (row) => bytes(row.bytes_sent) },
      { title: "4xx", number: true, text: (row) => percent(row.classes["4xx"], row.requests) },
      { title: "5xx", number: true, text: (row) => percent(row.classes["5xx"], row.requests), className: (row) => (tooMany5xx(row.classes["5xx"], row.requests) ? "bad" : "") },
      { title: "p50", number: true, text: (row) => millis(row.latency?.p50_ms) },
      { title: "p95", number: true, text: (row) => millis(row.latency?.p95_ms) },
      { title: "p99", number: true, text: (row) => millis(row.latency?.p99_ms) },
    ], sites.slice(0, maxRows), more > 0 ? `and ${more} more sites with fewer requests` : "");
  },
};
