import assert from "node:assert/strict";
import { test } from "node:test";
import { SatchelError, shown } from "../src/errors.js";

test("an error is one line with a code and an exit status", () => {
  const error = SatchelError.bundle("  two\n lines ", "BUNDLE_HASH");
  assert.equal(error.message, "two lines");
  assert.deepEqual([error.code, error.exitStatus], ["BUNDLE_HASH", 4]);
  assert.equal(SatchelError.usage("x").exitStatus, 2);
  assert.equal(SatchelError.unsupported("x").code, "UNSUPPORTED");
});

test("names are shown as Python's ascii shows them", () => {
  assert.equal(shown("a'b"), `"a'b"`);
  assert.equal(shown("\x1b[2J\n\u202e\u{1f600}"), "'\\x1b[2J\\n\\u202e\\U0001f600'");
  assert.equal(shown("\ud800"), "'\\ud800'");
  assert.equal(shown("x".repeat(200)), `'${"x".repeat(115)}...'`);
  assert.deepEqual([shown(null), shown(true), shown(3)], ["None", "True", "3"]);
});
