"use strict";
(() => {
  const value = (cell) => {
    const sort = cell.getAttribute("data-sort");
    return sort === null ? cell.textContent.trim() : Number(sort);
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number"
      ? a - b
      : String(a).localeCompare(String(b), "en", { numeric: true });
  document.querySelectorAll("table.sortable").forEach((table) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, index) => {
      const button = head.querySelector("button");
      if (!button) return;
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const body = table.tBodies[0];
        const rows = [...body.rows];
        rows.sort((a, b) => {
          const order = compare(value(a.cells[index]), value(b.cells[index]));
          return up ? order : -order;
        });
        body.append(...rows);
      });
    });
  });
  document.querySelectorAll("button.svg").forEach((button) => {
    button.addEventListener("click", () => {
      const pages = document.getElementById(button.dataset.figure).querySelectorAll("svg");
      pages.forEach((page, index) => {
        const text = new XMLSerializer().serializeToString(page);
        const link = document.createElement("a");
        link.href = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
        link.download = button.dataset.name + (pages.length > 1 ? `-${index + 1}` : "") + ".svg";
        link.click();
        URL.revokeObjectURL(link.href);
      });
    });
  });
  document.querySelectorAll("button.copy[data-table]").forEach((button) => {
    button.addEventListener("click", async () => {
      const table = document.getElementById(button.dataset.table).querySelector("table");
      const text = [...table.rows]
        .map((row) => [...row.cells].map((cell) => cell.textContent.trim()).join("\t"))
        .join("\n");
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    });
  });
  const open = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    for (let node = target; node; node = node.parentElement)
      if (node.tagName === "DETAILS") node.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", open);
  addEventListener("beforeprint", () =>
    document.querySelectorAll("details").forEach((node) => (node.open = true)));
  open();
})();
