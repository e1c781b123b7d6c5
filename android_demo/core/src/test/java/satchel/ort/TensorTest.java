package satchel.ort;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;
import static org.junit.Assume.assumeTrue;

import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.Before;
import org.junit.Test;
import satchel.SatchelException;

public class TensorTest {
    private static final int LARGE = 32 << 20;

    @Before
    public void quiet() {
        assumeTrue(
                "ORT_DISABLE_TELEMETRY=1 is not in the environment",
                "1".equals(System.getenv("ORT_DISABLE_TELEMETRY")));
    }

    @Test
    public void numbersAndShapes() {
        Tensor floats = Tensor.floats(new float[] {1, 2.5f, -3, 4, 5, 6}, 2, 3);
        assertEquals("float32", floats.dtype());
        assertArrayEquals(new long[] {2, 3}, floats.shape());
        assertArrayEquals(new float[] {1, 2.5f, -3, 4, 5, 6}, floats.toFloats(), 0);
        floats.close();
        floats.close(); // as often as you like
        Tensor longs = Tensor.longs(new long[] {7, 1L << 40}, 2);
        assertEquals(1L << 40, longs.buffer().getLong(8));
        longs.close();
        Tensor ints = Tensor.ints(new int[] {7}, 1, 1);
        assertEquals(ByteOrder.nativeOrder(), ints.buffer().order());
        assertEquals(7, ints.buffer().getInt(0));
        ints.close();
    }

    @Test
    public void aShapeThatDoesNotFit() {
        try {
            Tensor.floats(new float[3], 2, 2);
        } catch (IllegalArgumentException error) {
            assertEquals("3 numbers for a tensor of [2, 2]", error.getMessage());
            return;
        }
        fail("not refused");
    }

    @Test
    public void viewsShareMemory() {
        Tensor whole = Tensor.zeros("int8", 100000);
        Tensor part = whole.view("float32", 4000, 10, 5);
        part.buffer().putFloat(8, 1.5f);
        assertEquals(1.5f, whole.buffer().getFloat(4008), 0);
        assertEquals(1.5f, part.toFloats()[2], 0);
        part.close();
        assertEquals(1.5f, whole.buffer().getFloat(4008), 0);
        whole.close();
    }

    @Test
    public void aViewBeyondTheEnd() {
        Tensor whole = Tensor.zeros("int8", 100);
        try {
            whole.view("int64", 96, 1);
            fail("not refused");
        } catch (IndexOutOfBoundsException error) {
            assertTrue(error.getMessage(), error.getMessage().contains("8 bytes at 96"));
        } finally {
            whole.close();
        }
    }

    @Test
    public void largeOnesAreZeroAndNotOfTheHeap() {
        long before = direct();
        Tensor large = Tensor.zeros("int8", LARGE);
        ByteBuffer bytes = large.buffer();
        assertTrue(bytes.isDirect());
        assertEquals(LARGE, bytes.capacity());
        for (int place = 0; place < LARGE; place += 4096) {
            assertEquals(0, bytes.get(place));
        }
        bytes.put(LARGE - 1, (byte) 3);
        assertEquals(3, bytes.get(LARGE - 1));
        assertTrue("it counts as a direct buffer", direct() - before < LARGE / 2);
        large.close();
    }

    @Test
    public void whatNoBufferCanShow() {
        try {
            Tensor.zeros("float32", 1 << 20, 1 << 10);
        } catch (SatchelException error) {
            assertEquals("OUT_OF_MEMORY", error.code);
            return;
        }
        fail("not refused");
    }

    /** Bytes of direct buffers, which an app has few of. */
    private static long direct() {
        for (BufferPoolMXBean pool : ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class)) {
            if (pool.getName().equals("direct")) {
                return pool.getMemoryUsed();
            }
        }
        return 0;
    }
}
