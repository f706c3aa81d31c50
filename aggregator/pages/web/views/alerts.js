// The alerts that are firing or pending.
import { addressOf, iso } from "../address.js";
import { alertValue, time } from "../format.js";
import { fillTable, stateLink, tableIn } from "../table.js";

export default {
  id: "alerts",
  order: 20,
  title: "Alerts",
  ask: () => ({ alerts: ["alerts", {}] }),
  show({ alerts }, place, { chosen, choose, now }) {
    const open = alerts.alerts.filter((alert) => alert.state !== "ok");
    place.hidden = open.length === 0;
    document.title = alerts.firing > 0 ? `(${alerts.firing}) weir` : "weir";
    // From an hour before the alert began until now. The address stays the same within a minute.
    const state = (row) => ({ ...chosen, site: row.subject, from: iso(row.since_s - 3600), to: iso(Math.ceil(now / 60) * 60) });
    fillTable(tableIn(place, "alerts-table"), [
      { title: "State", text: (row) => row.state, className: (row) => (row.state === "firing" ? "bad" : "quiet") },
      { title: "Rule", text: (row) => row.rule, link: (row, text) => stateLink(text, addressOf(state(row)), () => choose(state(row))) },
      { title: "Site", text: (row) => row.subject || "all sites" },
      { title: "Value", number: true, text: (row) => alertValue(row.value) },
      { title: "Since", text: (row) => time(row.since_s * 1000) },
    ], open);
  },
};
