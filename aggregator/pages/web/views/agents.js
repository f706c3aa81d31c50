// The agents, furthest behind first, and up to when the data is complete.
import { ago, bytes, time } from "../format.js";
import { fillTable, tableIn } from "../table.js";

const maxRows = 100;

function whoIsLate(agents) {
  const late = agents.agents.filter((agent) => agent.in_service && (agent.watermark_ms ?? 0) < agents.until_s * 1000);
  if (late.length === 0) return "";
  if (late.length > 1) return `${late.length} of ${agents.known} agents are behind`;
  const [agent] = late;
  return agent.silent ? `${agent.host} has sent no heartbeat since ${time(agent.last_heartbeat_ms)}` : `${agent.host} is behind`;
}

function showLine(agents) {
  const line = document.getElementById("agents-line");
  const late = whoIsLate(agents);
  line.classList.toggle("bad", late !== "");
  const complete = agents.complete_s && agents.known > 0 ? `data complete until ${time(agents.complete_s * 1000)}` : "";
  const text = [complete, late].filter(Boolean).join("; ");
  line.textContent = text.charAt(0).toUpperCase() + text.slice(1);
}

export default {
  id: "agents",
  order: 60,
  title: "Agents",
  ask: () => ({ agents: ["agents", {}] }),
  show({ agents }, place) {
    showLine(agents);
    place.hidden = agents.agents.length === 0;
    const sorted = [...agents.agents].sort((a, b) => (a.watermark_ms ?? 0) - (b.watermark_ms ?? 0));
    const behind = (row) => (row.watermark_ms ? ago(Math.max(0, (agents.now_ms - row.watermark_ms) / 1000)) : "–");
    fillTable(tableIn(place, "agents-table"), [
      { title: "Host", text: (row) => row.host },
      { title: "Agent", text: (row) => row.agent_id },
      { title: "Last heartbeat", number: true, text: (row) => (row.last_heartbeat_ms ? `${ago((agents.now_ms - row.last_heartbeat_ms) / 1000)} ago` : "never"), className: (row) => (row.silent ? "bad" : "") },
      { title: "Behind by", number: true, text: behind },
      { title: "Not shipped", number: true, text: (row) => bytes(row.lag_bytes) },
    ], sorted.slice(0, maxRows), sorted.length > maxRows ? `the ${maxRows} furthest behind of ${sorted.length}` : "");
  },
};
