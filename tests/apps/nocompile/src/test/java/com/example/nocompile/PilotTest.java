package com.example.nocompile;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class PilotTest {

    @Test
    void hasAName() {
        assertEquals("Berit", new Pilot("Berit").name());
    }
}
