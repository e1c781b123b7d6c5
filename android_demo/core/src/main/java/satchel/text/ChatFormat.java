package satchel.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.SatchelException;
import satchel.bundle.Words;
import satchel.tokenizer.Tokenizer;

/**
 * Turns a conversation into the text and ids its model was trained on. Knows no model.
 *
 * <p>A conversation is joint, content, joint, ..., joint. Joints are named by their neighbours: ">user" opens it,
 * "user>assistant" lies between, "assistant>" closes it, "user>>" asks for an answer. Orders that the template refuses
 * have none. Templates that do not fit stay Jinja, which is not run here.
 */
public final class ChatFormat {
    private final Map<String, String> joints = new LinkedHashMap<String, String>();
    /** Roles whose content is trimmed. */
    private final List<String> trimmed = new ArrayList<String>();
    private boolean jinja;

    private ChatFormat() {}

    /** Reads the manifest's entry. Raises BUNDLE where it is not one. */
    public static ChatFormat from(Map<String, Object> entry) {
        ChatFormat chat = new ChatFormat();
        if (!chat.readJoints(entry) && !chat.readJinja(entry)) {
            throw SatchelException.bundle(
                    "the manifest's chat format is not one: " + Words.shown(entry));
        }
        return chat;
    }

    private boolean readJoints(Map<String, Object> entry) {
        Object listed = entry.get("joints");
        Object trim = entry.get("trim");
        if (!"joints".equals(entry.get("kind")) || !(listed instanceof Map) || !(trim instanceof List)) {
            return false;
        }
        for (Map.Entry<?, ?> joint : ((Map<?, ?>) listed).entrySet()) {
            if (!(joint.getValue() instanceof String) || !isJoint((String) joint.getKey())) {
                return false;
            }
            joints.put((String) joint.getKey(), (String) joint.getValue());
        }
        for (Object role : (List<?>) trim) {
            if (!Message.ROLES.contains(role)) {
                return false;
            }
            trimmed.add((String) role);
        }
        return true;
    }

    private boolean readJinja(Map<String, Object> entry) {
        Object special = entry.get("special_tokens");
        if (!"jinja".equals(entry.get("kind")) || !(entry.get("template") instanceof String)
                || !(special instanceof Map)) {
            return false;
        }
        for (Object text : ((Map<?, ?>) special).values()) {
            if (!(text instanceof String)) {
                return false;
            }
        }
        jinja = true;
        return true;
    }

    /** Whether a name is that of a joint: a role behind ">", or before it alone, with a role or ">" behind. */
    private static boolean isJoint(String name) {
        int place = name.indexOf('>');
        if (place < 0) {
            return false;
        }
        String before = name.substring(0, place);
        String after = name.substring(place + 1);
        if (before.isEmpty()) {
            return Message.ROLES.contains(after);
        }
        return Message.ROLES.contains(before)
                && (after.isEmpty() || after.equals(">") || Message.ROLES.contains(after));
    }

    /** A piece of a conversation's text: markup, or what somebody said. */
    static final class Segment {
        final String text;
        final boolean markup;

        Segment(String text, boolean markup) {
            this.text = text;
            this.markup = markup;
        }
    }

    /** All that the markup may consist of. */
    Iterable<String> markup() {
        return joints.values();
    }

    /** The whole conversation as one text. Messages as {@link Message#checked} takes them. */
    public String render(Object messages, boolean addGenerationPrompt) {
        StringBuilder out = new StringBuilder();
        for (Segment segment : segments(Message.checked(messages), addGenerationPrompt)) {
            out.append(segment.text);
        }
        return out.toString();
    }

    List<Segment> segments(List<Message> messages, boolean addGenerationPrompt) {
        checkJoints();
        List<Segment> segments = new ArrayList<Segment>();
        String before = "";
        for (Message message : messages) {
            segments.add(new Segment(joint(before, message.role), true));
            boolean trim = trimmed.contains(message.role);
            segments.add(new Segment(trim ? Whitespace.stripped(message.content) : message.content, false));
            before = message.role;
        }
        segments.add(new Segment(joint(before, addGenerationPrompt ? ">" : ""), true));
        return segments;
    }

    private String joint(String before, String after) {
        String joint = joints.get(before + ">" + after);
        if (joint == null) {
            String next = after.isEmpty() ? "end" : after.equals(">") ? "answer" : after;
            throw SatchelException.usage(
                    "the model's chat template refuses this order: " + (before.isEmpty() ? "start" : before) + ", "
                            + next);
        }
        return joint;
    }

    private void checkJoints() {
        if (jinja) {
            throw SatchelException.unsupported(
                    "this bundle's chat template is a Jinja program, which could not be turned into joints and is not "
                            + "run here: use satchel's Python runtime, or generate with a prompt of your own");
        }
    }

    /**
     * The conversation's ids. A control token that stands in a content is text, never an id. A conversation whose
     * contents are no texts of `context` tokens is refused unread.
     *
     * <p>Raises USAGE for what is no conversation or in an order that the template refuses, PROMPT_TOO_LONG,
     * PROMPT_ENCODING, and UNSUPPORTED for a template that stayed Jinja.
     */
    public int[] encode(Tokenizer tokenizer, Object messages, boolean addGenerationPrompt, int context) {
        List<Message> checked = Message.checked(messages);
        StringBuilder contents = new StringBuilder();
        for (Message message : checked) {
            contents.append(message.content);
        }
        Prompts.check(contents.toString(), context);
        checkJoints();
        try {
            ControlTokens control = new ControlTokens(tokenizer, this);
            List<Segment> segments = segments(checked, addGenerationPrompt);
            int[] expected = control.ofMarkup(segments);
            // Whoever forged a control token, by whatever trick, the ids tell: there is one too many.
            int[] ids = control.encodeWhole(segments);
            if (!Arrays.equals(control.among(ids), expected)) {
                ids = control.encodeGuarded(segments);
            }
            if (Arrays.equals(control.among(ids), expected)) {
                return ids;
            }
        } catch (RuntimeException error) {
            throw Prompts.converted(error);
        } catch (StackOverflowError error) {
            throw Prompts.converted(error);
        }
        throw SatchelException.usage("a message holds a control token that this tokenizer cannot read as text");
    }
}
