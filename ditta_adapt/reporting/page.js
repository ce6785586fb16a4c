"use strict";

// The pictures are all in the page; what moves is which of them are hidden, and two numbers of CSS.
const viewer = document.querySelector(".viewer");

if (viewer) {
  const find = (selector) => viewer.querySelector(selector);
  const samples = [...viewer.querySelectorAll(".sample")];
  const split = find(".split"), opacity = find(".opacity"), scrub = find(".scrub");
  const style = document.documentElement.style;

  const move = () => style.setProperty("--split", split.value / 100);
  const fade = () => style.setProperty("--opacity", opacity.value / 100);
  const show = () => {
    samples.forEach((sample, number) => { sample.hidden = number !== Number(scrub.value); });
    const caption = samples[scrub.value].dataset.caption;
    find(".caption").textContent = caption;
    scrub.setAttribute("aria-valuetext", caption);
  };

  split.addEventListener("input", move);
  opacity.addEventListener("input", fade);
  // A browser may have kept what was set before the page was loaded again.
  move();
  fade();

  if (scrub) {
    scrub.addEventListener("input", show);
    find(".previous").addEventListener("click", () => { scrub.stepDown(); show(); });
    find(".next").addEventListener("click", () => { scrub.stepUp(); show(); });
    show();
  }
  viewer.querySelectorAll(".control").forEach((control) => { control.hidden = false; });
}
