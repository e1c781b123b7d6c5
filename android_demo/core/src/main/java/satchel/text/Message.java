package satchel.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import satchel.SatchelException;

/** A message of a conversation: its role is "system", "user" or "assistant". */
public final class Message {
    static final List<String> ROLES = Arrays.asList("system", "user", "assistant");
    private static final Set<String> KEYS = new HashSet<String>(Arrays.asList("role", "content"));

    public final String role;
    public final String content;

    public Message(String role, String content) {
        this.role = role;
        this.content = content;
    }

    public static Message system(String content) {
        return new Message("system", content);
    }

    public static Message user(String content) {
        return new Message("user", content);
    }

    public static Message assistant(String content) {
        return new Message("assistant", content);
    }

    /**
     * Messages of an app: each a Message, or a map of "role" and "content". Raises USAGE at the first thing that is
     * not a message.
     */
    public static List<Message> checked(Object messages) {
        if (!(messages instanceof List)) {
            throw SatchelException.usage("messages must be a list, not " + typeOf(messages));
        }
        List<?> items = (List<?>) messages;
        if (items.isEmpty()) {
            throw SatchelException.usage("messages is empty: a conversation has at least one message");
        }
        List<Message> checked = new ArrayList<Message>();
        for (Object item : items) {
            String fault = fault(item);
            if (fault != null) {
                throw SatchelException.usage("message " + (checked.size() + 1) + ": " + fault);
            }
            checked.add(item instanceof Message ? (Message) item : ofMap((Map<?, ?>) item));
        }
        return checked;
    }

    private static Message ofMap(Map<?, ?> map) {
        return new Message((String) map.get("role"), (String) map.get("content"));
    }

    /** What is wrong with one message, or null. */
    private static String fault(Object item) {
        Object role;
        Object content;
        if (item instanceof Message) {
            role = ((Message) item).role;
            content = ((Message) item).content;
        } else if (item instanceof Map) {
            Map<?, ?> map = (Map<?, ?>) item;
            if (!map.keySet().equals(KEYS)) {
                return "has the keys " + SatchelException.shown(listed(map.keySet())) + "; expected role and content";
            }
            role = map.get("role");
            content = map.get("content");
        } else {
            return "must be {\"role\": ..., \"content\": ...}, not " + typeOf(item);
        }
        if (!ROLES.contains(role)) {
            return "has the role " + SatchelException.shown(role) + "; known: system, user, assistant";
        }
        if (!(content instanceof String)) {
            return "content must be text, not " + typeOf(content);
        }
        return Prompts.loneSurrogate((String) content) >= 0
                ? "content holds half a surrogate pair, which is not text"
                : null;
    }

    private static String listed(Set<?> keys) {
        StringBuilder out = new StringBuilder("[");
        for (Object key : keys) {
            out.append(out.length() > 1 ? ", " : "").append('\'').append(key).append('\'');
        }
        return out.append(']').toString();
    }

    private static String typeOf(Object value) {
        if (value instanceof String) {
            return "str";
        }
        if (value instanceof Map) {
            return "dict";
        }
        if (value instanceof List) {
            return "list";
        }
        if (value instanceof Boolean) {
            return "bool";
        }
        if (value instanceof Number) {
            return value instanceof Double || value instanceof Float ? "float" : "int";
        }
        return value == null ? "NoneType" : value.getClass().getSimpleName();
    }
}
