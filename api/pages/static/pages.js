// While a job is queued or running, its state is fetched again and again, and what is new replaces what is old.
"use strict";

function parsed(text) {
  return new DOMParser().parseFromString(text, "text/html");
}

async function load(url) {
  const response = await fetch(url, { credentials: "same-origin" });
  if (response.status === 401 || response.status === 403) {
    // The session or the right has ended. The page then says what to do, and asks no more.
    location.reload();
    return null;
  }
  if (!response.ok) {
    throw new Error(response.statusText);
  }
  return parsed(await response.text());
}

function replace(old, fresh) {
  const focused = document.activeElement?.id;
  const opened = [...old.querySelectorAll("details[open]")].map((details) => details.closest("[id]").id);
  old.replaceWith(fresh);
  for (const id of opened) {
    document.getElementById(id)?.querySelector("details")?.setAttribute("open", "");
  }
  if (focused) {
    document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

async function follow() {
  const list = document.getElementById("reports");
  if (!list?.dataset.live) {
    return;
  }
  // Who is choosing in a form must not lose the choice.
  if (!document.activeElement?.closest("form.choices")) {
    try {
      const answer = await load(list.dataset.live);
      if (!answer) {
        return;
      }
      const fresh = answer.getElementById("reports");
      if (fresh.dataset.live || !("reload" in list.dataset)) {
        replace(list, fresh);
      } else {
        // What was waited for is there, and may be older than what has come in since.
        const page = await load(location.href);
        if (!page) {
          return;
        }
        replace(document.getElementById("main"), page.getElementById("main"));
      }
    } catch {
      setTimeout(follow, 5000);
      return;
    }
  }
  schedule();
}

function schedule() {
  const list = document.getElementById("reports");
  if (list?.dataset.live) {
    // A page that people are reading changes less often than one that only waits.
    setTimeout(follow, 1000 * Number(list.dataset.seconds ?? 1));
  }
}

schedule();
