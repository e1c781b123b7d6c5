/**
 * A run of the WebAssembly module holds its thread, and a loop of runs would hold it to the end: nothing that was
 * said meanwhile, "stop" for example, would be heard.
 */

const LONGEST = 8; // milliseconds without hearing anything

let last = 0;

/** Lets the thread hear what was said, if it has not for a while. */
export async function breath(): Promise<void> {
  if (performance.now() - last < LONGEST) {
    return;
  }
  await turn();
  last = performance.now();
}

/** The end of the line of what waits to be done; a timer would come later than need be. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    if (globalThis.setImmediate !== undefined) {
      globalThis.setImmediate(resolve);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
