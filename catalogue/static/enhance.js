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

// A slider beside a number: without script it stays hidden, and the number alone serves.
function turn(slider) {
  const box = document.getElementById(slider.dataset.turns);
  if (!box) return;
  const follow = () => (slider.value = box.value);
  slider.hidden = false;
  follow();
  box.addEventListener("input", follow);
  slider.addEventListener("input", () => (box.value = slider.value));
}

// A form whose answer stands beside it: once a number is touched, the old answer is out of sight
// until the new one, or what is wrong with the number, takes its place.
function hideOldAnswer(form) {
  form.addEventListener("input", () => {
    document.getElementById(form.dataset.answers).classList.add("stale");
  });
}
document.addEventListener("htmx:beforeSwap", (event) => {
  const { requestConfig, xhr } = event.detail;
  if (xhr.status !== 422 || !requestConfig.elt.dataset.answers) return;
  event.detail.shouldSwap = true;
  event.detail.isError = false;
});

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
  fresh("[data-turns]").forEach(turn);
  fresh("form[data-answers]").forEach(hideOldAnswer);
  fresh("form").forEach(holdSecondPress);
}

document.addEventListener("DOMContentLoaded", () => {
  arrange(document);
  document.querySelectorAll("form[data-draft]").forEach(bringBack);
  forgetTyped();
});
// Esc closes the menu, and the focus goes back to what opened it.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  if (!menu || !menu.contains(document.activeElement)) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
document.addEventListener("htmx:load", (event) => arrange(event.target));
window.addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form").forEach((form) => delete form.dataset.sent);
});

// ---- drafts: a form that saves itself, and text that comes back when a session had ended

const keptAt = () => "draft:" + location.pathname;

function keepTyped(form) {
  const typed = [...new FormData(form)].filter(([name]) => name !== "csrf_token");
  sessionStorage.setItem(keptAt(), JSON.stringify(typed));
}

// A press while a quiet save is under way waits for it, or the page would disagree with itself.
function waitForQuietSave(event) {
  const form = event.target;
  if (!form.classList.contains("htmx-request")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const press = () => setTimeout(() => form.requestSubmit(event.submitter), 50);
  form.addEventListener("htmx:afterRequest", press, { once: true });
}

function bringBack(form) {
  form.addEventListener("submit", waitForQuietSave, true);
  form.addEventListener("submit", () => keepTyped(form));
  const kept = sessionStorage.getItem(keptAt());
  sessionStorage.removeItem(keptAt());
  if (!kept || form.dataset.draft !== "opened") return;
  for (const [name, value] of JSON.parse(kept)) {
    const field = form.elements[name];
    if (field) field.value = value;
  }
  document.getElementById("saved").textContent = "上次没有存上的内容放回来了，请按“存下并返回”";
}

// A save that was done leads to the page of the application: nothing is left to bring back.
function forgetTyped() {
  for (const key of Object.keys(sessionStorage)) {
    if (key.startsWith(keptAt() + "/")) sessionStorage.removeItem(key);
  }
}

// A quiet save answers with its line alone. Anything else is no save: after a session has ended
// the sign-in page comes back, and it must not take the line's place.
function tellUnsaved(line) {
  keepTyped(line.closest("form"));
  line.textContent = "刚才没有存上。填的内容留在这个浏览器里，重新登录后再到这一页会放回来";
}
document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, xhr } = event.detail;
  if (target.id !== "saved" || xhr.responseText.includes('id="saved"')) return;
  event.detail.shouldSwap = false;
  tellUnsaved(target);
});
for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => {
    if (event.detail.target && event.detail.target.id === "saved") tellUnsaved(event.detail.target);
  });
}
