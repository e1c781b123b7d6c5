package satchel.encoder;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import satchel.json.Json;

/** Cases that tools/encoder_cases.py wrote, one a line: what is given, and what Python made of it. */
public final class Cases {
    private Cases() {}

    /** Those of a kind in the file beside a class. */
    public static List<Map<?, ?>> of(Class<?> beside, String kind) throws IOException {
        List<Map<?, ?>> cases = new ArrayList<Map<?, ?>>();
        InputStream in = beside.getResourceAsStream("cases.jsonl");
        BufferedReader lines = new BufferedReader(new InputStreamReader(in, "UTF-8"));
        try {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                Map<?, ?> one = (Map<?, ?>) Json.parse(line);
                if (one.get("kind").equals(kind)) {
                    cases.add(one);
                }
            }
        } finally {
            lines.close();
        }
        if (cases.isEmpty()) {
            throw new IllegalStateException("no cases of " + kind);
        }
        return cases;
    }

    public static int whole(Map<?, ?> one, String name) {
        return ((Long) one.get(name)).intValue();
    }

    public static int[] ints(Object list) {
        int[] numbers = new int[((List<?>) list).size()];
        for (int i = 0; i < numbers.length; ++i) {
            numbers[i] = ((Number) ((List<?>) list).get(i)).intValue();
        }
        return numbers;
    }

    public static byte[] bytes(Object list) {
        int[] numbers = ints(list);
        byte[] bytes = new byte[numbers.length];
        for (int i = 0; i < bytes.length; ++i) {
            bytes[i] = (byte) numbers[i];
        }
        return bytes;
    }

    public static float[] floats(Object list) {
        float[] numbers = new float[((List<?>) list).size()];
        for (int i = 0; i < numbers.length; ++i) {
            numbers[i] = ((Number) ((List<?>) list).get(i)).floatValue();
        }
        return numbers;
    }

    static List<String> texts(Object list) {
        List<String> texts = new ArrayList<String>();
        for (Object one : (List<?>) list) {
            texts.add((String) one);
        }
        return texts;
    }
}
