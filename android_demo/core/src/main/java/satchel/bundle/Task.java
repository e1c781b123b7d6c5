package satchel.bundle;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** What a bundle can be made for: the one table of tasks. Knows no model. */
public final class Task {
    private static final Map<String, Task> TASKS = new LinkedHashMap<String, Task>();
    private static final String NOTHING = "";

    static {
        task("generate", "decoder", "decoder", "cache", "chat")
                .asked("generate stream chat chat_stream score logits", "generate, chat");
        task("text-to-text", "encoder-decoder", "encoder decoder", "cache seq2seq", "translation")
                .asked("generate stream translate logits", "generate, translate");
        task("transcribe", "encoder-decoder", "encoder decoder", "cache seq2seq speech audio", NOTHING)
                .asked("transcribe transcribe_stream detect_language", "transcribe");
        task("embed", "encoder", "encoder", "text", NOTHING).asked("embed hidden_states", "embed TEXT");
        task("classify", "encoder", "encoder", "text labels", NOTHING)
                .scoring("labels", false)
                .asked("classify rank hidden_states", "classify TEXT, rank");
        task("tokens", "encoder", "encoder", "text labels", NOTHING)
                .scoring("labels", true)
                .asked("tokens hidden_states", "tokens");
        task("answer", "encoder", "encoder", "text", NOTHING)
                .scoring("ends", true)
                .asked("answer answers hidden_states", "answer");
        task("fill-mask", "encoder", "encoder", "text", NOTHING)
                .scoring("words", true)
                .asked("fill_mask hidden_states", "fill-mask");
        task("image-embed", "encoder", "image", "image", NOTHING)
                .asked("embed_images image_hidden_states", "embed --image FILE");
        task("image-classify", "encoder", "image", "image labels", NOTHING)
                .scoring("labels", false)
                .asked("classify_images image_hidden_states", "classify --image FILE");
        task("text-image-embed", "encoder", "text image", "text image", NOTHING)
                .asked("embed embed_images hidden_states image_hidden_states", "embed TEXT, embed --image FILE");
    }

    public final String name;
    public final String family;
    /** Of its graphs. */
    public final Set<String> roles;
    /** Fields of the manifest that it has, and those that it may have besides. */
    public final Set<String> needs;
    public final Set<String> may;
    /** How such bundles are asked, by an app and on the command line. */
    public final List<String> methods = new ArrayList<String>();
    public final List<String> commands = new ArrayList<String>();
    /**
     * An encoder's last output: the scores of "labels", "words" or "ends" (of a span: where it starts and where it
     * ends), of the whole text or per token; "" is a vector.
     */
    String scores = NOTHING;
    boolean perToken;

    private Task(String name, String family, String roles, String needs, String may) {
        this.name = name;
        this.family = family;
        this.roles = words(roles);
        this.needs = words(needs);
        this.may = words(may);
    }

    private static Task task(String name, String family, String roles, String needs, String may) {
        Task task = new Task(name, family, roles, needs, may);
        TASKS.put(name, task);
        return task;
    }

    private Task asked(String methods, String commands) {
        this.methods.addAll(words(methods));
        this.commands.addAll(Arrays.asList(commands.split(", ")));
        return this;
    }

    private Task scoring(String scores, boolean perToken) {
        this.scores = scores;
        this.perToken = perToken;
        return this;
    }

    private static Set<String> words(String words) {
        Set<String> set = new LinkedHashSet<String>(Arrays.asList(words.split(" ")));
        set.remove(NOTHING);
        return Collections.unmodifiableSet(set);
    }

    /** The task of that name, null where there is none. */
    public static Task of(String name) {
        return TASKS.get(name);
    }

    /** How many scores there are side by side, of a model with so many labels and words. */
    int width(int labels, int words) {
        return scores.equals("labels") ? labels : scores.equals("words") ? words : 2;
    }

    static Set<String> families() {
        Set<String> families = new LinkedHashSet<String>();
        for (Task task : TASKS.values()) {
            families.add(task.family);
        }
        return families;
    }

    /** The names of a family's tasks. */
    static List<String> ofFamily(String family) {
        List<String> names = new ArrayList<String>();
        for (Task task : TASKS.values()) {
            if (task.family.equals(family)) {
                names.add(task.name);
            }
        }
        return names;
    }

    /** Fields of a manifest that depend on the task, in the order of their names. */
    static Set<String> fields() {
        Set<String> fields = new TreeSet<String>();
        for (Task task : TASKS.values()) {
            fields.addAll(task.needs);
            fields.addAll(task.may);
        }
        return fields;
    }
}
