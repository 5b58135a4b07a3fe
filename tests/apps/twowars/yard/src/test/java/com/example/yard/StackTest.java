package com.example.yard;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class StackTest {

    @Test
    void aBrokenLayerIsALayer() {
        assertEquals(4, Stack.height(13, 4));
    }
}
