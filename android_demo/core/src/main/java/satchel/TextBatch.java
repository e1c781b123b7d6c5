package satchel;

import java.util.ArrayList;
import java.util.List;
import satchel.generate.Generation;
import satchel.generate.GenerationLoop;
import satchel.generate.Row;
import satchel.generate.Run;
import satchel.text.Prompts;
import satchel.text.TextStream;
import satchel.tokenizer.Tokenizer;

/** Rows being generated and their text, whole or piece by piece. Knows no options and no choosing. */
final class TextBatch implements GenerationLoop.Listener {
    final Row[] rows;
    private final Tokenizer tokenizer;
    private final TextListener listener;
    private final TextStream[] streams; // null: without stop strings, texts need no look before their ends
    private final StringBuilder[] texts;

    /** `listener` is told the pieces of all rows, null: nobody is. */
    TextBatch(Tokenizer tokenizer, Row[] rows, List<String> stop, TextListener listener) {
        this.tokenizer = tokenizer;
        this.rows = rows;
        this.listener = listener;
        streams = stop.isEmpty() && listener == null ? null : new TextStream[rows.length];
        texts = new StringBuilder[rows.length];
        for (int row = 0; row < rows.length && streams != null; ++row) {
            streams[row] = new TextStream(tokenizer, stop);
            texts[row] = new StringBuilder();
        }
    }

    /** Generates until every row has ended. */
    void write(Run run, int[] eos) {
        GenerationLoop.run(run, rows, eos, streams == null ? null : this);
        for (int row = 0; row < rows.length && streams != null; ++row) {
            add(row, streams[row].close());
        }
    }

    /** Ends it before the first token. */
    void cancelled() {
        for (Row row : rows) {
            row.finishReason = "cancelled";
        }
    }

    @Override
    public void chosen(int row, int id) {
        add(row, streams[row].add(id));
    }

    private void add(int row, String piece) {
        if (streams[row].stopped()) {
            rows[row].finishReason = "stop";
        }
        if (!piece.isEmpty()) {
            texts[row].append(piece);
            if (listener != null) {
                listener.piece(piece);
            }
        }
    }

    /** The finished generations, in the order of the rows. */
    List<Generation> results() {
        List<Generation> results = new ArrayList<Generation>(rows.length);
        for (int row = 0; row < rows.length; ++row) {
            String text =
                    streams == null ? Prompts.decoded(tokenizer, rows[row].tokens()) : texts[row].toString();
            results.add(Generation.of(rows[row], text));
        }
        return results;
    }
}
