"use strict";
// A cross-hair for each chart, which reads the table behind it, and buttons that copy code.
// Checked by `tsc --checkJs --strict`.
(() => {
  const SVG = "http://www.w3.org/2000/svg";

  /** @param {Element} chart */
  function rowsOf(chart) {
    const card = chart.closest(".card");
    const tables = card ? [...card.querySelectorAll("details table")] : [];
    const charts = card ? [...card.querySelectorAll("svg")] : [];
    const table = tables[charts.indexOf(/** @type {SVGSVGElement} */ (chart))];
    const heads = table ? [...table.querySelectorAll("th")].map(head => head.textContent ?? "") : [];
    const rows = table ? [...table.querySelectorAll("tbody tr")] : [];
    return { heads, rows: rows.map(row => [...row.children].map(cell => cell.textContent ?? "")) };
  }

  /** @param {SVGSVGElement} chart */
  function crossHair(chart) {
    const left = Number(chart.dataset["left"]);
    const right = Number(chart.dataset["right"]);
    const width = chart.viewBox.baseVal.width;
    const { heads, rows } = rowsOf(chart);
    const host = chart.parentElement;
    if (rows.length < 2 || !host) return;
    const line = document.createElementNS(SVG, "path");
    line.setAttribute("stroke", "var(--line2)");
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    tip.setAttribute("role", "status");
    host.append(tip);
    let at = 0;

    /** @param {number} row */
    function show(row) {
      at = Math.max(0, Math.min(rows.length - 1, row));
      const x = left + (right - left) * at / (rows.length - 1);
      line.setAttribute("d", `M${x} 10V216`);
      chart.append(line);
      const cells = rows[at] ?? [];
      const values = cells.slice(1).map((cell, i) => cell && `${heads[i + 1]}  ${cell}`);
      tip.textContent = [`${heads[0]} ${cells[0]}`, ...values.filter(Boolean)].join("\n");
      tip.hidden = false;
      const place = x / width * chart.clientWidth;
      tip.style.left = x > width / 2 ? "" : `${place + 12}px`;
      tip.style.right = x > width / 2 ? `${chart.clientWidth - place + 12}px` : "";
    }

    function hide() {
      line.remove();
      tip.hidden = true;
    }

    chart.addEventListener("pointermove", event => {
      const box = chart.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width * width;
      show(Math.round((x - left) / (right - left) * (rows.length - 1)));
    });
    chart.addEventListener("pointerleave", hide);
    chart.addEventListener("blur", hide);
    chart.addEventListener("keydown", event => {
      const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      if (event.key === "Escape") hide();
      if (step === 0) return;
      event.preventDefault();
      show(tip.hidden ? 0 : at + step);
    });
  }

  for (const chart of document.querySelectorAll("svg")) crossHair(chart);

  for (const button of document.querySelectorAll("button.copy")) {
    button.addEventListener("click", async () => {
      const code = button.closest(".codehead")?.nextElementSibling?.textContent ?? "";
      try {
        await navigator.clipboard.writeText(code);
        button.textContent = "copied";
      } catch {
        button.textContent = "press Ctrl+C";
      }
      setTimeout(() => { button.textContent = "copy"; }, 2000);
    });
  }
})();
