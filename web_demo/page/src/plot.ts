/** A plot of what each step took, as SVG: dots over the steps, a line where the median lies. */

import { median } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 640;
const HEIGHT = 220;
const LEFT = 52;
const BELOW = 26;

/** Milliseconds of each step, drawn and described in words for who cannot see it. */
export function plotSteps(milliseconds: readonly number[], what: string): SVGSVGElement {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  const top = niceAbove(sorted[Math.floor(0.98 * (sorted.length - 1))] ?? 1);
  const middle = median(milliseconds);
  const x = (index: number): number => LEFT + ((WIDTH - LEFT - 8) * (index + 0.5)) / milliseconds.length;
  const y = (value: number): number => HEIGHT - BELOW - ((HEIGHT - BELOW - 10) * Math.min(value, top)) / top;

  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  const title = shape("title", {});
  title.textContent =
    `${what}: ${milliseconds.length} measured, median ${middle.toFixed(1)} ms, ` +
    `from ${(sorted[0] ?? 0).toFixed(1)} to ${(sorted.at(-1) ?? 0).toFixed(1)} ms`;
  svg.append(title);
  for (const part of [0, 0.5, 1]) {
    const at = y(part * top);
    svg.append(shape("line", { class: "axis", x1: LEFT, x2: WIDTH - 8, y1: at, y2: at }));
    svg.append(label(LEFT - 6, at + 4, "end", `${+(part * top).toPrecision(2)} ms`));
  }
  svg.append(
    label(LEFT, HEIGHT - 8, "start", "1"),
    label(WIDTH - 8, HEIGHT - 8, "end", String(milliseconds.length)),
  );
  milliseconds.forEach((value, index) => {
    svg.append(shape("circle", { class: "step", cx: x(index), cy: y(value), r: value > top ? 4 : 2.5 }));
  });
  svg.append(shape("line", { class: "middle", x1: LEFT, x2: WIDTH - 8, y1: y(middle), y2: y(middle) }));
  return svg;
}

/** The next of 1, 2, 5, 10, ... above a number. */
function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return (([1, 2, 5, 10] as const).find((each) => each * power >= value) ?? 10) * power;
}

function shape<K extends keyof SVGElementTagNameMap>(
  name: K,
  attributes: Record<string, string | number>,
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

function label(x: number, y: number, anchor: string, text: string): SVGTextElement {
  const element = shape("text", { x, y, "text-anchor": anchor });
  element.textContent = text;
  return element;
}
