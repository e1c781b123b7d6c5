/** A bundle that can be opened, though no model is in it. */
import { createHash } from "node:crypto";

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Its files by name; the weights have so many bytes. */
export function bundleFiles(weights: number, change: (content: Record<string, unknown>) => void = () => {}) {
  const noise = new Uint8Array(weights);
  for (let index = 0, state = 1; index < weights; index += 1) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    noise[index] = state >>> 16;
  }
  const files = new Map<string, Uint8Array>([
    ["encoder.onnx", Buffer.from("graph")],
    ["encoder.onnx.data", noise],
    ["tokenizer.json", Buffer.from("{}")],
  ]);
  const port = (name: string, dtype: string, axes: (string | number)[]) => ({ name, dtype, axes });
  const content: Record<string, unknown> = {
    family: "encoder",
    architecture: "bert",
    task: "embed",
    context: 16,
    vocab_size: 8,
    graphs: {
      encoder: {
        file: "encoder.onnx",
        inputs: [port("input_ids", "int64", ["batch", "length"])],
        outputs: [
          port("last_hidden_state", "float32", ["batch", "length", 4]),
          port("embedding", "float32", ["batch", 4]),
        ],
      },
    },
    files: Object.fromEntries(
      [...files].map(([name, bytes]) => [name, { size: bytes.length, sha256: sha256(bytes) }]),
    ),
    tokens: {},
    source: { name: "checkpoint", sha256: "0" },
    text: { max_length: 16 },
    format: "satchel-bundle",
    format_version: 2,
  };
  change(content);
  const body = JSON.stringify(content, null, 1).slice(0, -2);
  const digest = sha256(Buffer.from(body));
  files.set("manifest.json", Buffer.from(`${body},\n "digest": "${digest}"\n}\n`));
  return files;
}
