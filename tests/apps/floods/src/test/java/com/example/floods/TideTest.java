package com.example.floods;

import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class TideTest {

    private static final long GIGABYTE = 1_000_000_000L;

    /** Writes lines of 100 bytes, numbered, so that a log shows what it kept and what it left out. */
    @Test
    void rises() {
        String rest = " " + "~".repeat(86);
        long written = 0;
        for (long line = 1; written < GIGABYTE; line++) {
            System.out.println(String.format("%012d", line) + rest);
            written += 100;
        }
        assertTrue(written >= GIGABYTE);
    }
}
