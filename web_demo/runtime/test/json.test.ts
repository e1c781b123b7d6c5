import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStrictly, plain, Real } from "../src/bundle/json.js";

test("values keep what they were written as", () => {
  const tree = parseStrictly(
    ' {"a": [1, 1.0, -2e3, true, null], "10": 12345678901234567890, "\\u00e9\\n": "\\ud83d\\ude00"} ',
  );
  assert.ok(tree instanceof Map);
  assert.deepEqual([...tree.keys()], ["a", "10", "é\n"]);
  const [one, real] = tree.get("a") as [number, Real];
  assert.equal(one, 1);
  assert.ok(real instanceof Real);
  assert.equal(tree.get("10"), 12345678901234567890n);
  assert.equal(tree.get("é\n"), "\u{1f600}");
  const object = plain(tree) as Record<string, unknown>;
  assert.deepEqual(object.a, [1, 1, -2000, true, null]);
  assert.deepEqual(Object.entries(plain(parseStrictly('{"__proto__": 3}')) as object), [["__proto__", 3]]);
});

test("what is no JSON is refused", () => {
  const wrong = [
    "",
    "{",
    "[1,]",
    '{"a":1,}',
    "01",
    "1.",
    "+1",
    "NaN",
    "-Infinity",
    "1e999",
    "tru",
    '"\t"',
    '"\\x"',
    "[1] 2",
  ];
  for (const text of [
    ...wrong,
    '"a',
    '{"a": 1, "a": 1}',
    '"\\ud800"',
    "[".repeat(2000),
    "1".repeat(25),
    "\ufeff{}",
  ]) {
    assert.throws(() => parseStrictly(text), SyntaxError, text.slice(0, 20));
  }
});
