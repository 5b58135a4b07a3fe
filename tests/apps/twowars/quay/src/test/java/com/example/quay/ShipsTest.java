package com.example.quay;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class ShipsTest {

    @Test
    void one() {
        assertEquals("1 ship alongside", Ships.alongside(1));
    }

    @Test
    void many() {
        assertEquals("3 ships alongside", Ships.alongside(3));
    }
}
