/**
 * Prompt lookup (Saxena, 2023): reads several ids a step where the text repeats what it knows. The last ids are looked up in
 * the prompt and in the text itself; what followed them there is a draft, read along with the next id in one run.
 */
const SIZES = [3, 1]; // of the sequences that are looked up, the longest that is found counts
const LONGEST = 16; // ids alike before a place: more tell no more
// How often the id at a place is right, by the power of two of how many ids before it are alike: a first guess.
const CHANCES = [0.1, 0.2, 0.5, 0.7, 0.9];
const MEMORY = 16; // ids after which a chance has forgotten most of what was
// What an id read along costs of a step; at ATTENDING positions attention takes as long as the weights.
const ALONG = 0.15;
const ATTENDING = 3000;

export class Lookup {
  private readonly ids: number[];
  private readonly behind: ReadonlyMap<number, Map<string, number>>;
  private readonly chances = [...CHANCES];
  private place = 0; // of the id that is expected next
  private alike = 0; // how many ids before that place are those at the end; 0: none is expected

  constructor(known: readonly number[]) {
    this.ids = [...known];
    this.behind = new Map(SIZES.map((size) => [size, placesBehind(this.ids, size)]));
  }

  /** Goes on with the text's next id. */
  add(token: number): void {
    const right = this.alike > 0 && this.ids[this.place] === token;
    if (this.alike > 0) {
      const kind = kindOf(this.alike);
      this.chances[kind]! += ((right ? 1 : 0) - this.chances[kind]!) / MEMORY;
    }
    this.ids.push(token);
    if (right) {
      this.place += 1;
      this.alike += 1;
    } else {
      this.find();
    }
    for (const [size, behind] of this.behind) {
      behind.set(this.ids.slice(-size).join(), this.ids.length);
    }
  }

  /** The ids that are worth reading ahead, up to `most` of them and none of `ends`. */
  draft(most: number, ends: ReadonlySet<number>): number[] {
    const drafted: number[] = [];
    let chance = 1;
    const attention = this.ids.length / ATTENDING;
    const cost = (ALONG + attention) / (1 + attention);
    while (this.alike > 0 && drafted.length < most) {
      const place = this.place + drafted.length;
      const token = place < this.ids.length ? this.ids[place]! : drafted[place - this.ids.length]!;
      chance *= this.chances[kindOf(this.alike + drafted.length)]!;
      if (chance < cost || ends.has(token)) {
        break;
      }
      drafted.push(token);
    }
    return drafted;
  }

  private find(): void {
    this.alike = 0;
    for (const [size, behind] of this.behind) {
      const place = behind.get(this.ids.slice(-size).join());
      if (place !== undefined) {
        this.place = place;
        while (
          this.alike < Math.min(place, LONGEST) &&
          this.ids[place - 1 - this.alike] === this.ids.at(-1 - this.alike)
        ) {
          this.alike += 1;
        }
        return;
      }
    }
  }
}

/** The place behind the last occurrence of each sequence of some size. */
function placesBehind(ids: readonly number[], size: number): Map<string, number> {
  const places = new Map<string, number>();
  for (let end = size; end <= ids.length; end++) {
    places.set(ids.slice(end - size, end).join(), end);
  }
  return places;
}

function kindOf(alike: number): number {
  return 31 - Math.clz32(Math.min(alike, LONGEST));
}
