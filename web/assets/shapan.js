// Comfort only: every page works without this file.
"use strict";

// Progress of a task: asks the API instead of reloading the page.
for (const box of document.querySelectorAll("[data-task]")) {
  document.querySelector('meta[http-equiv="refresh"]')?.remove();
  const bar = box.querySelector("progress");
  const text = box.querySelector("[data-percent]");
  const look = async () => {
    try {
      const response = await fetch(box.dataset.task, { headers: { accept: "application/json" } });
      const task = await response.json();
      if (!response.ok || task.state === "done" || task.state === "failed") {
        location.reload();
        return;
      }
      const progress = task.progress;
      if (bar && progress?.bytes_total > 0) {
        bar.max = progress.bytes_total;
        bar.value = progress.bytes_done;
        if (text) text.textContent = Math.floor((progress.bytes_done * 100) / progress.bytes_total) + "%";
      }
    } catch {
      // The network is away: look again later.
    }
    setTimeout(look, 1500);
  };
  setTimeout(look, 1000);
}

// Seconds until a job's answer can be read.
for (const clock of document.querySelectorAll("[data-countdown]")) {
  const until = Date.now() + Number(clock.dataset.countdown) * 1000;
  const tick = () => {
    const left = Math.max(0, Math.ceil((until - Date.now()) / 1000));
    clock.textContent = String(left);
    if (left > 0) setTimeout(tick, 500);
  };
  tick();
}

// Copying code.
for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    await navigator.clipboard.writeText(source.textContent);
    const before = button.textContent;
    button.textContent = button.dataset.done;
    setTimeout(() => { button.textContent = before; }, 1500);
  });
}

// Filters apply at once; the button stays for those without this file. The page that comes has the focus where it was.
for (const form of document.querySelectorAll("form[data-apply-at-once]")) {
  const place = "focus:" + form.id;
  let left = null;
  try {
    left = JSON.parse(sessionStorage.getItem(place));
    sessionStorage.removeItem(place);
  } catch {
    // Without storage the focus begins at the top.
  }
  if (left) {
    for (const control of form.elements) {
      if (control.name !== left.name || control.value !== left.value) continue;
      control.closest("details")?.setAttribute("open", "");
      control.focus({ preventScroll: true });
      scrollBy(0, control.getBoundingClientRect().top - left.top);
    }
  }
  form.addEventListener("change", ({ target }) => {
    const { name, value } = target;
    try {
      sessionStorage.setItem(place, JSON.stringify({ name, value, top: target.getBoundingClientRect().top }));
    } catch {
      // As above.
    }
    form.requestSubmit();
  });
}

// Ctrl+Enter runs a query.
for (const editor of document.querySelectorAll("textarea[data-run]")) {
  editor.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      editor.form.requestSubmit(editor.form.querySelector("button[data-default]"));
    }
  });
}

// An error summary takes the focus, so that it is read first.
(document.querySelector(".error-summary") ?? document.querySelector("[data-answer]"))?.focus();
