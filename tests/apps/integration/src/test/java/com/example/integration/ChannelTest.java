package com.example.integration;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class ChannelTest {

    @Test
    void alternates() {
        assertEquals("G1 R2 G3", Channel.buoys(3));
    }

    @Test
    void mayBeUnmarked() {
        assertEquals("", Channel.buoys(0));
    }
}
