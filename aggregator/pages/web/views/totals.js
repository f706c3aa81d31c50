// The tiles with the sums of the range. Their markup is in index.html.
import { bits, bytes, count, millis, percent, rate, tooMany5xx } from "../format.js";

function setValue(id, text, value) {
  const node = document.getElementById(id);
  node.textContent = text;
  node.dataset.value = value ?? "";
}

const setText = (id, text) => { document.getElementById(id).textContent = text; };

export default {
  id: "totals",
  order: 10,
  needsData: true,
  ask: (wanted) => ({ summary: ["summary", wanted] }),
  show({ summary }, place, { shown, now }) {
    const { total } = summary;
    const failed = total.classes["5xx"];
    // Average over the part of the range about which something is known.
    const seconds = Math.max(1, Math.min(shown.to, now) - Math.max(shown.from, Math.min(summary.data?.first_s ?? now, now)));
    setValue("total-requests", count(total.requests), total.requests);
    setValue("total-bytes", bytes(total.bytes_sent), total.bytes_sent);
    setValue("share-5xx", percent(failed, total.requests), failed);
    document.getElementById("share-5xx").classList.toggle("bad", tooMany5xx(failed, total.requests));
    setValue("p95", millis(total.latency?.p95_ms), total.latency?.p95_ms);
    setText("rate", `${rate(total.requests / seconds)} on average`);
    setText("bandwidth", `${bits((8 * total.flow_bytes) / seconds)} on average`);
    setText("count-5xx", `${count(failed)} of ${count(total.requests)}`);
    setText("p50-p99", total.latency ? `p50 ${millis(total.latency.p50_ms)}, p99 ${millis(total.latency.p99_ms)}` : "the logs have no request times");
  },
};
