import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { Sha256, sha256 } from "../src/store/sha256.js";

test("the same hash as the platform's, however the bytes come", async () => {
  for (const size of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 70_000]) {
    const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 31 + size) & 255);
    const expected = createHash("sha256").update(bytes).digest("hex");
    assert.equal(await sha256(bytes), expected);
    for (const step of [1, 7, 64, 100, 4096]) {
      const hash = new Sha256();
      for (let from = 0; from < size; from += step) {
        hash.update(bytes.subarray(from, from + step));
      }
      assert.equal(hash.digest(), expected, `${size} bytes by ${step}`);
    }
  }
});
