/** What an encoder's logits say: scores of labels, passages and words. Knows no graph. */
import type { Labels } from "../bundle/manifest.js";
import type { Classification } from "../models.js";

const { fround } = Math;

/** Scores: softmax, sigmoid or the logits themselves. */
export function activated(logits: Float32Array, scores: string): Float32Array {
  if (scores === "identity") {
    return logits;
  }
  if (scores === "sigmoid") {
    return logits.map((logit) => 1 / (1 + Math.exp(-logit)));
  }
  const best = logits.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
  const exponents = logits.map((logit) => Math.exp(fround(logit - best)));
  const sum = exponents.reduce((total, each) => total + each, 0);
  return exponents.map((each) => each / sum);
}

/** What the logits of `labels` say of one input; of labels with one name the greatest counts. */
export function classified(logits: Float32Array, labels: Labels): Classification {
  const scores = activated(logits, labels.scores);
  const best = firstHighest(scores);
  const named: Record<string, number> = {};
  labels.names.forEach((name, i) => {
    named[name] = Math.max(scores[i]!, named[name] ?? Number.NEGATIVE_INFINITY);
  });
  return { label: labels.names[best]!, score: scores[best]!, scores: named };
}

export function firstHighest(scores: Float32Array): number {
  return scores.reduce((best, score, i) => (score > scores[best]! ? i : best), 0);
}
