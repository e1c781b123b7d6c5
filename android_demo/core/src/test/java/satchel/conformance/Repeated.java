package satchel.conformance;

import java.io.File;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import satchel.Model;
import satchel.Satchel;
import satchel.SatchelException;
import satchel.ort.Session;

/** A bundle whose cases are repeated. */
public final class Repeated implements AutoCloseable {
    private static final int SHOWN = 5;
    private static final int INPUT = 400;

    private final CaseFile cases;
    private final Model model;
    private final Likeness likeness;
    private final Asked asked;

    /** Loads NAME/bundle and reads NAME/cases.json. */
    public Repeated(File folder) throws IOException {
        cases = CaseFile.read(new File(folder, "cases.json"));
        model = Satchel.load(new File(folder, "bundle"));
        likeness = cases.likeness(Session.version());
        asked = new Asked(model);
    }

    /** How many cases of a kind fail, and the first few of them; null where all is well. */
    public String failures(String kind) {
        StringBuilder out = new StringBuilder();
        int failed = 0;
        List<CaseFile.Case> every = cases.byKind.get(kind);
        for (CaseFile.Case one : every) {
            String difference = difference(kind, one);
            if (difference != null && ++failed <= SHOWN) {
                out.append("\n  case ").append(one.number).append(": ").append(difference);
                out.append("\n    of ").append(CaseFile.shown(one.input, INPUT));
            }
        }
        return failed == 0 ? null : failed + " of " + every.size() + " cases failed" + out;
    }

    private String difference(String kind, CaseFile.Case one) {
        try {
            return likeness.difference(one.expect, asked.answer(kind, one.input, one.expect));
        } catch (SatchelException error) {
            if (lacksJinja(error, kind)) {
                return null;
            }
            return "refused: " + error.code + ": " + error.getMessage();
        } catch (Untyped error) {
            return kind.equals("refused") ? null : thrown(error);
        } catch (RuntimeException error) {
            return thrown(error);
        } catch (StackOverflowError error) {
            return thrown(error);
        }
    }

    /** Whether this is a conversation by a template, which only Python runs. */
    private boolean lacksJinja(SatchelException error, String kind) {
        Map<String, Object> chat = model.manifest.chat;
        return error.code.equals("UNSUPPORTED")
            && (kind.equals("chat") || kind.equals("conversation"))
            && chat != null
            && "jinja".equals(chat.get("kind"));
    }

    private static String thrown(Throwable error) {
        StringBuilder out = new StringBuilder("threw " + error);
        StackTraceElement[] stack = error.getStackTrace();
        for (int i = 0; i < Math.min(6, stack.length); ++i) {
            out.append("\n      at ").append(stack[i]);
        }
        return out.toString();
    }

    @Override
    public void close() {
        model.close();
    }
}
