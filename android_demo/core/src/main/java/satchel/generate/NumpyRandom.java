package satchel.generate;

import java.math.BigInteger;
import java.security.SecureRandom;

/**
 * The default generator of numpy: PCG64 (O'Neill, 2014) with 128 bits of state, seeded by a hash of a whole number of
 * any size. The same seed gives the same numbers, bit for bit.
 */
public final class NumpyRandom {
    private static final int POOL = 4; // words that a seed is mixed into
    private static final int ENTROPY = 16; // bytes of a seed that nobody gave
    private static final int HASH_BEGIN = 0x43b0d7e5;
    private static final int HASH_FACTOR = 0x931e8875;
    private static final int STATE_BEGIN = 0x8b51f9dd;
    private static final int STATE_FACTOR = 0x58f38ded;
    private static final int MIX_LEFT = 0xca01f9dd;
    private static final int MIX_RIGHT = 0x4973f715;
    private static final long MULTIPLIER_HIGH = 2549297995355413924L;
    private static final long MULTIPLIER_LOW = 4865540595714422341L;
    private static final long LOWER_HALF = 0xffffffffL;
    private static final double UNIT = 1.0 / (1L << 53);

    private long high; // of the state
    private long low;
    private final long incrementHigh;
    private final long incrementLow;
    private int hash;

    /** A generator for a seed from 0; null takes one from the system. */
    public NumpyRandom(BigInteger seed) {
        int[] words = state(words(seed == null ? new BigInteger(1, entropy()) : seed));
        long sequenceHigh = joined(words, 4);
        long sequenceLow = joined(words, 6);
        incrementHigh = (sequenceHigh << 1) | (sequenceLow >>> 63);
        incrementLow = (sequenceLow << 1) | 1;
        step();
        add(joined(words, 0), joined(words, 2));
        step();
    }

    /** A number from 0 on and below 1, a multiple of 2 to the power of -53. */
    public double nextDouble() {
        return (nextLong() >>> 11) * UNIT;
    }

    /** 64 bits. */
    public long nextLong() {
        step();
        return Long.rotateRight(high ^ low, (int) (high >>> 58));
    }

    private void step() {
        long product = low * MULTIPLIER_LOW;
        high = high * MULTIPLIER_LOW + low * MULTIPLIER_HIGH + upperHalf(low, MULTIPLIER_LOW);
        low = product;
        add(incrementHigh, incrementLow);
    }

    private void add(long otherHigh, long otherLow) {
        low += otherLow;
        boolean carry = Long.compareUnsigned(low, otherLow) < 0;
        high += otherHigh + (carry ? 1 : 0);
    }

    /** The upper 64 bits of the product of two numbers without sign. */
    private static long upperHalf(long a, long b) {
        long aLow = a & LOWER_HALF;
        long aHigh = a >>> 32;
        long bLow = b & LOWER_HALF;
        long bHigh = b >>> 32;
        long first = aHigh * bLow + ((aLow * bLow) >>> 32);
        long second = aLow * bHigh + (first & LOWER_HALF);
        return aHigh * bHigh + (first >>> 32) + (second >>> 32);
    }

    private static byte[] entropy() {
        byte[] bytes = new byte[ENTROPY];
        new SecureRandom().nextBytes(bytes);
        return bytes;
    }

    /** A number in words of 32 bits, the lowest first. */
    private static int[] words(BigInteger number) {
        int[] words = new int[Math.max(1, (number.bitLength() + 31) / 32)];
        for (int i = 0; i < words.length; ++i) {
            words[i] = number.shiftRight(32 * i).intValue();
        }
        return words;
    }

    private static long joined(int[] words, int at) {
        return (words[at] & LOWER_HALF) | ((long) words[at + 1] << 32);
    }

    /** Eight words of state from the words of a seed: each changes all. */
    private int[] state(int[] words) {
        int[] pool = new int[POOL];
        hash = HASH_BEGIN;
        for (int i = 0; i < POOL; ++i) {
            pool[i] = hashed(i < words.length ? words[i] : 0);
        }
        for (int from = 0; from < POOL; ++from) {
            for (int to = 0; to < POOL; ++to) {
                if (from != to) {
                    pool[to] = mixed(pool[to], hashed(pool[from]));
                }
            }
        }
        for (int from = POOL; from < words.length; ++from) {
            for (int to = 0; to < POOL; ++to) {
                pool[to] = mixed(pool[to], hashed(words[from]));
            }
        }
        int[] state = new int[2 * POOL];
        int factor = STATE_BEGIN;
        for (int i = 0; i < state.length; ++i) {
            int word = pool[i % POOL] ^ factor;
            factor *= STATE_FACTOR;
            word *= factor;
            state[i] = word ^ (word >>> 16);
        }
        return state;
    }

    private int hashed(int word) {
        int value = word ^ hash;
        hash *= HASH_FACTOR;
        value *= hash;
        return value ^ (value >>> 16);
    }

    private static int mixed(int left, int right) {
        int value = MIX_LEFT * left - MIX_RIGHT * right;
        return value ^ (value >>> 16);
    }
}
