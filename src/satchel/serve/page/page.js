// Tries a bundle through the server's own interface.

const at = (id) => document.getElementById(id);
let messages = [];
let running = null;

/** What a bundle of each task is asked with, and how its answer becomes text. */
const WAYS = {
  generate: { what: "Your message", run: talk },
  "text-to-text": { what: "A text to translate or to go on from", run: translate },
  embed: { what: "A text to embed", run: embed },
};

const headers = () => ({
  "Content-Type": "application/json",
  ...(at("key").value && { Authorization: `Bearer ${at("key").value}` }),
});

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", headers: headers(), body: JSON.stringify(body), signal: running.signal });
  if (!answer.ok) throw new Error((await answer.json()).error.message);
  return answer;
}

async function talk(text, model, show) {
  messages.push({ role: "user", content: text });
  const answer = await post("v1/chat/completions", { model, messages, stream: true });
  let [whole, rest] = ["", ""];
  for await (const part of answer.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + part).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data: {")) continue;
      const event = JSON.parse(line.slice(6));
      if (event.error) throw new Error(event.error.message);
      whole += event.choices[0]?.delta.content ?? "";
      show(whole);
    }
  }
  messages.push({ role: "assistant", content: whole });
}

async function translate(text, model, show) {
  const { data } = await (await post("v1/translate", { model, input: text })).json();
  show(data[0].text);
}

async function embed(text, model, show) {
  const { data } = await (await post("v1/embeddings", { model, input: text })).json();
  const vector = data[0].embedding;
  show(`${vector.length} numbers: ${vector.slice(0, 8).map((x) => x.toFixed(4)).join(", ")}, …`);
}

function say(whose, text) {
  const said = document.createElement("p");
  said.className = whose;
  said.textContent = text;
  at("log").append(said);
  return said;
}

function enable() {
  at("send").disabled = running !== null || !at("model").value;
  at("stop").disabled = running === null;
}

async function send(event) {
  event?.preventDefault();
  const text = at("text").value.trim();
  if (!text || running) return;
  const chosen = at("model").selectedOptions[0];
  running = new AbortController();
  at("text").value = "";
  at("state").textContent = "";
  enable();
  say("mine", text);
  const its = say("its", "");
  try {
    await WAYS[chosen.dataset.task].run(text, chosen.value, (whole) => {
      its.textContent = whole;
      at("log").scrollTop = at("log").scrollHeight;
    });
  } catch (error) {
    at("state").textContent = error.name === "AbortError" ? "Stopped." : error.message;
    if (!its.textContent) its.remove();
  }
  running = null;
  enable();
}

function anew() {
  running?.abort();
  messages = [];
  at("log").replaceChildren();
  at("what").textContent = WAYS[at("model").selectedOptions[0]?.dataset.task]?.what ?? "Your message";
}

async function list() {
  const answer = await fetch("v1/models", { headers: headers() });
  const body = await answer.json();
  if (!answer.ok) {
    at("state").textContent = body.error.message;
    return;
  }
  const usable = body.data.filter(({ task }) => task in WAYS);
  at("model").replaceChildren(
    ...usable.map(({ id, task }) => Object.assign(new Option(id), { value: id, className: task })),
  );
  for (const [index, { task }] of usable.entries()) at("model").options[index].dataset.task = task;
  at("state").textContent = usable.length ? "" : "No bundle here can be tried on this page.";
  anew();
  enable();
}

at("form").addEventListener("submit", send);
at("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
});
at("stop").addEventListener("click", () => running?.abort());
at("anew").addEventListener("click", anew);
at("model").addEventListener("change", anew);
at("key").addEventListener("change", list);
list();
