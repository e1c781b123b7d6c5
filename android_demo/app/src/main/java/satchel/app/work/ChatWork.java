package satchel.app.work;

import android.os.Bundle;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import satchel.SatchelException;
import satchel.app.files.Summary;
import satchel.text.Message;

/** A conversation with a model that writes. */
public final class ChatWork extends Work {
    private static final String TURNS = "chat.turns";
    private static final String BUNDLE = "chat.bundle";
    private static final int KEPT = 100000; // characters: what the system keeps for an app is small

    private final List<Turn> turns = new ArrayList<Turn>();
    private Summary chosen;
    private String wanted; // a bundle's name, until the library knows it
    private String unsent; // what was typed, when nothing came of it
    private Answer last;

    private final FrameText frames = new FrameText(new FrameText.Receiver() {
        @Override
        public void more(String text) {
            if (!turns.isEmpty() && !turns.get(turns.size() - 1).ofUser()) {
                turns.get(turns.size() - 1).add(text);
                changed();
            }
        }
    });

    ChatWork(Engine engine) {
        super(engine);
    }

    public List<Turn> turns() {
        return Collections.unmodifiableList(turns);
    }

    /** The bundle that answers, or null. */
    public Summary chosen() {
        return chosen;
    }

    /** How fast the last answer was; 0 where that is not known. */
    public double tokensPerSecond() {
        return last == null ? 0 : last.tokensPerSecond();
    }

    public int tokens() {
        return last == null ? 0 : last.tokens;
    }

    public double secondsToFirst() {
        return last == null ? 0 : last.secondsToFirst;
    }

    /** Whether the last answer ended because it grew too long. */
    public boolean cutOff() {
        return last != null && "length".equals(last.finishReason);
    }

    /** Text that was sent without an answer, to be typed again; once. */
    public String takeUnsent() {
        String text = unsent;
        unsent = null;
        return text;
    }

    /** The bundles that may answer now; another than before begins a new conversation. */
    public void offer(List<Summary> bundles) {
        if (bundles.isEmpty() && wanted != null) {
            return; // what is installed is not known yet
        }
        Summary next = bundles.isEmpty() ? null : bundles.get(0);
        String name = chosen != null ? chosen.bundle : wanted;
        for (Summary bundle : bundles) {
            next = bundle.bundle.equals(name) ? bundle : next;
        }
        wanted = null;
        boolean same = next != null && next.bundle.equals(name);
        chosen = next;
        if (!same && !busy()) {
            forget();
        }
    }

    /** Another model begins a new conversation. */
    public void choose(Summary bundle) {
        if (!busy() && (chosen == null || !bundle.bundle.equals(chosen.bundle))) {
            chosen = bundle;
            restart();
        }
    }

    /** A new conversation. */
    public void restart() {
        if (!busy()) {
            forget();
            refuse(null);
        }
    }

    private void forget() {
        turns.clear();
        last = null;
    }

    /** Says something and has it answered. */
    public void send(String text) {
        if (busy() || chosen == null || text.trim().isEmpty()) {
            return;
        }
        last = null;
        if (chosen.chat == null) { // it goes on with a text, and knows nothing of turns
            turns.clear();
        }
        turns.add(new Turn(Turn.USER, text));
        final List<Message> messages = messages();
        turns.add(new Turn(Turn.ASSISTANT, ""));
        final String bundle = chosen.bundle;
        final boolean talks = chosen.chat != null;
        begin(new Job<Answer>() {
            @Override
            Answer work(Engine engine) {
                return talks
                        ? Core.chat(engine.model(bundle), messages, cancel, frames)
                        : Core.goOn(engine.model(bundle), messages.get(0).content, cancel, frames);
            }

            @Override
            void done(Answer answer) {
                frames.flush();
                last = answer; // also of what was stopped: what was written by then stays
                end(null);
            }

            @Override
            void failed(SatchelException error) {
                frames.flush();
                end(error);
            }
        });
    }

    private void end(SatchelException error) {
        ended(error);
        boolean answered = error == null && !last.finishReason.equals("cancelled");
        if (!answered && !turns.isEmpty() && turns.get(turns.size() - 1).isEmpty()) {
            turns.remove(turns.size() - 1); // a conversation alternates: what had no answer was not said
            unsent = turns.remove(turns.size() - 1).text();
        }
        changed();
    }

    private List<Message> messages() {
        List<Message> messages = new ArrayList<Message>();
        for (Turn turn : turns) {
            messages.add(new Message(turn.role, turn.text()));
        }
        return messages;
    }

    /** For the system, which may end the process while the app is not seen. */
    public void save(Bundle state) {
        ArrayList<String> texts = new ArrayList<String>();
        int characters = 0;
        for (Turn turn : turns) {
            characters += turn.text().length();
            texts.add(turn.role);
            texts.add(turn.text());
        }
        if (chosen != null && characters <= KEPT) {
            state.putStringArrayList(TURNS, texts);
            state.putString(BUNDLE, chosen.bundle);
        }
    }

    /** What `save` kept; nothing where a conversation is there already. */
    public void restore(Bundle state) {
        ArrayList<String> texts = state.getStringArrayList(TURNS);
        if (texts == null || !turns.isEmpty() || busy()) {
            return;
        }
        for (int i = 0; i + 1 < texts.size(); i += 2) {
            turns.add(new Turn(texts.get(i), texts.get(i + 1)));
        }
        if (!turns.isEmpty() && turns.get(turns.size() - 1).isEmpty()) {
            turns.remove(turns.size() - 1);
            unsent = turns.isEmpty() ? null : turns.remove(turns.size() - 1).text();
        }
        wanted = state.getString(BUNDLE);
    }
}
