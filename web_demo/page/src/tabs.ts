/** Tabs as the ARIA practices describe them: arrows move, one is in the tab order, the address keeps which. */

export function tabs(opened: (name: string) => void): void {
  const all = [...document.querySelectorAll<HTMLButtonElement>("[role=tab]")];

  const show = (tab: HTMLButtonElement): void => {
    for (const each of all) {
      const chosen = each === tab;
      each.setAttribute("aria-selected", String(chosen));
      each.tabIndex = chosen ? 0 : -1;
      panelOf(each).hidden = !chosen;
    }
    const name = panelOf(tab).id;
    history.replaceState(null, "", `#${name}`);
    opened(name);
  };

  all.forEach((tab, index) => {
    tab.addEventListener("click", () => show(tab));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: all.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = all[(to + all.length) % all.length];
      next?.focus();
      next?.click();
    });
  });

  const asked = all.find((tab) => `#${panelOf(tab).id}` === location.hash) ?? all[0];
  if (asked) show(asked);
}

function panelOf(tab: HTMLElement): HTMLElement {
  const panel = document.getElementById(tab.getAttribute("aria-controls") ?? "");
  if (!panel) throw new Error(`${tab.id} controls no panel`);
  return panel;
}
