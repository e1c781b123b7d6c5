/** The languages that speech is heard in, by their names and codes. Knows no model. */

/** The language that means: listen which it is. */
export const HEARD = "auto";
const TOKEN = /^<\|(\w+)\|>$/; // how a checkpoint writes a code

// As Whisper's authors number them; behind a code, its names, the first the usual one.
const NAMES =
  "en english, zh chinese/mandarin, de german, es spanish/castilian, ru russian, ko korean, fr french, ja " +
  "japanese, pt portuguese, tr turkish, pl polish, ca catalan/valencian, nl dutch/flemish, ar arabic, sv " +
  "swedish, it italian, id indonesian, hi hindi, fi finnish, vi vietnamese, he hebrew, uk ukrainian, el " +
  "greek, ms malay, cs czech, ro romanian/moldavian/moldovan, da danish, hu hungarian, ta tamil, no " +
  "norwegian, th thai, ur urdu, hr croatian, bg bulgarian, lt lithuanian, la latin, mi maori, ml malayalam, " +
  "cy welsh, sk slovak, te telugu, fa persian, lv latvian, bn bengali, sr serbian, az azerbaijani, sl " +
  "slovenian, kn kannada, et estonian, mk macedonian, br breton, eu basque, is icelandic, hy armenian, ne " +
  "nepali, mn mongolian, bs bosnian, kk kazakh, sq albanian, sw swahili, gl galician, mr marathi, pa " +
  "punjabi/panjabi, si sinhala/sinhalese, km khmer, sn shona, yo yoruba, so somali, af afrikaans, oc " +
  "occitan, ka georgian, be belarusian, tg tajik, sd sindhi, gu gujarati, am amharic, yi yiddish, lo lao, " +
  "uz uzbek, fo faroese, ht haitian creole/haitian, ps pashto/pushto, tk turkmen, nn nynorsk, mt maltese, " +
  "sa sanskrit, lb luxembourgish/letzeburgesch, my myanmar/burmese, bo tibetan, tl tagalog, mg malagasy, as " +
  "assamese, tt tatar, haw hawaiian, ln lingala, ha hausa, ba bashkir, jw javanese, su sundanese, yue " +
  "cantonese";

const CODES = new Map(
  NAMES.split(", ").flatMap((line) => {
    const space = line.indexOf(" ");
    return line
      .slice(space + 1)
      .split("/")
      .map((name) => [name, line.slice(0, space)] as const);
  }),
);

/** Which of the `known` codes is meant by a name, a code or a token as "<|de|>". */
export function codeOf(asked: string, known: readonly string[]): string | undefined {
  const word = asked.trim().toLowerCase();
  const wanted = TOKEN.exec(word)?.[1] ?? word;
  const code = known.includes(wanted) ? wanted : CODES.get(wanted);
  return code !== undefined && known.includes(code) ? code : undefined;
}

/** The `known` codes and their names. */
export function namesOf(known: readonly string[]): string[] {
  return [...known, ...[...CODES].filter(([, code]) => known.includes(code)).map(([name]) => name)];
}
