package satchel.encoder;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Which texts share a run: those of one length, so that no graph needs a mask and no result depends on neighbours. */
final class Batches {
    /** More neither speeds up two cores nor fits their caches. */
    static final int TOKENS_PER_BATCH = 1024;

    private Batches() {}

    /** Indices in groups of one length and at most TOKENS_PER_BATCH tokens, shortest first. */
    static List<int[]> of(int[] lengths) {
        Map<Integer, List<Integer>> groups = new TreeMap<Integer, List<Integer>>();
        for (int index = 0; index < lengths.length; ++index) {
            List<Integer> group = groups.get(lengths[index]);
            if (group == null) {
                group = new ArrayList<Integer>();
                groups.put(lengths[index], group);
            }
            group.add(index);
        }
        List<int[]> batches = new ArrayList<int[]>();
        for (Map.Entry<Integer, List<Integer>> entry : groups.entrySet()) {
            List<Integer> group = entry.getValue();
            int size = Math.max(1, TOKENS_PER_BATCH / Math.max(1, entry.getKey()));
            for (int start = 0; start < group.size(); start += size) {
                int[] batch = new int[Math.min(size, group.size() - start)];
                for (int i = 0; i < batch.length; ++i) {
                    batch[i] = group.get(start + i);
                }
                batches.add(batch);
            }
        }
        return batches;
    }
}
