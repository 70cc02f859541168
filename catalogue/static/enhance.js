/* Small comforts; every page is whole without them. */
"use strict";

// htmx announces the whole body once more after it has started, so each element is taken once
const taken = new WeakSet();

function showCount(box) {
  const line = document.getElementById(box.id + "-count");
  if (!line) return;
  const limit = Number(box.dataset.counter);
  const update = () => {
    const left = limit - Array.from(box.value).length;
    line.textContent = left < 0 ? `超出 ${-left} 字` : `还可以写 ${left} 字`;
  };
  box.addEventListener("input", update);
  update();
}

function holdSecondPress(form) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    if (event.defaultPrevented || form.method !== "post") return;
    form.dataset.sent = "yes";
    // a download or a slow line leaves the page standing: the form opens again after a while
    setTimeout(() => delete form.dataset.sent, 5000);
  });
}

function arrange(root) {
  const fresh = (selector) => {
    const own = root.matches && root.matches(selector) ? [root] : [];
    return [...own, ...root.querySelectorAll(selector)].filter(
      (element) => !taken.has(element) && taken.add(element),
    );
  };
  fresh("[data-counter]").forEach(showCount);
  fresh("form").forEach(holdSecondPress);
}

document.addEventListener("DOMContentLoaded", () => {
  arrange(document);
  const errors = document.getElementById("errors");
  if (errors) errors.focus();
});
document.addEventListener("htmx:load", (event) => arrange(event.target));
window.addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form").forEach((form) => delete form.dataset.sent);
});
