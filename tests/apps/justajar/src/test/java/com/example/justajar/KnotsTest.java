package com.example.justajar;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class KnotsTest {

    @Test
    void tenKnots() {
        assertEquals(18.52, Knots.toKilometresPerHour(10), 0.001);
    }

    @Test
    void lyingStill() {
        assertEquals(0, Knots.toKilometresPerHour(0));
    }
}
