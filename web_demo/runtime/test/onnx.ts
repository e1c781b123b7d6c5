/** Small ONNX files, written for tests. */

type Field = [number, number | string | Uint8Array | Field[]];

const FLOAT = 1;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) {
    bytes.push((rest % 128) + 128);
  }
  return [...bytes, rest];
}

function message(fields: Field[]): Uint8Array {
  const bytes: number[] = [];
  for (const [number, value] of fields) {
    if (typeof value === "number") {
      bytes.push(...varint(number * 8), ...varint(value));
      continue;
    }
    const body =
      typeof value === "string"
        ? new TextEncoder().encode(value)
        : value instanceof Uint8Array
          ? value
          : message(value);
    bytes.push(...varint(number * 8 + 2), ...varint(body.length), ...body);
  }
  return Uint8Array.from(bytes);
}

/** An input or output of floats; a text is a dynamic axis. */
function port(name: string, axes: (number | string)[]): Field[] {
  const shape = axes.map((axis): Field => [1, [typeof axis === "number" ? [1, axis] : [2, axis]]]);
  return [
    [1, name],
    [
      2,
      [
        [
          1,
          [
            [1, FLOAT],
            [2, shape],
          ],
        ],
      ],
    ],
  ];
}

interface Node {
  op: string;
  inputs: string[];
  outputs: string[];
}

interface Port {
  name: string;
  axes: (number | string)[];
}

export interface Weight {
  name: string;
  shape: number[];
  /** The file where it lies. */
  location: string;
  offset: number;
}

export function onnx(nodes: Node[], inputs: Port[], outputs: Port[], weights: Weight[] = []): Uint8Array {
  const graph: Field[] = [
    ...nodes.map(
      (node): Field => [
        1,
        [
          ...node.inputs.map((name): Field => [1, name]),
          ...node.outputs.map((name): Field => [2, name]),
          [4, node.op],
        ],
      ],
    ),
    [2, "graph"],
    ...weights.map((weight): Field => [5, tensor(weight)]),
    ...inputs.map(({ name, axes }): Field => [11, port(name, axes)]),
    ...outputs.map(({ name, axes }): Field => [12, port(name, axes)]),
  ];
  return message([
    [1, 8],
    [7, graph],
    [
      8,
      [
        [1, ""],
        [2, 17],
      ],
    ],
  ]);
}

function tensor(weight: Weight): Field[] {
  const length = 4 * weight.shape.reduce((product, size) => product * size, 1);
  const entries = { location: weight.location, offset: String(weight.offset), length: String(length) };
  return [
    ...weight.shape.map((size): Field => [1, size]),
    [2, FLOAT],
    [8, weight.name],
    ...Object.entries(entries).map(
      ([key, value]): Field => [
        13,
        [
          [1, key],
          [2, value],
        ],
      ],
    ),
    [14, 1],
  ];
}
