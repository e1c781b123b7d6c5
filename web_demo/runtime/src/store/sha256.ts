/** SHA-256, of bytes at hand by the platform, of a stream piece by piece: WebCrypto only takes everything at once. */

/** Takes bytes one piece after the other. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** In hexadecimal. */
  digest(): string;
}

interface NodeProcess {
  getBuiltinModule?: (name: string) => { createHash(name: string): NodeHash } | undefined;
}
interface NodeHash {
  update(bytes: Uint8Array): void;
  digest(encoding: string): string;
}

/** Node's where there is one, else our own. */
export function hasher(): Hasher {
  const builtin = (globalThis.process as NodeProcess | undefined)?.getBuiltinModule?.("node:crypto");
  if (builtin === undefined) {
    return new Sha256();
  }
  const hash = builtin.createHash("sha256");
  return { update: (bytes) => hash.update(bytes), digest: () => hash.digest("hex") };
}

/** Hash of bytes, in hexadecimal. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const subtle = globalThis.crypto?.subtle; // not there on pages that came over plain http
  if (subtle === undefined || bytes.buffer instanceof (globalThis.SharedArrayBuffer ?? Array)) {
    const hash = hasher();
    hash.update(bytes);
    return hash.digest();
  }
  return hex(new Uint8Array(await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>)));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const BLOCK = 64;

/** Fractional bits of roots of the first primes, as the standard has its constants. */
function fractions(count: number, root: number): Uint32Array {
  const found = new Uint32Array(count);
  const primes: number[] = [];
  for (let n = 2; primes.length < count; n += 1) {
    if (primes.every((prime) => n % prime !== 0)) {
      found[primes.length] = bits(BigInt(n), BigInt(root));
      primes.push(n);
    }
  }
  return found;
}

/** The first 32 bits behind the point of a root, by whole numbers alone. */
function bits(number: bigint, root: bigint): number {
  const wanted = number << (32n * root);
  let low = 0n;
  let high = 1n << 40n;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    [low, high] = middle ** root <= wanted ? [middle, high] : [low, middle];
  }
  return Number(low & 0xffffffffn);
}

const START = fractions(8, 2);
const ROUNDS = fractions(64, 3);

export class Sha256 implements Hasher {
  private readonly state = Int32Array.from(START);
  private readonly words = new Int32Array(64);
  private readonly rest = new Uint8Array(BLOCK);
  private filled = 0;
  private length = 0;

  update(bytes: Uint8Array): void {
    this.length += bytes.length;
    let from = 0;
    if (this.filled > 0) {
      from = Math.min(BLOCK - this.filled, bytes.length);
      this.rest.set(bytes.subarray(0, from), this.filled);
      this.filled += from;
      if (this.filled < BLOCK) {
        return;
      }
      this.block(this.rest, 0);
      this.filled = 0;
    }
    for (; from + BLOCK <= bytes.length; from += BLOCK) {
      this.block(bytes, from);
    }
    this.rest.set(bytes.subarray(from));
    this.filled = bytes.length - from;
  }

  digest(): string {
    const length = this.length;
    const padding = new Uint8Array(((119 - (length % BLOCK)) % BLOCK) + 9);
    padding[0] = 0x80;
    const end = new DataView(padding.buffer);
    end.setUint32(padding.length - 8, Math.floor(length / 2 ** 29));
    end.setUint32(padding.length - 4, (length * 8) >>> 0);
    this.update(padding);
    const out = new DataView(new ArrayBuffer(32));
    this.state.forEach((word, index) => {
      out.setInt32(4 * index, word);
    });
    return hex(new Uint8Array(out.buffer));
  }

  private block(bytes: Uint8Array, from: number): void {
    const { words, state } = this;
    for (let i = 0, at = from; i < 16; i += 1, at += 4) {
      words[i] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    }
    for (let i = 16; i < 64; i += 1) {
      const x = words[i - 15]!;
      const y = words[i - 2]!;
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      words[i] = (words[i - 16]! + s0 + words[i - 7]! + s1) | 0;
    }
    let a = state[0]!;
    let b = state[1]!;
    let c = state[2]!;
    let d = state[3]!;
    let e = state[4]!;
    let f = state[5]!;
    let g = state[6]!;
    let h = state[7]!;
    for (let i = 0; i < 64; i += 1) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUNDS[i]! + words[i]!) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    state[0] = state[0]! + a;
    state[1] = state[1]! + b;
    state[2] = state[2]! + c;
    state[3] = state[3]! + d;
    state[4] = state[4]! + e;
    state[5] = state[5]! + f;
    state[6] = state[6]! + g;
    state[7] = state[7]! + h;
  }
}
