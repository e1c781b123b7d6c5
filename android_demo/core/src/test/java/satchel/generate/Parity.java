package satchel.generate;

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import satchel.SatchelException;
import satchel.json.Json;

/**
 * Compares with what the Python runtime did: a file has a case a line, with its kind, what was given and what came of
 * it. Ids, reasons, messages and calls of the run are to be equal, scores but for rounding.
 */
final class Parity {
    // Of the greatest logit, or of the score where that is greater: each step of a search rounds at its size.
    private static final double TOLERANCE = 4e-6;
    private static final double NEARLY = 1e-6; // of a score itself, to be counted

    final Map<String, int[]> counts = new TreeMap<String, int[]>(); // by kind: cases, wrong ones
    final List<String> wrong = new ArrayList<String>();
    double deviation; // of scores, by the greatest number they are made of
    int nearlyEqual; // scores that differ by more than 1e-6 of themselves
    int near; // cases in which two scores differ by rounding at most
    int nearOthers; // of those, the ones that found something else
    int scores;
    int equalScores; // in every bit
    private double greatest; // logit of a case
    int otherOrder; // searches with other calls of the run

    public static void main(String[] files) throws IOException {
        Parity parity = new Parity();
        for (String file : files) {
            parity.read(new FileInputStream(file));
        }
        for (String line : parity.wrong.subList(0, Math.min(20, parity.wrong.size()))) {
            System.out.println(line);
        }
        System.out.println(parity.summary());
        if (!parity.wrong.isEmpty()) {
            throw new AssertionError(parity.wrong.size() + " wrong");
        }
    }

    String summary() {
        StringBuilder out = new StringBuilder();
        for (Map.Entry<String, int[]> entry : counts.entrySet()) {
            int[] count = entry.getValue();
            out.append(entry.getKey()).append(": ").append(count[0]).append(" cases, ").append(count[1]);
            out.append(" wrong\n");
        }
        out.append(scores).append(" scores, ").append(equalScores).append(" equal in every bit, ");
        out.append(deviation).append(" the greatest deviation, ").append(nearlyEqual).append(" beyond 1e-6; ");
        out.append(otherOrder).append(" searches with other calls; ").append(near).append(" with near ties, of them ");
        return out.append(nearOthers).append(" with other ends").toString();
    }

    void read(InputStream stream) throws IOException {
        BufferedReader reader = new BufferedReader(new InputStreamReader(stream, "UTF-8"));
        for (String line = reader.readLine(); line != null; line = reader.readLine()) {
            Map<?, ?> given = (Map<?, ?>) Json.parse(line);
            Case one = new Case(given);
            String kind = one.text("kind");
            if (!counts.containsKey(kind)) {
                counts.put(kind, new int[2]);
            }
            ++counts.get(kind)[0];
            near += one.is("near") ? 1 : 0;
            String difference;
            try {
                difference = difference(one, kind);
            } catch (SatchelException error) {
                difference = one.refused(error);
            }
            if (difference != null && one.is("near")) {
                ++nearOthers;
            } else if (difference != null) {
                ++counts.get(kind)[1];
                wrong.add(kind + ": " + difference + "\n    in " + line);
            }
        }
        reader.close();
    }

    /** How a case differs; null: it does not. */
    private String difference(Case one, String kind) {
        if (kind.equals("random")) {
            return random(one);
        }
        if (kind.equals("sample")) {
            return sample(one);
        }
        if (kind.equals("process")) {
            return process(one);
        }
        if (kind.equals("lookup")) {
            return lookup(one);
        }
        if (kind.equals("loop")) {
            return loop(one);
        }
        return kind.equals("beam") ? beam(one) : options(one);
    }

    private String random(Case one) {
        NumpyRandom random = new NumpyRandom(new BigInteger(one.text("seed")));
        for (Object expected : one.list("expected")) {
            double drawn = random.nextDouble();
            if (drawn != Double.parseDouble((String) expected)) {
                return "drew " + drawn + " for " + expected;
            }
        }
        return null;
    }

    private String sample(Case one) {
        Options options = one.options();
        List<Processor> none = Collections.emptyList();
        Sampler sampler = new Sampler(options, none);
        int[] expected = one.ints("expected");
        int size = one.whole("size");
        float[] logits = new float[size + 3];
        for (int step = 0; step < expected.length; ++step) {
            Table.fill(logits, 3, size, one.number("table").longValue() + step, one.real("scale"), 0);
            int id = sampler.choose(logits, 3, size, Sampler.highest(logits, 3, size));
            if (id != expected[step]) {
                return "chose " + id + " for " + expected[step] + " in step " + step;
            }
        }
        return null;
    }

    private String process(Case one) {
        greatest = 1.5 * one.real("scale");
        Options options = one.options();
        List<Processor> made =
                Processors.of(
                        options,
                        one.whole("vocab"),
                        one.ints("eos"),
                        one.whole("start"),
                        one.whole("limit"),
                        one.ints("source"));
        if (!one.has("expected")) {
            return "nothing was refused";
        }
        int size = one.whole("width");
        float[] scores = new float[size + 5];
        Table.fill(scores, 5, size, one.number("table").longValue(), one.real("scale"), 0);
        int[] text = one.ints("text");
        for (Processor processor : made) {
            processor.change(scores, 5, size, Arrays.copyOf(text, text.length + 9), text.length, one.whole("new"));
        }
        for (int i = 0; i < size; ++i) {
            if (!same(one.list("expected").get(i), scores[5 + i])) {
                return "score " + i + " is " + scores[5 + i] + ", not " + one.list("expected").get(i);
            }
        }
        boolean relative = !new Search(text, made, 1).absolute;
        return one.is("relative") == relative ? null : "relative is " + relative;
    }

    private String lookup(Case one) {
        Lookup lookup = new Lookup(one.ints("known"));
        int[] added = one.ints("added");
        int[] most = one.ints("mosts");
        int[] draft = new int[16];
        for (int i = 0; i < added.length; ++i) {
            lookup.add(added[i]);
            int count = lookup.draft(most[i], one.ints("ends"), draft);
            int[] expected = Case.ints(one.list("expected").get(i));
            if (!Arrays.equals(expected, Arrays.copyOf(draft, count))) {
                return "draft " + i + " is " + Arrays.toString(Arrays.copyOf(draft, count));
            }
        }
        return null;
    }

    private FakeRun run(Case one, int rows) {
        long seed = one.number("table").longValue();
        int cancelCall = one.whole("cancel_call");
        return new FakeRun(
                rows, one.whole("vocab"), seed, one.real("scale"), one.real("quantum"), one.whole("order"), cancelCall);
    }

    private static List<Processor> processors(Case one, Options options, int[] prompt, int limit) {
        return Processors.of(options, one.whole("vocab"), one.ints("eos"), prompt.length, limit, prompt);
    }

    private String loop(final Case one) {
        greatest = 1.5 * one.real("scale");
        Options options = one.options();
        List<?> prompts = one.list("prompts");
        int[] limits = one.ints("limits");
        final Row[] rows = new Row[limits.length];
        for (int i = 0; i < rows.length; ++i) {
            int[] prompt = Case.ints(prompts.get(i));
            Sampler sampler = new Sampler(options, processors(one, options, prompt, limits[i]));
            rows[i] = new Row(prompt, sampler, limits[i], prompt.length, one.is("collects"));
        }
        if (one.is("lookup")) {
            rows[0].lookup = new Lookup(rows[0].prompt);
        }
        final FakeRun run = run(one, rows.length);
        run.hold(one.ints("held"));
        final List<String> events = new ArrayList<String>();
        GenerationLoop.run(
                run,
                rows,
                one.ints("eos"),
                new GenerationLoop.Listener() {
                    @Override
                    public void chosen(int row, int id) {
                        events.add("[" + row + ", " + id + "]");
                        if (events.size() == one.whole("cancel_chosen")) {
                            run.cancel().cancel();
                        }
                        if (events.size() == one.whole("stop_chosen")) {
                            rows[row].finishReason = "stop";
                        }
                    }
                });
        if (!one.has("expected")) {
            return "nothing was refused";
        }
        Map<?, ?> expected = (Map<?, ?>) one.get("expected");
        if (!expected.get("events").toString().equals(events.toString())) {
            return "chose " + events;
        }
        for (int i = 0; i < rows.length; ++i) {
            Case row = new Case((Map<?, ?>) ((List<?>) expected.get("rows")).get(i));
            boolean same = Arrays.equals(row.ints("tokens"), rows[i].tokens());
            same &= row.text("reason").equals(rows[i].finishReason) && row.whole("looked_up") == rows[i].lookedUp;
            if (!same) {
                return "row " + i + " is " + Arrays.toString(rows[i].tokens()) + " " + rows[i].finishReason;
            }
            List<?> logprobs = row.get("logprobs") == null ? new ArrayList<Object>() : row.list("logprobs");
            for (int j = 0; j < logprobs.size(); ++j) {
                if (!same(Case.plain(logprobs.get(j)), rows[i].logprobs()[j])) {
                    return "logprob " + j + " is " + rows[i].logprobs()[j] + ", not " + logprobs.get(j);
                }
            }
            if (logprobs.size() != rows[i].logprobs().length) {
                return rows[i].logprobs().length + " logprobs";
            }
        }
        String calls = calls(expected.get("calls"));
        return calls.equals(run.log.toString()) ? null : "calls " + run.log;
    }

    private String beam(Case one) {
        Options options = one.options();
        List<?> prompts = one.list("prompts");
        int[] limits = one.ints("limits");
        List<Search> searches = new ArrayList<Search>();
        for (int i = 0; i < limits.length; ++i) {
            int[] prompt = Case.ints(prompts.get(i));
            searches.add(new Search(prompt, processors(one, options, prompt, limits[i]), limits[i]));
        }
        greatest = 1.5 * one.real("scale");
        FakeRun run = run(one, limits.length);
        Beams.search(run, searches, options, one.ints("eos"));
        if (!one.has("expected")) {
            return "nothing was refused";
        }
        Map<?, ?> expected = (Map<?, ?>) one.get("expected");
        for (int i = 0; i < limits.length; ++i) {
            List<?> found = (List<?>) ((List<?>) expected.get("found")).get(i);
            List<Hypothesis> mine = searches.get(i).found;
            if (mine.size() != found.size()) {
                return mine.size() + " found";
            }
            for (int j = 0; j < mine.size(); ++j) {
                Case each = new Case((Map<?, ?>) found.get(j));
                boolean same = Arrays.equals(each.ints("tokens"), mine.get(j).tokens);
                same &= each.text("reason").equals(mine.get(j).finishReason);
                if (!same || !same(Case.plain(each.get("score")), mine.get(j).score)) {
                    return "found " + Arrays.toString(mine.get(j).tokens) + " " + mine.get(j).score;
                }
            }
        }
        boolean sameCalls = calls(expected.get("calls")).equals(run.log.toString());
        otherOrder += sameCalls || one.is("near") ? 0 : 1;
        return null;
    }

    private String options(Case one) {
        Options options = Options.from(Case.settings(one.get("given")), Case.settings(one.get("defaults")));
        if (!one.has("expected")) {
            return "nothing was refused";
        }
        Map<?, ?> expected = (Map<?, ?>) one.get("expected");
        for (String name : Options.names()) {
            String value = Values.text(options.value(name));
            if (!value.equals(expected.get(name))) {
                return name + " is " + value + ", not " + expected.get(name);
            }
        }
        return null;
    }

    /** Calls as the run writes them down. */
    private static String calls(Object listed) {
        List<String> calls = new ArrayList<String>();
        for (Object item : (List<?>) listed) {
            StringBuilder out = new StringBuilder();
            for (Object part : (List<?>) item) {
                out.append(out.length() == 0 ? "" : " ").append(part);
            }
            calls.add(out.toString());
        }
        return calls.toString();
    }

    /** Whether a score is another but for rounding; null is negative infinity. */
    private boolean same(Object expected, double found) {
        if (expected == null || expected instanceof String) {
            String name = expected == null ? "-inf" : (String) expected;
            double wanted = name.equals("nan") ? Double.NaN : name.equals("inf") ? 1 / 0.0 : -1 / 0.0;
            return Double.compare(wanted, found) == 0;
        }
        double wanted = ((Number) expected).doubleValue();
        ++scores;
        if (wanted == found || Double.compare(wanted, found) == 0) {
            ++equalScores;
            return true;
        }
        nearlyEqual += Math.abs(wanted - found) > NEARLY * Math.abs(wanted) ? 1 : 0;
        double away = Math.abs(wanted - found) / Math.max(greatest, Math.abs(wanted));
        deviation = Math.max(deviation, away);
        return away <= TOLERANCE;
    }
}
