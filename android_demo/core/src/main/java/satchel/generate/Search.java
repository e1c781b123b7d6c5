package satchel.generate;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** One text to be continued by a search, and what was found: at most as many as there are beams, the best first. */
public final class Search {
    public final int[] prompt;
    public final List<Processor> processors;

    /** New ids at most. */
    public final int limit;

    public final List<Hypothesis> found = new ArrayList<Hypothesis>();

    /** Whether processors must see log-probabilities, for which logits do not serve. */
    final boolean absolute;

    public Search(int[] prompt, List<? extends Processor> processors, int limit) {
        this.prompt = prompt;
        this.processors = Collections.unmodifiableList(new ArrayList<Processor>(processors));
        this.limit = limit;
        boolean needed = false;
        for (Processor processor : processors) {
            needed |= !processor.relative();
        }
        absolute = needed;
    }

    /** Takes up a text among the best `most`; of equal scores the earlier ones go before. */
    void add(Hypothesis one, int most) {
        int place = found.size();
        while (place > 0 && found.get(place - 1).score < one.score) {
            --place;
        }
        found.add(place, one);
        while (found.size() > most) {
            found.remove(found.size() - 1);
        }
    }
}
