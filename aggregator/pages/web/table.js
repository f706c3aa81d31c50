// Elements and tables. Text from logs reaches the page only through textContent.
import { clean } from "./format.js";

export function element(tag, text, className) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = clean(text);
  if (className) node.className = className;
  return node;
}

// A link to another state of the page, opened without reloading the page.
export function stateLink(text, address, open) {
  const link = element("a", text);
  link.href = address;
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    open();
  });
  return link;
}

// columns: [{title, text(row), className(row)?, link(row, text)?, number?}]
export function fillTable(table, columns, rows, caption) {
  const head = element("tr");
  for (const column of columns) {
    const cell = element("th", column.title, column.number ? "number" : "");
    cell.scope = "col";
    head.append(cell);
  }
  const headSection = element("thead");
  headSection.append(head);
  const body = element("tbody");
  for (const row of rows) {
    const line = element("tr");
    for (const column of columns) {
      const text = column.text(row);
      const cell = element("td", column.link ? undefined : text, column.number ? "number" : "");
      if (column.link) cell.append(column.link(row, text));
      const extra = column.className ? column.className(row) : "";
      if (extra) cell.classList.add(extra);
      line.append(cell);
    }
    body.append(line);
  }
  // Keep the focus on the link with the same address.
  const focused = table.contains(document.activeElement) ? document.activeElement.href : null;
  table.replaceChildren(...(caption ? [element("caption", caption)] : []), headSection, body);
  if (focused) [...table.querySelectorAll("a")].find((link) => link.href === focused)?.focus({ preventScroll: true });
}

// The table in a view's section, created when first shown.
export function tableIn(place, id, parent = place) {
  const found = document.getElementById(id);
  if (found) return found;
  const scroll = element("div", undefined, "scroll");
  const table = element("table");
  table.id = id;
  const title = place.closest("section")?.getAttribute("aria-labelledby");
  if (title) table.setAttribute("aria-labelledby", title);
  scroll.append(table);
  parent.append(scroll);
  return table;
}
