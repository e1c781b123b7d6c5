/**
 * The keys and values of a batch of texts, in tensors that the graph writes in place. Knows no ids. Past and present of a
 * layer are one tensor; rolling back only changes a length, which the caller keeps.
 */
import { type CacheGeometry, PARTS } from "../bundle/manifest.js";
import { SatchelError } from "../errors.js";
import type { DType, Engine, Tensor, TypedArray } from "../session/session.js";

const FIRST_CAPACITY = 128;

export class KVCache {
  capacity = 0;
  private tensors: Tensor[] = []; // [batch, heads, capacity, head size], of each layer the key and the value
  private readonly names: readonly string[];

  constructor(
    private readonly engine: Engine,
    private readonly geometry: CacheGeometry,
    public batch: number,
    private readonly context: number,
  ) {
    this.names = Array.from({ length: geometry.layers }, (_, layer) =>
      PARTS.map((part) => `${layer}.${part}`),
    ).flat();
  }

  /** Past and present, by the names of the graph. */
  bind(feeds: Record<string, Tensor>, outputs: Record<string, Tensor | null>): void {
    this.names.forEach((name, i) => {
      feeds[`past_key_values.${name}`] = this.tensors[i]!;
      outputs[`present.${name}`] = this.tensors[i]!;
    });
  }

  /** Makes room for `positions` a row, keeping what is there; true where tensors are others then. */
  reserve(positions: number): boolean {
    const { spare } = this.geometry;
    if (positions + spare <= this.capacity) {
      return false;
    }
    let capacity = Math.max(FIRST_CAPACITY, this.capacity);
    while (capacity < positions + spare) {
      capacity *= 2;
    }
    capacity = Math.min(capacity, this.context + spare);
    const rows = Array.from({ length: this.batch }, (_, row) => row);
    this.renew(
      this.batch,
      capacity,
      rows,
      rows.map(() => this.capacity),
      this,
    );
    return true;
  }

  /** Makes row i what row rows[i] is, for as many rows as there are: what lies below its length. True where tensors change. */
  reorder(rows: readonly number[], shared: readonly number[], lengths: readonly number[]): boolean {
    if (rows.length !== this.batch) {
      this.renew(
        rows.length,
        this.capacity,
        rows,
        rows.map((row) => lengths[row]!),
        this,
      );
      return true;
    }
    // A row that is read after it was written is read from a copy.
    const moves = rows.map((from, to) => ({ from, to })).filter(({ from, to }) => from !== to);
    const written = new Set<number>();
    const late = moves.some(({ from, to }) => {
      const overwritten = written.has(from);
      written.add(to);
      return overwritten;
    });
    if (late) {
      this.renew(
        rows.length,
        this.capacity,
        rows,
        rows.map((row) => lengths[row]!),
        this,
      );
      return true;
    }
    const { kv_heads: heads, head_dim: size } = this.geometry;
    for (const tensor of this.tensors) {
      const view = tensor.view();
      for (const { from, to } of moves) {
        for (let head = 0; head < heads; head++) {
          const [source, target] = [from, to].map((row) => (row * heads + head) * this.capacity * size);
          const [begin, end] = [shared[to]! * size, lengths[from]! * size];
          view.copyWithin(target! + begin, source! + begin, source! + end);
        }
      }
    }
    return false;
  }

  /** Takes over the single rows of other caches, as its rows: of each the first `lengths` positions. */
  static joined(caches: readonly KVCache[], lengths: readonly number[]): KVCache {
    const { engine, geometry, context } = caches[0]!;
    const whole = new KVCache(engine, geometry, caches.length, context);
    whole.reserve(Math.max(...lengths));
    caches.forEach((cache, row) => {
      whole.copy(cache, 0, row, lengths[row]!);
      cache.dispose();
    });
    return whole;
  }

  dispose(): void {
    for (const tensor of this.tensors) {
      tensor.dispose();
    }
    this.tensors = [];
    this.capacity = 0;
  }

  private renew(
    batch: number,
    capacity: number,
    rows: readonly number[],
    lengths: readonly number[],
    old: KVCache,
  ): void {
    const { engine, geometry } = this;
    const before = Object.assign(Object.create(KVCache.prototype) as KVCache, { ...old });
    const shape = [batch, geometry.kv_heads, capacity, geometry.head_dim];
    const tensors: Tensor[] = [];
    try {
      for (const _ of this.names) {
        tensors.push(engine.tensor(geometry.dtype as DType, shape));
      }
    } catch (error) {
      for (const tensor of tensors) {
        tensor.dispose();
      }
      throw SatchelError.limit(`no memory for a cache of ${capacity} positions`, "OUT_OF_MEMORY", {
        cause: error,
      });
    }
    this.tensors = tensors;
    this.batch = batch;
    this.capacity = capacity;
    rows.forEach((from, to) => {
      this.copy(before, from, to, lengths[to]!);
    });
    before.dispose();
  }

  private copy(other: KVCache, from: number, to: number, length: number): void {
    const { kv_heads: heads, head_dim: size } = this.geometry;
    other.tensors.forEach((tensor, i) => {
      const source = tensor.view();
      const target = this.tensors[i]!.view() as Int8Array;
      for (let head = 0; head < heads; head++) {
        const begin = (from * heads + head) * other.capacity * size;
        const part = source.subarray(begin, begin + length * size) as TypedArray as Int8Array;
        target.set(part, (to * heads + head) * this.capacity * size);
      }
    });
  }
}
