package satchel.app.work;

/** What one side said in a conversation. */
public final class Turn {
    public static final String USER = "user";
    public static final String ASSISTANT = "assistant";

    public final String role;
    private final StringBuilder text;

    Turn(String role, String text) {
        this.role = role;
        this.text = new StringBuilder(text);
    }

    public String text() {
        return text.toString();
    }

    public boolean ofUser() {
        return role.equals(USER);
    }

    void add(String more) {
        text.append(more);
    }

    boolean isEmpty() {
        return text.length() == 0;
    }
}
