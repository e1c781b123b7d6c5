package satchel.app.measure;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.Test;
import satchel.Cancel;
import satchel.Measured;
import satchel.SampleAnswer;
import satchel.SatchelException;
import satchel.Workload;
import satchel.json.Json;

public final class BenchmarkTest {
    private final List<String> did = new ArrayList<String>();
    private final Cancel cancel = new Cancel();
    private boolean writes = true;
    private long resident = 50000000;

    @Test
    public void theReportIsThatOfTheCommandLine() {
        Map<?, ?> report = (Map<?, ?>) Json.parse(Json.write(run(3)));
        assertEquals(
                Arrays.asList(
                        "bundle", "architecture", "profile", "repeats", "threads", "onnxruntime", "kernels", "processor",
                        "figures", "device"),
                new ArrayList<Object>(report.keySet()));
        assertEquals(3L, report.get("repeats"));
        assertEquals(2L, report.get("threads"));
        assertEquals("1.31.1", report.get("onnxruntime"));
        assertEquals("a processor", report.get("processor"));
        Map<?, ?> figures = (Map<?, ?>) report.get("figures");
        assertEquals(
                Arrays.asList(
                        "load_seconds", "load_to_first_token_seconds", "first_token_16_seconds", "prefill_16_per_second",
                        "decode_per_second", "pss_megabytes", "peak_rss_megabytes", "file_megabytes"),
                new ArrayList<Object>(figures.keySet()));
        for (Object spread : figures.values()) {
            assertEquals(Arrays.asList("median", "min", "max"), new ArrayList<Object>(((Map<?, ?>) spread).keySet()));
        }
        assertEquals(12.5, ((Map<?, ?>) figures.get("file_megabytes")).get("median"));
        assertEquals(50.0, ((Map<?, ?>) figures.get("peak_rss_megabytes")).get("max"));
        assertEquals(30.0, ((Map<?, ?>) figures.get("pss_megabytes")).get("min"));
        assertEquals(Collections.singletonMap("model", "a phone"), report.get("device"));
    }

    @Test
    public void callsOfARepeat() {
        run(1);
        assertEquals(
                Arrays.asList(
                        "1 loading", "open", "first token", "1 prefill 16", "prepare", "read", "finish", "1 step after 8",
                        "prepare", "step", "step", "step", "finish", "close"),
                did);
    }

    @Test
    public void aModelThatDoesNotWrite() {
        writes = false;
        resident = 0; // and a system that tells nothing of memory
        Map<?, ?> figures = (Map<?, ?>) run(1).get("figures");
        assertTrue(!figures.containsKey("load_to_first_token_seconds"));
        assertTrue(!figures.containsKey("peak_rss_megabytes"));
    }

    @Test
    public void whatFailsIsClosed() {
        cancel.cancel();
        try {
            run(1);
            fail();
        } catch (SatchelException error) {
            assertEquals("CANCELLED", error.code);
        }
        assertEquals(Collections.<String>emptyList(), did);
    }

    @Test
    public void repeatsThatMakeNoSense() {
        for (int repeats : new int[] {0, -1, 21}) {
            try {
                run(repeats);
                fail();
            } catch (SatchelException error) {
                assertEquals("USAGE", error.code);
            }
        }
    }

    @Test
    public void medians() {
        Figures figures = new Figures();
        for (double value : new double[] {3, 1, 2, 10}) {
            figures.add("a", value);
        }
        assertEquals("{\"a\": {\"median\": 2.5, \"min\": 1.0, \"max\": 10.0}}", Json.write(figures.spreads()));
    }

    @Test
    public void titles() {
        assertEquals("prefill 128 (tok/s)", Figures.title("prefill_128_per_second"));
        assertEquals("load to first token (s)", Figures.title("load_to_first_token_seconds"));
        assertEquals("encoder 1x16 (texts/s)", Figures.title("encoder_1x16_texts_per_second"));
        assertEquals("peak rss (MB)", Figures.title("peak_rss_megabytes"));
        assertEquals("something else", Figures.title("something_else"));
    }

    private Map<String, Object> run(int repeats) {
        Map<String, Object> bundle = new LinkedHashMap<String, Object>();
        bundle.put("bundle", "checkpoint");
        bundle.put("architecture", "llama");
        bundle.put("profile", "int8");
        Map<String, Object> device = Collections.<String, Object>singletonMap("model", "a phone");
        return new Benchmark(opener, memory, cancel, listener).run(repeats, bundle, 12500000, "a processor", device);
    }

    private final Benchmark.Listener listener = new Benchmark.Listener() {
        @Override
        public void at(int repeat, String workload) {
            did.add(repeat + " " + workload);
        }
    };

    private final Memory memory = new Memory() {
        @Override
        public long resident() {
            return resident;
        }

        @Override
        public long proportional() {
            return 30000000;
        }
    };

    private final Subject.Opener opener = new Subject.Opener() {
        @Override
        public Subject open() {
            did.add("open");
            return new Subject() {
                @Override
                public Measured measured() {
                    return new Fake();
                }

                @Override
                public String onnxruntime() {
                    return "1.31.1";
                }

                @Override
                public void close() {
                    did.add("close");
                }
            };
        }
    };

    private final class Fake implements Measured {
        @Override
        public List<SampleAnswer> sampleAnswers() {
            return Collections.emptyList();
        }

        @Override
        public List<Workload> workloads() {
            return Arrays.<Workload>asList(
                    new Work("prefill 16", 16, 1, "first_token_16_seconds", "prefill_16_per_second", "read"),
                    new Work("step after 8", 1, 3, null, "decode_per_second", "step"));
        }

        @Override
        public boolean firstToken() {
            if (writes) {
                did.add("first token");
            }
            return writes;
        }

        @Override
        public int threads() {
            return 2;
        }
    }

    private final class Work extends Workload {
        private final String what;

        Work(String name, int amount, int times, String seconds, String rate, String what) {
            super(name, amount, times, seconds, rate);
            this.what = what;
        }

        @Override
        public void prepare() {
            did.add("prepare");
        }

        @Override
        public void call() {
            did.add(what);
        }

        @Override
        public void finish() {
            did.add("finish");
        }
    }
}
