/** What an app holds of an encoder of images: their vectors or labels. */
import type { Bundle } from "./bundle/bundle.js";
import { classified } from "./encoder/scores.js";
import { ImageReader } from "./image/reader.js";
import type { Classification, EngineInfo, ImageModel, Pixels } from "./models.js";
import type { Engine, Graph } from "./session/session.js";
import { openGraphs, TaskModel } from "./task-model.js";

interface Cancelled {
  readonly signal?: AbortSignal | undefined;
}

export async function openImages(bundle: Bundle, engine: Engine): Promise<ImageModel> {
  return new ImageAnswers(bundle, engine, await openGraphs(bundle, engine));
}

/** What is asked of images; of a bundle without a graph for them all of it is refused. */
export class ImageAnswers extends TaskModel implements ImageModel {
  private readonly reader: ImageReader | undefined;

  constructor(bundle: Bundle, engine: Engine & EngineInfo, graphs: Readonly<Record<string, Graph>>) {
    super(bundle, engine, graphs);
    const { image } = this.manifest;
    this.reader = image === null ? undefined : new ImageReader(engine, graphs["image"]!, image);
  }

  async embedImages(images: Pixels | readonly Pixels[], { signal }: Cancelled = {}): Promise<Float32Array[]> {
    this.checkMethod("embedImages");
    return this.reader!.answers(images, signal);
  }

  async classifyImages(
    images: Pixels | readonly Pixels[],
    { signal }: Cancelled = {},
  ): Promise<Classification[]> {
    this.checkMethod("classifyImages");
    const { labels } = this.manifest;
    return (await this.reader!.answers(images, signal)).map((logits) => classified(logits, labels!));
  }

  async imageHiddenStates(image: Pixels): Promise<Float32Array[]> {
    this.checkMethod("imageHiddenStates");
    return this.reader!.states(image);
  }

  /** What the graph is given of an image, channel by channel. */
  pixels(image: Pixels): Float32Array[] & { shape?: readonly number[] } {
    return this.reader!.channels(image);
  }
}
