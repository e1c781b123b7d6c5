/** What a bundle can be made for: the one table of tasks. Knows no model. */

/** What bundles made for a task hold, and how they are asked. */
export interface Task {
  readonly family: "decoder" | "encoder" | "encoder-decoder";
  /** Of its graphs. */
  readonly roles: readonly string[];
  /** Fields of the manifest. */
  readonly needs: readonly string[];
  /** Fields of the manifest that it may have. */
  readonly may: readonly string[];
  /** What a model made for it can be asked. */
  readonly methods: readonly string[];
  /**
   * An encoder's last output: the scores of "labels", "letters", "words" or "ends" (of a span), of the whole input
   * or per token; "" is a vector.
   */
  readonly scores: "labels" | "letters" | "words" | "ends" | "";
  readonly perToken: boolean;
  /** Whether an input may be two texts. */
  readonly pairs: boolean;
}

interface Row {
  family?: Task["family"];
  roles?: string;
  needs: string;
  may?: string;
  methods: string;
  scores?: Task["scores"];
  perToken?: boolean;
  pairs?: boolean;
}

const ENCODER = { family: "encoder", roles: "encoder", scores: "", perToken: false, pairs: false } as const;

function task(row: Row): Task {
  const { roles, needs, may, methods, ...rest } = { ...ENCODER, may: "", ...row };
  const words = (text: string) => text.split(" ").filter(Boolean);
  return { ...rest, roles: words(roles), needs: words(needs), may: words(may), methods: words(methods) };
}

export const TASKS: Readonly<Record<string, Task>> = {
  generate: task({
    family: "decoder",
    roles: "decoder",
    needs: "cache",
    may: "chat",
    methods: "generate stream chat streamChat score logits",
  }),
  "text-to-text": task({
    family: "encoder-decoder",
    roles: "encoder decoder",
    needs: "cache seq2seq",
    may: "translation",
    methods: "generate stream translate logits",
  }),
  transcribe: task({
    family: "encoder-decoder",
    roles: "encoder decoder",
    needs: "cache seq2seq speech audio",
    methods: "transcribe transcribeStream detectLanguage",
  }),
  embed: task({ needs: "text", may: "chat", methods: "embed embedSparse hiddenStates" }),
  classify: task({
    needs: "text labels",
    may: "chat",
    methods: "classify zeroShot rank hiddenStates",
    scores: "labels",
    pairs: true,
  }),
  "multi-vector": task({
    needs: "text multi_vector",
    methods: "tokenVectors rank hiddenStates",
    perToken: true,
  }),
  tokens: task({ needs: "text labels", methods: "tokens hiddenStates", scores: "labels", perToken: true }),
  answer: task({
    needs: "text",
    methods: "answer answers hiddenStates",
    scores: "ends",
    perToken: true,
    pairs: true,
  }),
  "fill-mask": task({ needs: "text", methods: "fillMask hiddenStates", scores: "words", perToken: true }),
  "image-embed": task({ roles: "image", needs: "image", methods: "embedImages imageHiddenStates" }),
  "image-classify": task({
    roles: "image",
    needs: "image labels",
    methods: "classifyImages imageHiddenStates",
    scores: "labels",
  }),
  ctc: task({
    roles: "sound",
    needs: "audio labels",
    methods: "transcribe soundHiddenStates",
    scores: "letters",
    perToken: true,
  }),
  "audio-embed": task({ roles: "sound", needs: "audio", methods: "embedSounds soundHiddenStates" }),
  "audio-classify": task({
    roles: "sound",
    needs: "audio labels",
    methods: "classifySounds soundHiddenStates",
    scores: "labels",
  }),
  "text-image-embed": task({
    roles: "text image",
    needs: "text image",
    methods: "embed embedImages hiddenStates imageHiddenStates",
  }),
};

/** How many scores there are side by side, of a model with so many labels and words. */
export function widthOf(task: Task, labels: number, words: number): number {
  return task.scores === "words" ? words : task.scores === "ends" ? 2 : labels;
}
