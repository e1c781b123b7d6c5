/**
 * The default generator of numpy: PCG64 (O'Neill, 2014) with 128 bits of state, seeded by a hash of a whole number. The same
 * seed gives the same numbers, bit for bit.
 */
const MULTIPLIER = (2549297995355413924n << 64n) | 4865540595714422341n;
const WHOLE = (1n << 128n) - 1n;
const HALF = (1n << 64n) - 1n;
const POOL = 4; // words that a seed is mixed into

export class NumpyRandom {
  private state: bigint;
  private readonly increment: bigint;

  /** Without a seed one of the system's. */
  constructor(seed?: number | bigint) {
    const words = stateWords(wordsOf(seed === undefined ? entropy() : BigInt(seed)));
    const joined = (at: number) => BigInt(words[at]!) | (BigInt(words[at + 1]!) << 32n);
    this.increment = ((((joined(4) << 64n) | joined(6)) << 1n) | 1n) & WHOLE;
    this.state = this.increment; // a step from 0
    this.state = (this.state + ((joined(0) << 64n) | joined(2))) & WHOLE;
    this.step();
  }

  /** A number from 0 on and below 1, a multiple of 2 to the power of -53. */
  next(): number {
    this.step();
    const mixed = (this.state >> 64n) ^ (this.state & HALF);
    const turn = this.state >> 122n;
    const bits = ((mixed >> turn) | (mixed << (64n - turn))) & HALF;
    return Number(bits >> 11n) * 2 ** -53;
  }

  private step(): void {
    this.state = (this.state * MULTIPLIER + this.increment) & WHOLE;
  }
}

function entropy(): bigint {
  return crypto
    .getRandomValues(new Uint32Array(4))
    .reduce((number, word) => (number << 32n) | BigInt(word), 0n);
}

/** A number in words of 32 bits, the lowest first. */
function wordsOf(number: bigint): number[] {
  const words: number[] = [];
  let rest = number;
  do {
    words.push(Number(rest & 0xffffffffn));
    rest >>= 32n;
  } while (rest > 0n);
  return words;
}

/** Eight words of state from the words of a seed: each changes all. */
function stateWords(words: readonly number[]): Uint32Array {
  let hash = 0x43b0d7e5;
  const hashed = (word: number): number => {
    let value = word ^ hash;
    hash = Math.imul(hash, 0x931e8875);
    value = Math.imul(value, hash);
    return value ^ (value >>> 16);
  };
  const mixed = (left: number, right: number): number => {
    const value = (Math.imul(0xca01f9dd, left) - Math.imul(0x4973f715, right)) | 0;
    return value ^ (value >>> 16);
  };
  const pool = Array.from({ length: POOL }, (_, i) => hashed(words[i] ?? 0));
  for (let from = 0; from < POOL; from++) {
    for (let to = 0; to < POOL; to++) {
      if (from !== to) {
        pool[to] = mixed(pool[to]!, hashed(pool[from]!));
      }
    }
  }
  for (const word of words.slice(POOL)) {
    for (let to = 0; to < POOL; to++) {
      pool[to] = mixed(pool[to]!, hashed(word));
    }
  }
  let factor = 0x8b51f9dd;
  return Uint32Array.from({ length: 2 * POOL }, (_, i) => {
    let word = pool[i % POOL]! ^ factor;
    factor = Math.imul(factor, 0x58f38ded);
    word = Math.imul(word, factor);
    return word ^ (word >>> 16);
  });
}
