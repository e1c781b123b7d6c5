package satchel.cli;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.awt.image.BufferedImage;
import org.junit.Test;
import satchel.SatchelException;

/** Pixels are those of the file, as Python has them. */
public class PixelsTest {
    @Test
    public void grayStaysAsItIs() {
        BufferedImage image = new BufferedImage(2, 1, BufferedImage.TYPE_BYTE_GRAY);
        image.getRaster().setSample(0, 0, 0, 128);
        image.getRaster().setSample(1, 0, 0, 7);
        assertArrayEquals(new int[] {0xff808080, 0xff070707}, Pixels.of(image, "'a'"));
    }

    @Test
    public void coloursStayAsTheyAre() {
        BufferedImage image = new BufferedImage(1, 1, BufferedImage.TYPE_4BYTE_ABGR);
        image.setRGB(0, 0, 0x80123456);
        assertArrayEquals(new int[] {0x80123456}, Pixels.of(image, "'a'"));
    }

    @Test
    public void deepGrayIsRefused() {
        try {
            Pixels.of(new BufferedImage(1, 1, BufferedImage.TYPE_USHORT_GRAY), "'a'");
        } catch (SatchelException error) {
            assertEquals("USAGE", error.code);
            assertTrue(error.getMessage(), error.getMessage().contains("8 bits"));
            return;
        }
        throw new AssertionError();
    }
}
