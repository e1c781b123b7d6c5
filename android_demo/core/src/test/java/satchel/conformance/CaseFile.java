package satchel.conformance;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.json.Json;

/** A file of cases, as `satchel conformance` writes it. */
public final class CaseFile {
    private static final String NAME = "model name";

    /** One request and what has to come of it. */
    static final class Case {
        final int number;
        final Map<String, Object> input;
        final Map<String, Object> expect;

        Case(int number, Map<String, Object> input, Map<String, Object> expect) {
            this.number = number;
            this.input = input;
            this.expect = expect;
        }
    }

    /** The cases of each kind, in the order of the file. */
    final Map<String, List<Case>> byKind = new LinkedHashMap<String, List<Case>>();

    private final Map<String, Object> content;

    private CaseFile(Map<String, Object> content) {
        this.content = content;
        int number = 0;
        for (Object entry : list(content.get("cases"))) {
            Map<String, Object> one = map(entry);
            String kind = (String) one.get("kind");
            if (!byKind.containsKey(kind)) {
                byKind.put(kind, new ArrayList<Case>());
            }
            byKind.get(kind).add(new Case(number++, map(one.get("input")), map(one.get("expect"))));
        }
    }

    public static CaseFile read(File file) throws IOException {
        Map<String, Object> content = map(Json.parse(text(file)));
        if (!"satchel-conformance".equals(content.get("format"))
                || !Long.valueOf(1).equals(content.get("format_version"))) {
            throw new IllegalArgumentException(file + " is no file of cases of version 1");
        }
        return new CaseFile(content);
    }

    public Iterable<String> kinds() {
        return byKind.keySet();
    }

    /** How answers are compared where this version of ONNX Runtime runs. */
    Likeness likeness(String version) throws IOException {
        boolean same = version.equals(content.get("onnxruntime")) && processor().equals(content.get("processor"));
        return new Likeness(map(content.get("tolerances")), same);
    }

    /** The processor's name where Linux says it, else the kind of machine. */
    private static String processor() throws IOException {
        File file = new File("/proc/cpuinfo");
        if (file.exists()) {
            BufferedReader reader = new BufferedReader(new InputStreamReader(new FileInputStream(file), "UTF-8"));
            try {
                for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                    if (line.startsWith(NAME)) {
                        return line.substring(line.indexOf(':') + 1).trim();
                    }
                }
            } finally {
                reader.close();
            }
        }
        return System.getProperty("os.arch");
    }

    private static String text(File file) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        InputStream stream = new FileInputStream(file);
        try {
            byte[] block = new byte[1 << 16];
            for (int count = stream.read(block); count >= 0; count = stream.read(block)) {
                bytes.write(block, 0, count);
            }
        } finally {
            stream.close();
        }
        return bytes.toString("UTF-8");
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> map(Object value) {
        return (Map<String, Object>) value;
    }

    @SuppressWarnings("unchecked")
    static List<Object> list(Object value) {
        return (List<Object>) value;
    }

    /** A value in a line of at most so many characters, in ASCII. */
    static String shown(Object value, int most) {
        String text = String.valueOf(value);
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < text.length() && out.length() < most; ++i) {
            char c = text.charAt(i);
            out.append(c >= ' ' && c < 127 ? String.valueOf(c) : "\\u" + Integer.toHexString(c));
        }
        return out.length() >= most ? out + "..." : out.toString();
    }
}
