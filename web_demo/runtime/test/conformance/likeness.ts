/** How an answer differs from what is expected. Knows no model. */

/** What differs and where, a line each. Numbers may differ by the tolerance of the nearest name around them. */
export function* differences(
  expected: unknown,
  found: unknown,
  tolerances: Readonly<Record<string, number>>,
  place = "",
  name = "",
): Generator<string> {
  if (name === "sha256") {
    return; // holds for one version of ONNX Runtime on one kind of processor
  }
  if (Array.isArray(expected) && Array.isArray(found)) {
    if (expected.length !== found.length) {
      yield `${place}: ${short(found)}, expected ${short(expected)}`;
    } else if (expected.length > 0 && expected.every((each) => typeof each === "number")) {
      yield* apart(expected, found as number[], tolerances[name] ?? 0, place);
    } else {
      for (const [i, one] of expected.entries()) {
        yield* differences(one, found[i], tolerances, `${place}[${i}]`, name);
      }
    }
  } else if (isMap(expected) && isMap(found)) {
    const keys = new Set([...Object.keys(expected), ...Object.keys(found)]);
    for (const key of keys) {
      if (!(key in expected) || !(key in found)) {
        yield `${place || "the answer"} has ${Object.keys(found)}, expected ${Object.keys(expected)}`;
        return;
      }
      const known = key in tolerances || key === "sha256" ? key : name;
      yield* differences(expected[key], found[key], tolerances, `${place}.${key}`, known);
    }
  } else if (typeof expected === "number" && typeof found === "number") {
    yield* apart([expected], [found], tolerances[name] ?? 0, place);
  } else if (expected !== found) {
    yield `${place}: ${short(found)}, expected ${short(expected)}`;
  }
}

function* apart(
  expected: readonly number[],
  found: readonly number[],
  tolerance: number,
  place: string,
): Generator<string> {
  const limit = tolerance * Math.max(1, ...expected.map(Math.abs));
  for (const [i, one] of expected.entries()) {
    if (!(Math.abs(one - (found[i] ?? Number.NaN)) <= limit)) {
      yield `${place}[${i}]: ${found[i]}, expected ${one} within ${limit.toPrecision(3)}`;
      return;
    }
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function short(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 160);
}
