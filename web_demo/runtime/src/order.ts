/** Orders numbers for `sort`, which leaves equal ones as they stand: the higher first. */
export function falling(a: number, b: number): number {
  return a > b ? -1 : a < b ? 1 : 0;
}
