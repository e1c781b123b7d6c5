package satchel.app.work;

import android.content.Context;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.SatchelException;
import satchel.app.files.Summary;
import satchel.app.measure.Benchmark;
import satchel.app.measure.Subject;
import satchel.app.phone.Phone;
import satchel.app.phone.PhoneMemory;
import satchel.json.Json;

/** How fast a bundle is on this phone. */
public final class BenchmarkWork extends Work {
    private final Library library;
    private final Context context;
    private Map<String, Object> report;
    private volatile int repeat;
    private volatile String workload = "";

    BenchmarkWork(Engine engine, Library library, Context context) {
        super(engine);
        this.library = library;
        this.context = context;
    }

    /** The last report, as `satchel bench --json` writes it; null before. */
    public Map<String, Object> report() {
        return report;
    }

    public String json() {
        return report == null ? "" : Json.write(report);
    }

    public int repeat() {
        return repeat;
    }

    /** What is being timed. */
    public String workload() {
        return workload;
    }

    public void measure(final String bundle, final int repeats) {
        final Summary summary = library.named(bundle);
        if (busy() || summary == null) {
            return;
        }
        repeat = 1;
        workload = "";
        report = null;
        begin(new Job<Map<String, Object>>() {
            @Override
            Map<String, Object> work(final Engine engine) {
                engine.close(); // or the peak would count another model
                Map<String, Object> device = Phone.described();
                device.put("thermal_before", Phone.thermal(context));
                Subject.Opener opener = new Subject.Opener() {
                    @Override
                    public Subject open() {
                        return Core.subject(engine.folder(bundle));
                    }
                };
                Map<String, Object> measured = new Benchmark(opener, new PhoneMemory(), cancel, listener)
                        .run(repeats, described(summary), summary.bytes, Phone.processor(), device);
                device.put("thermal_after", Phone.thermal(context));
                return measured;
            }

            @Override
            void done(Map<String, Object> measured) {
                report = measured;
                ended(null);
                changed();
            }

            @Override
            void failed(SatchelException error) {
                ended(error);
                changed();
            }
        });
    }

    /** The bundles to choose from. */
    public List<Summary> bundles() {
        return library.all();
    }

    private static Map<String, Object> described(Summary summary) {
        Map<String, Object> bundle = new LinkedHashMap<String, Object>();
        bundle.put("bundle", summary.checkpoint);
        bundle.put("architecture", summary.architecture);
        bundle.put("profile", summary.profile);
        return bundle;
    }

    private final Benchmark.Listener listener = new Benchmark.Listener() {
        @Override
        public void at(int now, String what) {
            repeat = now;
            workload = what;
        }
    };
}
