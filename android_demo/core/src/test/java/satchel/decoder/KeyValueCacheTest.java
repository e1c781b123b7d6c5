package satchel.decoder;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotSame;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeTrue;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import satchel.ort.Tensor;

public class KeyValueCacheTest {
    private static final int LAYERS = 3;
    private static final int HEADS = 2;
    private static final int SIZE = 8;
    private static final int CONTEXT = 700;

    private final Memory memory = new Memory();
    private KeyValueCache cache;

    @Before
    public void quiet() {
        assumeTrue(
                "ORT_DISABLE_TELEMETRY=1 is not in the environment",
                "1".equals(System.getenv("ORT_DISABLE_TELEMETRY")));
    }

    @After
    public void close() {
        if (cache != null) {
            cache.close();
        }
        memory.close();
    }

    @Test
    public void growsByDoublingUpToTheContext() {
        begin(2, "float32", 0);
        assertTrue(cache.reserve(1));
        assertEquals(128, capacity());
        assertFalse(cache.reserve(128));
        assertTrue(cache.reserve(129));
        assertEquals(256, capacity());
        assertTrue(cache.reserve(513));
        assertEquals(CONTEXT, capacity());
        assertFalse(cache.reserve(CONTEXT));
    }

    @Test
    public void sparePositionsAreBehindTheLongestText() {
        begin(1, "float32", 1);
        assertTrue(cache.reserve(127));
        assertEquals(128, capacity());
        assertTrue(cache.reserve(128));
        assertTrue(cache.reserve(CONTEXT));
        assertEquals(CONTEXT + 1, capacity());
    }

    @Test
    public void keepsWhatIsThere() {
        for (String dtype : new String[] {"float32", "int8"}) {
            begin(3, dtype, 0);
            cache.reserve(100);
            int[] marks = {5, 6, 7};
            write(marks, 100);
            cache.reserve(400);
            same(marks, 100);
            cache.close();
        }
    }

    @Test
    public void rowsInAnyOrder() {
        Random random = new Random(3);
        for (int round = 0; round < 60; ++round) {
            int before = 1 + random.nextInt(4);
            begin(before, round % 2 == 0 ? "int8" : "float32", 0);
            cache.reserve(50);
            int[] marks = new int[before];
            int[] lengths = new int[before];
            for (int row = 0; row < before; ++row) {
                marks[row] = 10 * row + 1;
                lengths[row] = 50;
            }
            write(marks, 50);
            int[] rows = new int[1 + random.nextInt(5)];
            int[] moved = new int[rows.length];
            for (int row = 0; row < rows.length; ++row) {
                rows[row] = random.nextInt(before);
                moved[row] = marks[rows[row]];
            }
            boolean anew = cache.reorder(rows, new int[rows.length], lengths);
            assertTrue(anew || rows.length == before);
            same(moved, 50);
            cache.close();
        }
    }

    @Test
    public void whatIsSharedIsNotCopied() {
        begin(2, "int8", 0);
        cache.reserve(20);
        write(new int[] {1, 50}, 20);
        cache.reorder(new int[] {0, 0}, new int[] {0, 12}, new int[] {20, 20});
        assertEquals(mark(50, 0, 0, 11), value("past_key_values.0.key", 1, 0, 11), 0);
        assertEquals(mark(1, 0, 0, 12), value("past_key_values.0.key", 1, 0, 12), 0);
    }

    @Test
    public void oneRowIsInTheSameMemory() {
        begin(3, "float32", 0);
        cache.reserve(20);
        write(new int[] {1, 2, 3}, 20);
        KeyValueCache alone = cache.row(1);
        assertFalse(alone.reserve(20));
        Map<String, Tensor> inputs = bound(alone);
        inputs.get("past_key_values.2.value").buffer().putFloat(0, 77);
        alone.close();
        assertEquals(77, value("past_key_values.2.value", 1, 0, 0), 0);
    }

    @Test
    public void memoryServesTheNext() {
        begin(1, "int8", 0);
        cache.reserve(10);
        Tensor block = memory.take(1000);
        memory.give(block);
        assertSame(block, memory.take(900));
        Tensor another = memory.take(900);
        assertNotSame(block, another);
        another.close();
        memory.give(block);
        cache.release();
        assertTrue(cache.reserve(10)); // in the block that was given back
        assertEquals(128, capacity());
    }

    private void begin(int batch, String dtype, int spare) {
        cache = new KeyValueCache(LAYERS, HEADS, SIZE, dtype, spare, batch, CONTEXT, memory);
    }

    private static Map<String, Tensor> bound(KeyValueCache cache) {
        Map<String, Tensor> inputs = new LinkedHashMap<String, Tensor>();
        Map<String, Tensor> outputs = new LinkedHashMap<String, Tensor>();
        cache.bind(inputs, outputs);
        assertEquals(2 * LAYERS, inputs.size());
        assertSame(inputs.get("past_key_values.1.value"), outputs.get("present.1.value"));
        return inputs;
    }

    private int capacity() {
        return (int) bound(cache).get("past_key_values.0.key").shape()[2];
    }

    /** A number that tells row, layer, head and position, small enough for int8. */
    private static int mark(int row, int layer, int head, int position) {
        return (row * 3 + layer * 5 + head * 7 + position) % 127;
    }

    private void write(int[] marks, int positions) {
        each(marks, positions, true);
    }

    private void same(int[] marks, int positions) {
        each(marks, positions, false);
    }

    private void each(int[] marks, int positions, boolean write) {
        Map<String, Tensor> tensors = bound(cache);
        int layer = 0;
        for (String name : tensors.keySet()) {
            for (int row = 0; row < marks.length; ++row) {
                for (int head = 0; head < HEADS; ++head) {
                    for (int position = 0; position < positions; ++position) {
                        int expected = mark(marks[row], layer, head, position);
                        if (write) {
                            put(tensors.get(name), row, head, position, expected);
                        } else {
                            assertEquals(name, expected, value(name, row, head, position), 0);
                        }
                    }
                }
            }
            ++layer;
        }
    }

    private static void put(Tensor tensor, int row, int head, int position, int number) {
        int place = place(tensor, row, head, position);
        if (tensor.dtype().equals("int8")) {
            tensor.buffer().put(place, (byte) number);
        } else {
            tensor.buffer().putFloat(4 * place, number);
        }
    }

    private double value(String name, int row, int head, int position) {
        Tensor tensor = bound(cache).get(name);
        int place = place(tensor, row, head, position);
        return tensor.dtype().equals("int8") ? tensor.buffer().get(place) : tensor.buffer().getFloat(4 * place);
    }

    private static int place(Tensor tensor, int row, int head, int position) {
        return ((row * HEADS + head) * (int) tensor.shape()[2] + position) * SIZE;
    }
}
