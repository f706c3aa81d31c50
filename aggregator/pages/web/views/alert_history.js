// The history of the alerts within the range, newest first.
import { addressOf, iso } from "../address.js";
import { alertValue, time } from "../format.js";
import { fillTable, stateLink, tableIn } from "../table.js";

const maxRows = 100;

export default {
  id: "alert-history",
  order: 50,
  title: "Alert history",
  ask: ({ from, to }) => ({ history: ["alerts/history", { from, to }] }),
  show({ history }, place, { chosen, choose }) {
    const events = history.events.filter((event) => !chosen.site || !event.subject || event.subject === chosen.site);
    place.hidden = events.length === 0;
    const around = (row) => ({ ...chosen, site: row.subject, from: iso(row.at_s - 3600), to: iso(row.at_s + 1800) });
    const shown = Math.min(events.length, maxRows);
    fillTable(tableIn(place, "alert-history-table"), [
      { title: "Time", text: (row) => time(row.at_s * 1000), link: (row, text) => stateLink(text, addressOf(around(row)), () => choose(around(row))) },
      { title: "State", text: (row) => row.state, className: (row) => (row.state === "firing" ? "bad" : "quiet") },
      { title: "Rule", text: (row) => row.rule },
      { title: "Site", text: (row) => row.subject || "all sites" },
      { title: "Value", number: true, text: (row) => alertValue(row.value) },
      { title: "Event", text: (row) => row.text },
    ], events.slice(0, maxRows), history.more || shown < events.length ? `the newest ${shown}; choose a shorter range to see others` : "");
  },
};
