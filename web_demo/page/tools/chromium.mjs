// Where Chromium is: $CHROMIUM, or Debian's. Installs Debian's where this runs as root and there is none.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

const DEBIAN = "/usr/bin/chromium";

export function chromium() {
  const path = process.env.CHROMIUM ?? DEBIAN;
  if (!existsSync(path) && path === DEBIAN && process.getuid?.() === 0) {
    const quiet = { stdio: "ignore" };
    execFileSync("apt-get", ["update", "-qq"], quiet);
    execFileSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "chromium"], quiet);
  }
  if (!existsSync(path)) {
    throw new Error(`no Chromium at ${path}: install Debian's package chromium, or name another in CHROMIUM`);
  }
  return path;
}

/** Nothing that Chromium does by itself reaches the network. */
export const FLAGS = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
  ...["--disable-background-networking", "--disable-component-update"],
];
