// The end of a worker of a tab: functions by name, timed where they run.

/** Answers {name, given} with what the function of that name returns, and its seconds. */
export function answer(functions) {
  self.onmessage = async ({ data: { name, given } }) => {
    try {
      const began = performance.now();
      const value = await functions[name](...given);
      self.postMessage({ value, seconds: (performance.now() - began) / 1e3 });
    } catch (error) {
      self.postMessage({ error: String(error?.message ?? error) });
    }
  };
}
