"use strict";
// A click on a heading sorts by its column, a second one the other way round.
for (const button of document.querySelectorAll(".overview th button")) {
  button.addEventListener("click", () => {
    const column = Number(button.dataset.column);
    const head = button.closest("th");
    const ascending = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const body = document.querySelector(".overview tbody");
    const value = (row) => row.children[column].dataset.value;
    const numeric = body.querySelector("tr")?.children[column].classList.contains("number");
    const rows = [...body.children].sort((a, b) => {
      const [left, right] = [value(a), value(b)];
      // What is not known comes last, either way.
      if (left === "" || right === "") return (left === "") - (right === "");
      const order = numeric ? left - right : left.localeCompare(right);
      return ascending ? order : -order;
    });
    body.append(...rows);
  });
}
