// While a report is being generated, the list is fetched again every second, and the bars move.
"use strict";

async function follow() {
  const list = document.getElementById("reports");
  if (!list || !("live" in list.dataset)) {
    return;
  }
  let page;
  try {
    const response = await fetch(location.href, { credentials: "same-origin" });
    if (response.status === 401 || response.status === 403) {
      // The session or the right has ended. The page then says what to do, and asks no more.
      location.reload();
      return;
    }
    if (!response.ok) {
      throw new Error(response.statusText);
    }
    page = new DOMParser().parseFromString(await response.text(), "text/html");
  } catch {
    setTimeout(follow, 5000);
    return;
  }
  const fresh = page.getElementById("reports");
  if (!fresh && "reload" in list.dataset) {
    location.reload();
    return;
  }
  if (fresh) {
    const focused = document.activeElement?.id;
    list.replaceWith(fresh);
    if (focused) {
      document.getElementById(focused)?.focus();
    }
  }
  setTimeout(follow, 1000);
}

setTimeout(follow, 1000);
