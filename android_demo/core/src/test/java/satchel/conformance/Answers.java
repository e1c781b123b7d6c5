package satchel.conformance;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.Answer;
import satchel.Classification;
import satchel.Filled;
import satchel.Ranked;
import satchel.Segment;
import satchel.Span;
import satchel.Transcript;
import satchel.generate.Generation;
import satchel.tokenizer.Encoding;

/** What models give, as a file of cases has it. */
final class Answers {
    private Answers() {}

    /** A mapping of names, each before its value. */
    static Map<String, Object> of(Object... parts) {
        Map<String, Object> map = new LinkedHashMap<String, Object>();
        for (int i = 0; i < parts.length; i += 2) {
            Object value = parts[i + 1];
            map.put((String) parts[i], value instanceof Integer ? Long.valueOf((Integer) value) : value);
        }
        return map;
    }

    static Map<String, Object> of(Encoding encoding) {
        return of("ids", list(encoding.ids), "types", list(encoding.typeIds), "starts", list(encoding.starts),
            "ends", list(encoding.ends), "words", orNull(encoding.words), "sequences", orNull(encoding.sequences));
    }

    static Map<String, Object> of(Generation one) {
        return of("text", one.text, "tokens", list(one.tokens), "finish_reason", one.finishReason,
            "prompt_tokens", one.promptTokens, "logprobs", list(one.logprobs), "score", one.score);
    }

    static List<Object> generations(List<Generation> found) {
        List<Object> list = new ArrayList<Object>();
        for (Generation one : found) {
            list.add(of(one));
        }
        return list;
    }

    static Map<String, Object> of(Transcript transcript) {
        List<Object> segments = new ArrayList<Object>();
        for (Segment one : transcript.segments) {
            segments.add(of("start", one.start, "end", one.end, "text", one.text, "tokens", list(one.tokens)));
        }
        return of("text", transcript.text, "language", transcript.language, "duration", transcript.duration,
            "segments", segments);
    }

    static Map<String, Object> classifications(List<Classification> found) {
        List<Object> list = new ArrayList<Object>();
        for (Classification one : found) {
            list.add(of("label", one.label, "score", one.score, "scores", one.scores));
        }
        return of("classifications", list);
    }

    static Map<String, Object> ranked(List<Ranked> found) {
        List<Object> list = new ArrayList<Object>();
        for (Ranked one : found) {
            list.add(of("index", one.index, "score", one.score));
        }
        return of("ranked", list);
    }

    static Map<String, Object> spans(List<List<Span>> found) {
        List<Object> lists = new ArrayList<Object>();
        for (List<Span> spans : found) {
            List<Object> list = new ArrayList<Object>();
            for (Span one : spans) {
                list.add(of("label", one.label, "text", one.text, "start", one.start, "end", one.end, "score",
                    one.score));
            }
            lists.add(list);
        }
        return of("spans", lists);
    }

    static Map<String, Object> answers(List<Answer> found) {
        List<Object> list = new ArrayList<Object>();
        for (Answer one : found) {
            list.add(of("text", one.text, "start", one.start, "end", one.end, "score", one.score, "no_answer",
                one.noAnswer));
        }
        return of("answers", list);
    }

    static Map<String, Object> filled(List<Filled> found) {
        List<Object> list = new ArrayList<Object>();
        for (Filled one : found) {
            list.add(of("token", one.token, "score", one.score, "text", one.text));
        }
        return of("filled", list);
    }

    static Map<String, Object> vectors(float[][] rows, int size) {
        List<Object> vectors = new ArrayList<Object>();
        for (float[] row : rows) {
            vectors.add(list(row));
        }
        List<Object> shape = new ArrayList<Object>();
        shape.add((long) rows.length);
        shape.add((long) (rows.length == 0 ? size : rows[0].length));
        return of("shape", shape, "vectors", vectors);
    }

    /** Shape, hash and the numbers that are expected of an array, whose shape is that of its rows unless it is said. */
    static Map<String, Object> array(float[][] rows, Map<String, Object> expect, int... shape) {
        MessageDigest digest = sha256();
        for (float[] row : rows) {
            ByteBuffer bytes = ByteBuffer.allocate(4 * row.length).order(ByteOrder.LITTLE_ENDIAN);
            bytes.asFloatBuffer().put(row);
            digest.update(bytes.array());
        }
        int[] sizes = shape.length > 0 ? shape : new int[] {rows.length, rows[0].length};
        List<Object> values = new ArrayList<Object>();
        Object places = expect == null ? new ArrayList<Object>() : expect.get("places");
        for (Object place : CaseFile.list(places)) {
            int width = rows[0].length;
            int at = ((Long) place).intValue();
            boolean inside = at / width < rows.length;
            values.add(inside ? Double.valueOf(rows[at / width][at % width]) : null);
        }
        return of("shape", list(sizes), "sha256", hex(digest.digest()), "places", places, "values", values);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
    }

    private static String hex(byte[] bytes) {
        StringBuilder out = new StringBuilder();
        for (byte one : bytes) {
            out.append(Character.forDigit(one >> 4 & 15, 16)).append(Character.forDigit(one & 15, 16));
        }
        return out.toString();
    }

    static List<Object> list(int[] numbers) {
        List<Object> list = new ArrayList<Object>(numbers.length);
        for (int number : numbers) {
            list.add((long) number);
        }
        return list;
    }

    /** Numbers, of which -1 means that there is none. */
    private static List<Object> orNull(int[] numbers) {
        List<Object> list = new ArrayList<Object>(numbers.length);
        for (int number : numbers) {
            list.add(number < 0 ? null : Long.valueOf(number));
        }
        return list;
    }

    static List<Object> list(float[] numbers) {
        List<Object> list = new ArrayList<Object>(numbers.length);
        for (float number : numbers) {
            list.add((double) number);
        }
        return list;
    }

    static List<Object> list(double[] numbers) {
        return numbers == null ? new ArrayList<Object>() : new ArrayList<Object>(boxed(numbers));
    }

    private static List<Double> boxed(double[] numbers) {
        Double[] boxed = new Double[numbers.length];
        for (int i = 0; i < boxed.length; ++i) {
            boxed[i] = numbers[i];
        }
        return Arrays.asList(boxed);
    }
}
