/** The page: each tab with the bundle it shows. */

import { Bench } from "./bench.js";
import { Bundles } from "./bundles.js";
import { Chat } from "./chat.js";
import { byId, make, saying } from "./dom.js";
import { Search } from "./search.js";
import { entries, Opening } from "./shelf.js";
import { tabs } from "./tabs.js";
import { Words } from "./words.js";

const words = new Words();
const chat = new Chat();
const search = new Search();
const bundles = new Bundles();
const bench = new Bench();

const place = (name: string): HTMLElement => {
  const found = document.querySelector<HTMLElement>(`.opening[data-bundle="${name}"]`);
  if (!found) throw new Error(`no place to open ${name}`);
  return found;
};
const openings = {
  words: new Opening(place("g2p"), (model) => words.ready(model)),
  chat: new Opening(place("smollm2"), (model) => chat.ready(model)),
  search: new Opening(place("minilm"), (model) => search.ready(model)),
};
bundles.use(new Opening(place("inspected"), (model) => bundles.ready(model)));
bench.use(new Opening(place("measured"), (model) => bench.ready(model)));

/** The bundle of a tab is the first that the server has for its task. */
const TASKS = { words: "text-to-text", chat: "generate", search: "embed" } as const;

async function show(tab: string): Promise<void> {
  if (tab === "bundles") return bundles.show();
  if (tab === "bench") return bench.show();
  const name = tab as keyof typeof TASKS;
  const entry = (await entries()).find(({ task }) => task === TASKS[name]);
  return openings[name].show(entry, `No bundle for this is served here: "make demo-web" makes it.`);
}

tabs((tab) => {
  show(tab).catch((error: unknown) =>
    byId("machine").replaceChildren(make("span", { class: "wrong" }, saying(error))),
  );
});
