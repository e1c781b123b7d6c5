/** What goes around a text or two: special tokens, types, places without spaces. */
import { codePoints } from "./aligned.js";
import { SPACE_LETTER } from "./byte-letters.js";
import { Fields, invalid, tokenizerText, unknown } from "./invalid.js";
import { isSpace } from "./letters.js";
import { Row } from "./rows.js";

/** Works on the texts' rows; gives the rows that make up the encoding. */
export type PostProcessor = (rows: Row[], special: boolean) => Row[];

interface Mark {
  readonly id: number;
  readonly text: string;
}

/** A pair of a token and its id, as older processors have them. */
function markOf(fields: Fields, key: string): Mark {
  const [text, id] = fields.list(key);
  if (typeof text !== "string" || fields.list(key).length !== 2) {
    throw fields.wrong(key, "a token and its id");
  }
  return { text, id: fields.isNumber(id, key) };
}

/** A text's row with tokens around it; the last one's type is the text's number. */
function around(row: Row, before: Mark | undefined, behind: Mark, number: number): Row {
  const out = new Row();
  if (before !== undefined) {
    out.addSpecial(before.id, 0, before.text);
  }
  const from = out.tokens.length;
  out.tokens.push(...row.tokens);
  out.setSequence(number, from);
  out.addSpecial(behind.id, number, behind.text);
  return out;
}

/** First and last tokens as BERT has them, the types of the texts kept. */
function bert(fields: Fields): PostProcessor {
  const [first, last] = [markOf(fields, "cls"), markOf(fields, "sep")];
  return (rows, special) =>
    special ? rows.map((row, i) => around(row, i === 0 ? first : undefined, last, i === 0 ? 0 : 1)) : rows;
}

/** First and last tokens as RoBERTa has them, all of type 0. */
function roberta(fields: Fields): PostProcessor {
  const [first, last] = [markOf(fields, "cls"), markOf(fields, "sep")];
  const [trims, spaced] = [fields.flag("trim_offsets"), fields.flag("add_prefix_space")];
  return (rows, special) => {
    for (const row of rows) {
      if (trims) {
        trim(row, spaced);
      }
      row.setType(0);
    }
    return special
      ? rows.map((row, i) => {
          const out = around(row, i === 0 ? first : last, last, i === 0 ? 0 : 1);
          out.setType(0);
          return out;
        })
      : rows;
  };
}

/** Takes spaces off the places of byte-level tokens. */
function trimmer(fields: Fields): PostProcessor {
  fields.flag("use_regex", true);
  const [trims, spaced] = [fields.flag("trim_offsets"), fields.flag("add_prefix_space")];
  return (rows) => {
    rows.forEach((row, i) => {
      if (trims) {
        trim(row, spaced);
      }
      row.setSequence(i);
    });
    return rows;
  };
}

function trim(row: Row, spaced: boolean): void {
  const isBlank = (code: number) => code === SPACE_LETTER || isSpace(code);
  row.tokens.forEach((token, i) => {
    const chars = codePoints(token.text);
    const filled = (list: number[]) => list.findIndex((code) => !isBlank(code));
    const count = (found: number) => (found < 0 ? chars.length : found);
    const leading = count(filled(chars));
    const trailing = count(filled([...chars].reverse()));
    if (leading > 0) {
      const added = (i === 0 || token.start === 0) && spaced && leading === 1;
      token.start = Math.min(token.start + (added ? 0 : leading), token.end);
    }
    if (trailing > 0 && token.end >= trailing) {
      token.end = Math.max(token.end - trailing, token.start);
    }
  });
}

/** A piece of a template: a text, or special tokens. */
type TemplatePiece = { type: number; text: number } | { type: number; marks: Mark[] };

/** Special tokens around one text and around two, written out piece by piece. */
function template(fields: Fields): PostProcessor {
  const special = fields.object("special_tokens");
  const single = templatePieces(fields, "single", 1, special);
  const pair = templatePieces(fields, "pair", 2, special);
  return (rows, wanted) => {
    if (rows.length > 2) {
      throw tokenizerText("its tokenizer has a template for what is not one text or two");
    }
    const out: Row[] = [];
    for (const piece of rows.length === 2 ? pair : single) {
      const row = new Row();
      if ("text" in piece) {
        const text = rows[piece.text]!;
        text.setType(piece.type);
        text.setSequence(piece.text);
        row.append(text);
        out.push(row);
      } else if (wanted) {
        for (const { id, text } of piece.marks) {
          row.addSpecial(id, piece.type, text);
        }
        out.push(row);
      }
    }
    return out;
  };
}

function templatePieces(fields: Fields, key: string, texts: number, special: Fields): TemplatePiece[] {
  return fields.list(key).map((entry) => {
    const outer = Fields.of(entry, "a piece of TemplateProcessing");
    const isText = outer.has("Sequence");
    if (Object.keys(outer.all).length !== 1 || isText === outer.has("SpecialToken")) {
      throw fields.wrong(key, "a list of texts and special tokens");
    }
    const inner = outer.object(isText ? "Sequence" : "SpecialToken");
    const [type, id] = [inner.number("type_id"), inner.text("id")];
    if (!isText) {
      return { type, marks: marksOf(id, special) };
    }
    const text = ["A", "B"].indexOf(id);
    if (text < 0 || text >= texts) {
      throw invalid(`a template for ${texts} has the text ${JSON.stringify(id)}`);
    }
    return { type, text };
  });
}

function marksOf(id: string, special: Fields): Mark[] {
  if (!special.has(id)) {
    throw invalid(`the template's special token ${JSON.stringify(id)} has no ids`);
  }
  const token = special.object(id);
  const names = token.list("tokens");
  return token
    .list("ids")
    .map((each, i) => ({ id: token.isNumber(each, "ids"), text: String(names[i] ?? "") }));
}

/** The post-processor of tokenizer.json, undefined where there is none. Unknown ones are refused. */
export function postProcessorOf(value: unknown): PostProcessor | undefined {
  if (value === null || value === undefined) {
    return undefined;
  }
  const unnamed = Fields.of(value, "the post_processor");
  const type = unnamed.text("type");
  const fields = unnamed.named(type);
  switch (type) {
    case "TemplateProcessing":
      return template(fields);
    case "BertProcessing":
      return bert(fields);
    case "RobertaProcessing":
      return roberta(fields);
    case "ByteLevel":
      return trimmer(fields);
    case "Sequence": {
      const steps = fields.list("processors").map((step) => {
        const read = postProcessorOf(step);
        if (read === undefined) {
          throw invalid("a step of the post_processor is nothing");
        }
        return read;
      });
      return (rows, special) => steps.reduce((processed, step) => step(processed, special), rows);
    }
    default:
      throw unknown("post_processor", type);
  }
}
