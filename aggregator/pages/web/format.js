// Formats numbers and times. Units are decimal, as in `report`.

const prefixes = ["", "k", "M", "G", "T", "P", "E"];

function fixed(value, index) {
  const digits = value === 0 || Math.abs(value) >= 100 || (index === 0 && Number.isInteger(value)) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

// Below 1, two significant digits: 0.04, 0.0028. Values below a millionth are shown as such.
const small = (value) => (Math.abs(value) < 1e-6 ? "<0.000001" : String(Number(value.toPrecision(2))));

export function scaled(value, unit, base = 1000) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  let index = 0;
  let rest = value;
  while (Math.abs(rest) >= base && index + 1 < prefixes.length) {
    rest /= base;
    index += 1;
  }
  const text = Math.abs(rest) >= 1 || rest === 0 ? fixed(rest, index) : small(rest);
  return `${text}${unit ? "\u202f" : ""}${prefixes[index]}${unit}`;
}

export const bytes = (value) => scaled(value, "B");
export const bits = (value) => scaled(value, "bit/s");
export const count = (value) => value.toLocaleString("en").replaceAll(",", "\u202f");
export const rate = (value) => `${scaled(value, "")}/s`;

export function percent(part, whole) {
  if (!whole) return "–";
  const value = (100 * part) / whole;
  if (value === 0) return "0\u202f%";
  return `${value >= 10 ? value.toFixed(1) : value >= 0.01 ? value.toFixed(2) : "<0.01"}\u202f%`;
}

export const alertValue = (value) => (Math.abs(value) < 1 ? Number(value.toPrecision(3)) : scaled(value, ""));

// A few failures among few requests do not justify red.
export const tooMany5xx = (failed, requests) => failed >= 10 && failed >= requests / 100;

export function millis(value) {
  if (value === null || value === undefined) return "–";
  if (value < 1000) return `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)}\u202fms`;
  return `${value < 10000 ? (value / 1000).toFixed(2) : Math.round(value / 1000)}\u202fs`;
}

export function ago(seconds) {
  if (seconds < 0) return "now";
  if (seconds < 120) return `${Math.round(seconds)}\u202fs`;
  if (seconds < 7200) return `${Math.round(seconds / 60)}\u202fmin`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)}\u202fh`;
  return `${Math.round(seconds / 86400)}\u202fd`;
}

const two = (value) => String(value).padStart(2, "0");

export function time(ms, withSeconds = false) {
  const date = new Date(ms);
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}${withSeconds ? `:${two(date.getSeconds())}` : ""}`;
  if (date.toDateString() === new Date().toDateString()) return clock;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock}`;
}

// Control characters and direction overrides could hide or reverse the text next to them.
export function clean(text) {
  return String(text).replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, "\ufffd");
}
